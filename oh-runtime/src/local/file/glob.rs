//! Finding files by name.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};
use oh_core::{ErrorKind, FileKind, GlobOutput, GlobQuery, Result, SandboxPath};
use rustix::io::Errno;

use super::call::Call;
use super::facts::Facts;
use super::job::Stop;
use super::volume::Volume;

/// Length of a pattern, as of a path.
const PATTERN_BYTES: usize = SandboxPath::MAX_BYTES;

/// Opening braces of a pattern: they nest, and a nested pattern is read by recursion.
const PATTERN_BRACES: usize = 64;

/// Whether a pattern can be read at a known cost, also one of an ignore file.
pub(super) fn is_bounded(pattern: &str) -> bool {
    pattern.len() <= PATTERN_BYTES && pattern.matches('{').count() <= PATTERN_BRACES
}

/// A pattern for names or, if it holds a slash, for paths below the place of the search.
#[derive(Debug)]
pub(super) struct Pattern {
    matcher: GlobMatcher,
    whole_path: bool,
}

impl Pattern {
    pub(super) fn new(pattern: &str, call: &Call) -> Result<Self> {
        let pattern = pattern.trim_start_matches("./");
        if pattern.is_empty() || pattern.contains('\0') {
            return Err(call.invalid("a pattern is not empty and has no NUL byte"));
        }
        if pattern.starts_with('/') || pattern.split('/').any(|part| part == "..") {
            return Err(call.invalid(
                "a pattern is relative to the place of the search and has no `..`; set the place \
                 instead",
            ));
        }
        if !is_bounded(pattern) {
            return Err(call.invalid(format!(
                "a pattern has at most {PATTERN_BYTES} bytes and {PATTERN_BRACES} braces"
            )));
        }
        let glob = GlobBuilder::new(pattern)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| call.invalid(error.kind().to_string()).with_source(error))?;
        Ok(Self {
            matcher: glob.compile_matcher(),
            whole_path: pattern.contains('/'),
        })
    }

    pub(super) fn is_match(&self, relative: &Path) -> bool {
        if self.whole_path {
            return self.matcher.is_match(relative);
        }
        relative
            .file_name()
            .is_some_and(|name| self.matcher.is_match(name))
    }
}

type Newest = (Reverse<(i64, i64)>, SandboxPath);

impl Volume {
    pub(super) fn glob(&self, query: &GlobQuery, stop: &Stop) -> Result<GlobOutput> {
        let pattern = Pattern::new(&query.pattern, &Call::about("glob", query.pattern.as_str()))?;
        let call = Call::new("glob", &query.root);
        let root = self.search_root(&query.root, &call)?;
        if root.file.is_some() {
            return Err(call.kind(ErrorKind::NotADirectory));
        }
        let mut newest: BTreeSet<Newest> = BTreeSet::new();
        let mut truncated = false;
        let mut failure = None;
        let left_out = self.walk(&root, query.ignore, stop, &mut |found| {
            if !pattern.is_match(found.relative) {
                return ControlFlow::Continue(());
            }
            let facts = match Facts::at(found.dir, found.name) {
                Ok(facts) => facts,
                Err(Errno::NOENT) => return ControlFlow::Continue(()),
                Err(errno) => {
                    failure = Some(errno);
                    return ControlFlow::Break(());
                }
            };
            if facts.kind() != FileKind::Directory {
                newest.insert((Reverse(facts.mtime), root.shown(found.relative)));
            }
            if newest.len() > query.limit {
                newest.pop_last();
                truncated = true;
            }
            ControlFlow::Continue(())
        });
        let left_out = left_out.map_err(|errno| call.errno(errno))?;
        if let Some(errno) = failure {
            return Err(call.errno(errno));
        }
        let paths = newest.into_iter().map(|(_, path)| path).collect();
        Ok(GlobOutput::new(paths, truncated || left_out))
    }
}
