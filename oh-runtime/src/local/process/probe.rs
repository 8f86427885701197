//! Whether a process waits for someone to type.

use std::fmt;

use oh_core::WaitsForInput;

/// Tells, when asked, whether a process waits for input.
pub(crate) trait InputProbe: fmt::Debug + Send + Sync {
    /// Looks at the process now. Reads a few files of `/proc`.
    fn waits_for_input(&self) -> WaitsForInput;
}

/// For what has no process of its own, or none that could be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoProbe;

impl InputProbe for NoProbe {
    fn waits_for_input(&self) -> WaitsForInput {
        WaitsForInput::Unknown
    }
}
