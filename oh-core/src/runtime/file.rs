//! Reading, writing and finding files.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;
use serde::{Deserialize, Serialize};

use super::output::ByteRange;
use super::path::SandboxPath;
use crate::error::Result;
use crate::time::Timestamp;

/// A stream of bytes in pieces of any size. An error ends it.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// What a directory entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, socket or named pipe.
    Other,
}

/// Opaque mark of the content of a file, for conditional writes.
///
/// Equal marks mean an unchanged file among the callers of one runtime; against other programs it
/// is best effort.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileVersion(String);

impl FileVersion {
    /// Wraps a mark that a runtime made.
    pub fn new(mark: impl Into<String>) -> Self {
        Self(mark.into())
    }

    /// The mark.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileMeta {
    /// The path, absolute as commands see it.
    pub path: SandboxPath,
    /// What it is. Links are followed, except by `list` and by [`LinkMode::Keep`].
    pub kind: FileKind,
    /// Size in bytes; 0 for what has none.
    pub size_bytes: u64,
    /// Permission bits (`0o7777`), where there are any.
    pub mode: Option<u32>,
    /// Owner, where there is one.
    pub uid: Option<u32>,
    /// Group, where there is one.
    pub gid: Option<u32>,
    /// Last change of the content.
    pub modified: Option<Timestamp>,
    /// Mark of the content, for a regular file.
    pub version: Option<FileVersion>,
    /// Where a link points, as it is written there.
    pub link_target: Option<String>,
    /// The last component as bytes, if it is no UTF-8; `path` then has U+FFFD in it and cannot be
    /// used to open the file.
    pub raw_name: Option<Vec<u8>>,
}

impl FileMeta {
    /// The least that can be known.
    pub fn new(path: SandboxPath, kind: FileKind, size_bytes: u64) -> Self {
        Self {
            path,
            kind,
            size_bytes,
            mode: None,
            uid: None,
            gid: None,
            modified: None,
            version: None,
            link_target: None,
            raw_name: None,
        }
    }
}

/// Whether the last component of a path is followed if it is a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkMode {
    /// Looks at what the link points to.
    #[default]
    Follow,
    /// Looks at the link itself.
    Keep,
}

/// A range of lines, counted from 1, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineRange {
    /// First line.
    pub first: u64,
    /// Last line; to the end if `None`.
    pub last: Option<u64>,
}

/// In which form `read` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReadAs {
    /// Bytes as they are.
    #[default]
    Bytes,
    /// Text. The encoding is found by byte-order mark and content; a binary file is refused.
    Text,
    /// Text in this encoding (a label of the WHATWG Encoding Standard, such as `windows-1252`).
    Encoded(String),
}

/// What to read of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReadOptions {
    /// Form of the answer.
    pub form: ReadAs,
    /// Bytes of the file to take; all if `None`. Only with [`ReadAs::Bytes`].
    pub range: Option<ByteRange>,
    /// Lines to take; all if `None`. Only with text.
    pub lines: Option<LineRange>,
    /// Largest answer. A larger one is refused with
    /// [`TooLarge`](crate::ErrorKind::TooLarge), which names the size. Default 16 MiB.
    pub max_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            form: ReadAs::Bytes,
            range: None,
            lines: None,
            max_bytes: 16 << 20,
        }
    }
}

impl ReadOptions {
    /// Reads text.
    pub fn text() -> Self {
        Self {
            form: ReadAs::Text,
            ..Self::default()
        }
    }

    /// Sets the form.
    #[must_use]
    pub fn form(mut self, form: ReadAs) -> Self {
        self.form = form;
        self
    }

    /// Takes a range of bytes.
    #[must_use]
    pub fn range(mut self, range: impl Into<ByteRange>) -> Self {
        self.range = Some(range.into());
        self
    }

    /// Takes a range of lines, counted from 1, both ends included.
    #[must_use]
    pub fn lines(mut self, first: u64, last: Option<u64>) -> Self {
        self.lines = Some(LineRange { first, last });
        self
    }

    /// Sets the largest answer.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }
}

