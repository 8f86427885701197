//! Edits of text files, as pure functions from text to text.
//!
//! A runtime reads the file, applies the [`Edit`], writes the result and answers with an
//! [`EditOutput`]; nothing here opens a file.

mod apply;
mod diff;
mod edited;
mod error;
mod hint;
mod line_ending;
mod numbered;
mod output;
#[cfg(test)]
mod tests;
mod undo_history;

pub use apply::Edit;
pub use diff::unified_diff;
pub use edited::Edited;
pub use error::EditError;
pub use hint::NearMiss;
pub(crate) use numbered::number_piece;
pub use numbered::{line_count, number_lines};
pub use output::EditOutput;
pub use undo_history::UndoHistory;
