//! Reading a file.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::meta::FileMeta;
use crate::runtime::output::ByteRange;

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