/// How the lines of a text end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LineEnding {
    /// `\n`, or there is only one line.
    Lf,
    /// `\r\n` everywhere.
    CrLf,
    /// Both.
    Mixed,
}

/// Text of a file and how the file writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TextContent {
    /// The text, line ends as in the file, without a byte-order mark.
    pub text: String,
    /// Name of the encoding in the WHATWG Encoding Standard, such as `UTF-8`.
    pub encoding: String,
    /// Whether the file starts with a byte-order mark.
    pub byte_order_mark: bool,
    /// How its lines end.
    pub line_ending: LineEnding,
    /// Number of the first line in `text`, from 1.
    pub first_line: u64,
    /// Lines of the whole file.
    pub total_lines: u64,
}

impl TextContent {
    /// UTF-8 text of a whole file.
    pub fn utf8(text: impl Into<String>) -> Self {
        let text = text.into();
        let total_lines = text.lines().count() as u64;
        let ends = text.matches('\n').count();
        let line_ending = match text.matches("\r\n").count() {
            0 => LineEnding::Lf,
            n if n == ends => LineEnding::CrLf,
            _ => LineEnding::Mixed,
        };
        Self {
            text,
            encoding: "UTF-8".to_owned(),
            byte_order_mark: false,
            line_ending,
            first_line: 1,
            total_lines,
        }
    }
}

/// Content of a file in the form that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileContent {
    /// Bytes as they are.
    Bytes(Bytes),
    /// Decoded text.
    Text(TextContent),
}

/// What `read` found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadOutput {
    /// The file, as it was when the bytes were read.
    pub meta: FileMeta,
    /// What it holds.
    pub content: FileContent,
}

impl ReadOutput {
    /// Joins both parts.
    pub fn new(meta: FileMeta, content: FileContent) -> Self {
        Self { meta, content }
    }

    /// The bytes, if bytes were asked for.
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.content {
            FileContent::Bytes(bytes) => Some(bytes),
            FileContent::Text(_) => None,
        }
    }

    /// The text, if text was asked for.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            FileContent::Text(content) => Some(&content.text),
            FileContent::Bytes(_) => None,
        }
    }
}

/// What `write` puts into a file.
#[non_exhaustive]
pub enum Body {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes as they arrive. The target changes only after the last of them.
    Stream(ByteStream),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Body::Bytes({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Body::Stream"),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Bytes(text.into())
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::Bytes(Bytes::from_static(text.as_bytes()))
    }
}

impl From<ByteStream> for Body {
    fn from(stream: ByteStream) -> Self {
        Self::Stream(stream)
    }
}

/// When `write` may write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WriteMode {
    /// Creates the file or replaces its content.
    #[default]
    CreateOrReplace,
    /// Only if there is nothing.
    CreateNew,
    /// Only if the file has this version.
    IfVersion(FileVersion),
}

/// Whether missing parent directories are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parents {
    /// Makes them.
    #[default]
    Create,
    /// Fails with [`NotFound`](crate::ErrorKind::NotFound).
    Require,
}

/// How `write` writes. The write is atomic: readers see the old content or the new.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WriteOptions {
    /// When to write.
    pub mode: WriteMode,
    /// Permission bits; an existing file keeps its own, a new one gets `0o644`, if `None`.
    pub permissions: Option<u32>,
    /// Missing parent directories.
    pub parents: Parents,
}

impl WriteOptions {
    /// Sets when to write.
    #[must_use]
    pub fn mode(mut self, mode: WriteMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the permission bits.
    #[must_use]
    pub fn permissions(mut self, bits: u32) -> Self {
        self.permissions = Some(bits);
        self
    }

    /// Sets what happens to missing parents.
    #[must_use]
    pub fn parents(mut self, parents: Parents) -> Self {
        self.parents = parents;
        self
    }
}

/// How `list` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListOptions {
    /// Levels below the directory; 1 is its own entries.
    pub depth: u32,
    /// Largest number of entries. Default 10,000.
    pub limit: usize,
}

