//! Tools as models see them: what there is, what was called, what came of it.

mod arguments;
mod builtin;
mod call;
mod decode;
mod schema;
mod spec;

#[cfg(test)]
mod tests;

pub use builtin::{builtin_spec, builtin_specs};
pub use call::{ToolCall, ToolResult};
pub use decode::ToolDecodeError;
pub use spec::ToolSpec;
