//! What terminals write, as plain text; and untrusted bytes, safe to write to a terminal.

mod escape;
mod flattener;
mod line;
#[cfg(test)]
mod tests;
mod window;

pub use escape::{TerminalEscaper, escape_for_terminal};
pub use flattener::TerminalText;