impl Default for ListOptions {
    fn default() -> Self {
        Self {
            depth: 1,
            limit: 10_000,
        }
    }
}

impl ListOptions {
    /// Sets the levels to descend.
    #[must_use]
    pub fn depth(mut self, levels: u32) -> Self {
        self.depth = levels;
        self
    }

    /// Sets the largest number of entries.
    #[must_use]
    pub fn limit(mut self, entries: usize) -> Self {
        self.limit = entries;
        self
    }
}

/// Entries of a directory, sorted by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// The entries; links are listed as links.
    pub entries: Vec<FileMeta>,
    /// Whether the limit left some out.
    pub truncated: bool,
}

impl Listing {
    /// Joins both parts.
    pub fn new(entries: Vec<FileMeta>, truncated: bool) -> Self {
        Self { entries, truncated }
    }
}

/// Whether ignore files and hidden entries shape a search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IgnoreRules {
    /// Skips what `.gitignore` and `.ignore` name, and hidden entries.
    #[default]
    Respect,
    /// Looks at everything.
    Off,
}

/// A search for file names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GlobQuery {
    /// Pattern: `*`, `?`, `[a-z]`, `{a,b}` and `**` for any number of directories. A pattern
    /// without a slash matches file names at any depth.
    pub pattern: String,
    /// Where to search; the workspace by default.
    pub root: SandboxPath,
    /// Ignore files and hidden entries.
    pub ignore: IgnoreRules,
    /// Largest number of results. Default 1,000.
    pub limit: usize,
}

impl GlobQuery {
    /// Searches the workspace.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self {
            pattern: pattern.into(),
            root: SandboxPath::workspace(),
            ignore: IgnoreRules::default(),
            limit: 1000,
        }
    }

    /// Sets where to search.
    #[must_use]
    pub fn root(mut self, root: SandboxPath) -> Self {
        self.root = root;
        self
    }

    /// Sets how ignore files count.
    #[must_use]
    pub fn ignore(mut self, rules: IgnoreRules) -> Self {
        self.ignore = rules;
        self
    }

    /// Sets the largest number of results.
    #[must_use]
    pub fn limit(mut self, results: usize) -> Self {
        self.limit = results;
        self
    }
}

/// Paths that match a [`GlobQuery`], newest change first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GlobOutput {
    /// Absolute paths of files.
    pub paths: Vec<SandboxPath>,
    /// Whether the limit left some out.
    pub truncated: bool,
}

impl GlobOutput {
    /// Joins both parts.
    pub fn new(paths: Vec<SandboxPath>, truncated: bool) -> Self {
        Self { paths, truncated }
    }
}

/// How the pattern of a [`GrepQuery`] is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatternKind {
    /// A regular expression in the syntax of the `regex` crate.
    #[default]
    Regex,
    /// A plain text.
    Fixed,
}

/// How letters compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// Exactly.
    #[default]
    Sensitive,
    /// Upper and lower case are the same.
    Insensitive,
}

/// A search in the content of files. Binary files are skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GrepQuery {
    /// What to find.
    pub pattern: String,
    /// How `pattern` is read.
    pub kind: PatternKind,
    /// How letters compare.
    pub case: Case,
    /// File or directory to search; the workspace by default.
    pub root: SandboxPath,
    /// Only files whose name matches one of these globs; all if empty.
    pub globs: Vec<String>,
    /// Ignore files and hidden entries.
    pub ignore: IgnoreRules,
    /// Lines around each match.
    pub context: u32,
    /// Largest number of matches. Default 1,000.
    pub limit: usize,
    /// Longest line in an answer; the rest is cut. Default 2,000.
    pub max_line_bytes: usize,
}

