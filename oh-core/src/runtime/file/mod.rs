//! Reading, writing and finding files.

mod manage;
mod meta;
mod read;
mod search;
mod stream;
mod write;

pub use manage::{CopyFormat, CopyOptions, CopySummary, RemoveMode, RenameMode};
pub use meta::{FileKind, FileMeta, FileVersion, LinkMode};
pub use read::{FileContent, LineEnding, LineRange, ReadAs, ReadOptions, ReadOutput, TextContent};
pub use search::{
    Case, GlobOutput, GlobQuery, GrepLine, GrepOutput, GrepQuery, IgnoreRules, ListOptions,
    Listing, PatternKind,
};
pub use stream::ByteStream;
pub use write::{Body, Parents, WriteMode, WriteOptions};
