//! What a runtime does.

/// State of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RuntimeStatus {
    /// Not started, or closed.
    Stopped,
    /// Ready for work.
    Ready,
}
