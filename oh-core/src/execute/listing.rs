//! Results of file operations as text for a model.

use super::tap::OutputTap;
use crate::runtime::{FileKind, FileMeta, GlobOutput, GrepOutput, Listing, SandboxPath};
use crate::secret::Edge;

const TRUNCATED: &str = "\n[more entries were left out; narrow the request]";

pub(super) fn entry(meta: &FileMeta) -> String {
    let mark = match meta.kind {
        FileKind::Directory => "/",
        FileKind::Symlink => "@",
        _ => "",
    };
    let target = meta
        .link_target
        .as_ref()
        .map_or_else(String::new, |to| format!(" -> {to}"));
    let size = match meta.kind {
        FileKind::File => format!("  ({} bytes)", meta.size_bytes),
        _ => String::new(),
    };
    format!("{}{mark}{target}{size}", meta.path)
}

pub(super) fn entries(path: &SandboxPath, listed: &Listing) -> String {
    let mut text = format!("Entries of {path}:");
    for meta in &listed.entries {
        text.push('\n');
        text.push_str(&entry(meta));
    }
    if listed.entries.is_empty() {
        text.push_str(" none");
    }
    if listed.truncated {
        text.push_str(TRUNCATED);
    }
    text
}

pub(super) fn paths(found: &GlobOutput) -> String {
    if found.paths.is_empty() {
        return "No file matches.".to_owned();
    }
    let mut text = found
        .paths
        .iter()
        .map(SandboxPath::as_str)
        .collect::<Vec<_>>()
        .join("\n");
    if found.truncated {
        text.push_str(TRUNCATED);
    }
    text
}

pub(super) fn lines(found: &GrepOutput, tap: &dyn OutputTap) -> String {
    if found.lines.is_empty() {
        return "No line matches.".to_owned();
    }
    let mut text = String::new();
    for line in &found.lines {
        let mark = if line.is_match { ':' } else { '-' };
        let (end, cut) = if line.cut {
            (Edge::Cut, " …")
        } else {
            (Edge::Whole, "")
        };
        let shown = tap.mask(&line.text, end);
        text.push_str(&format!(
            "{}{mark}{}{mark}{shown}{cut}\n",
            line.path, line.line
        ));
    }
    if found.truncated {
        text.push_str(TRUNCATED.trim_start());
    }
    text.truncate(text.trim_end().len());
    text
}