impl GrepQuery {
    /// Searches the workspace for a regular expression.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self {
            pattern: pattern.into(),
            kind: PatternKind::default(),
            case: Case::default(),
            root: SandboxPath::workspace(),
            globs: Vec::new(),
            ignore: IgnoreRules::default(),
            context: 0,
            limit: 1000,
            max_line_bytes: 2000,
        }
    }

    /// Sets how the pattern is read.
    #[must_use]
    pub fn kind(mut self, kind: PatternKind) -> Self {
        self.kind = kind;
        self
    }

    /// Sets how letters compare.
    #[must_use]
    pub fn case(mut self, case: Case) -> Self {
        self.case = case;
        self
    }

    /// Sets where to search.
    #[must_use]
    pub fn root(mut self, root: SandboxPath) -> Self {
        self.root = root;
        self
    }

    /// Adds a glob that file names must match.
    #[must_use]
    pub fn glob(mut self, glob: impl Into<String>) -> Self {
        self.globs.push(glob.into());
        self
    }

    /// Sets how ignore files count.
    #[must_use]
    pub fn ignore(mut self, rules: IgnoreRules) -> Self {
        self.ignore = rules;
        self
    }

    /// Sets the lines around each match.
    #[must_use]
    pub fn context(mut self, lines: u32) -> Self {
        self.context = lines;
        self
    }

    /// Sets the largest number of matches.
    #[must_use]
    pub fn limit(mut self, matches: usize) -> Self {
        self.limit = matches;
        self
    }

    /// Sets the longest line in an answer.
    #[must_use]
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.max_line_bytes = bytes;
        self
    }
}

/// A line that matches, or one around it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrepLine {
    /// The file.
    pub path: SandboxPath,
    /// Number of the line, from 1.
    pub line: u64,
    /// The line without its end; what is no UTF-8 became U+FFFD.
    pub text: String,
    /// Whether `text` was cut at [`GrepQuery::max_line_bytes`].
    pub cut: bool,
    /// Whether the line matches (else it is context).
    pub is_match: bool,
}

impl GrepLine {
    /// A whole matching line.
    pub fn new(path: SandboxPath, line: u64, text: impl Into<String>) -> Self {
        Self {
            path,
            line,
            text: text.into(),
            cut: false,
            is_match: true,
        }
    }
}

/// Lines that match a [`GrepQuery`], sorted by path and line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrepOutput {
    /// Matches and context.
    pub lines: Vec<GrepLine>,
    /// Whether the limit left matches out.
    pub truncated: bool,
}

impl GrepOutput {
    /// Joins both parts.
    pub fn new(lines: Vec<GrepLine>, truncated: bool) -> Self {
        Self { lines, truncated }
    }
}

/// Whether `remove` takes whole trees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoveMode {
    /// A file, a link or an empty directory.
    #[default]
    Single,
    /// A directory with all that is in it; links in it are removed, not followed.
    Tree,
}

/// What `rename` does when the target exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RenameMode {
    /// Replaces it as `rename(2)` does.
    #[default]
    Replace,
    /// Fails with [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    KeepTarget,
}

/// Form of the bytes of a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CopyFormat {
    /// A POSIX tar archive of a tree: modes, links, empty directories, times. The entries are
    /// relative to the directory that is copied.
    #[default]
    Tar,
    /// The bytes of one file.
    File,
}

/// How a copy in or out works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CopyOptions {
    /// Form of the bytes.
    pub format: CopyFormat,
    /// Largest number of entries. Default 1,000,000.
    pub max_entries: u64,
    /// Largest sum of file sizes. Default 64 GiB.
    pub max_bytes: u64,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            format: CopyFormat::Tar,
            max_entries: 1_000_000,
            max_bytes: 64 << 30,
        }
    }
}

impl CopyOptions {
    /// Copies one file as plain bytes.
    pub fn file() -> Self {
        Self {
            format: CopyFormat::File,
            ..Self::default()
        }
    }

    /// Sets the largest number of entries.
    #[must_use]
    pub fn max_entries(mut self, entries: u64) -> Self {
        self.max_entries = entries;
        self
    }

    /// Sets the largest sum of file sizes.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }
}

/// What a copy in did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CopySummary {
    /// Regular files written, hard links included.
    pub files: u64,
    /// Directories made or kept.
    pub directories: u64,
    /// Symbolic links made.
    pub symlinks: u64,
    /// Sum of file sizes.
    pub bytes: u64,
}
