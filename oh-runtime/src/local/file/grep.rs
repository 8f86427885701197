//! Finding lines in files.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use grep_matcher::LineTerminator;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{
    BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkContextKind, SinkFinish,
    SinkMatch,
};
use oh_core::{Case, GrepLine, GrepOutput, GrepQuery, PatternKind, Result, SandboxPath};

use super::call::Call;
use super::glob::Pattern;
use super::job::Stop;
use super::open::open_at;
use super::tree::Place;
use super::volume::Volume;

/// Longest line that is searched. A file with a longer one is left out.
const LINE_BYTES: usize = 64 << 20;

/// Memory of the lines of an answer.
const ANSWER_BYTES: usize = 64 << 20;

/// Memory of an expression that is read, and of what its search keeps.
const EXPRESSION_BYTES: usize = 10 << 20;

impl Volume {
    pub(super) fn grep(&self, query: &GrepQuery, stop: &Stop) -> Result<GrepOutput> {
        let call = Call::new("grep", &query.root);
        let matcher = matcher(query, &Call::about("grep", query.pattern.as_str()))?;
        let patterns = query.globs.iter().map(|glob| {
            let call = Call::about("grep", glob.as_str());
            Pattern::new(glob, &call)
        });
        let patterns: Vec<Pattern> = patterns.collect::<Result<_>>()?;
        let wanted = |path: &Path| {
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.is_match(path))
        };
        let root = self.search_root(&query.root, &call)?;
        let mut search = Search {
            searcher: searcher(query),
            matcher,
            query,
            lines: Vec::new(),
            matches: 0,
            room: ANSWER_BYTES,
            stop,
            truncated: false,
        };
        if let Some(place) = &root.file {
            if wanted(Path::new(place.file_name(&call)?)) {
                let opened = open_at(place, &call)?;
                let shown = root.shown(Path::new(""));
                search
                    .file(&opened.file, &shown)
                    .map_err(|error| call.io(error))?;
            }
        } else {
            let left_out = self.walk(&root, query.ignore, stop, &mut |found| {
                if found.is_link || !wanted(found.relative) {
                    return ControlFlow::Continue(());
                }
                search.entry(found.dir, found.name, &root.shown(found.relative));
                if search.room == 0 || search.truncated && search.matches >= query.limit {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            search.truncated |= left_out.map_err(|errno| call.errno(errno))?;
        }
        Ok(GrepOutput::new(search.lines, search.truncated))
    }
}

fn matcher(query: &GrepQuery, call: &Call) -> Result<RegexMatcher> {
    RegexMatcherBuilder::new()
        .case_insensitive(query.case == Case::Insensitive)
        .fixed_strings(query.kind == PatternKind::Fixed)
        .multi_line(true)
        .crlf(true)
        .size_limit(EXPRESSION_BYTES)
        .dfa_size_limit(EXPRESSION_BYTES)
        .build(&query.pattern)
        .map_err(|error| call.invalid(error.to_string()).with_source(error))
}

fn searcher(query: &GrepQuery) -> Searcher {
    let context = usize::try_from(query.context).unwrap_or(usize::MAX);
    SearcherBuilder::new()
        .line_terminator(LineTerminator::crlf())
        .line_number(true)
        .before_context(context)
        .after_context(context)
        .binary_detection(BinaryDetection::quit(0))
        .heap_limit(Some(LINE_BYTES))
        .build()
}

struct Search<'a> {
    searcher: Searcher,
    matcher: RegexMatcher,
    query: &'a GrepQuery,
    lines: Vec<GrepLine>,
    matches: usize,
    room: usize,
    stop: &'a Stop,
    truncated: bool,
}

/// Ends where nobody waits for the search any more: a file need not have an end.
struct Wanted<'a> {
    file: &'a std::fs::File,
    stop: &'a Stop,
}

impl io::Read for Wanted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_set() {
            return Ok(0);
        }
        self.file.read(buffer)
    }
}

