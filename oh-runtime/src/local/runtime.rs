//! The runtime itself.

/// Runs commands and files of this machine.
#[derive(Debug)]
pub struct LocalRuntime {}