impl Search<'_> {
    /// Searches a file of a tree. One that cannot be read does not end the search.
    fn entry(&mut self, dir: &std::os::fd::OwnedFd, name: &std::ffi::OsStr, shown: &SandboxPath) {
        let call = Call::new("grep", shown);
        let Ok(dir) = dir.try_clone() else {
            self.truncated = true;
            return;
        };
        let place = Place {
            dir,
            name: Some(name.to_owned()),
        };
        let searched = open_at(&place, &call)
            .and_then(|opened| self.file(&opened.file, shown).map_err(|e| call.io(e)));
        if let Err(error) = searched
            && error.kind() != oh_core::ErrorKind::NotFound
        {
            self.truncated = true;
        }
    }

    fn file(&mut self, file: &std::fs::File, shown: &SandboxPath) -> io::Result<()> {
        let mut sink = FileSink {
            shown,
            max_line_bytes: self.query.max_line_bytes,
            matches_left: self.query.limit - self.matches.min(self.query.limit),
            lines: Vec::new(),
            before: Vec::new(),
            matches: 0,
            room: self.room,
            more: false,
            binary: false,
        };
        let file = Wanted {
            file,
            stop: self.stop,
        };
        self.searcher
            .search_reader(&self.matcher, file, &mut sink)?;
        if !sink.binary {
            self.room = sink.room;
            self.matches += sink.matches;
            self.truncated |= sink.more;
            self.lines.append(&mut sink.lines);
        }
        Ok(())
    }
}

struct FileSink<'a> {
    shown: &'a SandboxPath,
    max_line_bytes: usize,
    matches_left: usize,
    lines: Vec<GrepLine>,
    /// Context before a match, kept until the match is taken.
    before: Vec<GrepLine>,
    matches: usize,
    room: usize,
    more: bool,
    binary: bool,
}

impl FileSink<'_> {
    fn line(&mut self, bytes: &[u8], number: Option<u64>, is_match: bool) -> GrepLine {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let cut = bytes.len() > self.max_line_bytes;
        let kept = if cut {
            cut_at_char(bytes, self.max_line_bytes)
        } else {
            bytes
        };
        let text = String::from_utf8_lossy(kept);
        let mut line = GrepLine::new(self.shown.clone(), number.unwrap_or_default(), text);
        line.cut = cut;
        line.is_match = is_match;
        let cost = line.text.len() + self.shown.as_str().len() + size_of::<GrepLine>();
        self.room = self.room.saturating_sub(cost);
        line
    }
}

impl Sink for FileSink<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> io::Result<bool> {
        if self.matches == self.matches_left || self.room == 0 {
            self.more = true;
            return Ok(false);
        }
        self.matches += 1;
        let line = self.line(found.bytes(), found.line_number(), true);
        self.lines.append(&mut self.before);
        self.lines.push(line);
        Ok(true)
    }

    fn context(&mut self, _: &Searcher, context: &SinkContext<'_>) -> io::Result<bool> {
        if self.room == 0 {
            self.more = true;
            return Ok(false);
        }
        let line = self.line(context.bytes(), context.line_number(), false);
        match context.kind() {
            SinkContextKind::Before => self.before.push(line),
            _ => self.lines.push(line),
        }
        Ok(true)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> io::Result<bool> {
        self.binary = true;
        Ok(false)
    }

    fn finish(&mut self, _: &Searcher, finish: &SinkFinish) -> io::Result<()> {
        self.binary |= finish.binary_byte_offset().is_some();
        Ok(())
    }
}

/// The first bytes, without a character that would be cut in two.
fn cut_at_char(bytes: &[u8], max: usize) -> &[u8] {
    let mut end = max;
    // A character has at most three bytes after its first.
    while end > 0 && max - end < 4 && bytes.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    bytes.get(..end).unwrap_or(bytes)
}
