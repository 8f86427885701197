//! How a local runtime is set up.

use super::runtime::LocalRuntime;
use oh_core::Result;

/// Sets up a [`LocalRuntime`].
#[derive(Debug, Default)]
pub struct LocalRuntimeBuilder {}

impl LocalRuntimeBuilder {
    /// Starts the runtime.
    ///
    /// # Errors
    /// See [`LocalRuntime`].
    pub async fn start(self) -> Result<LocalRuntime> {
        Ok(LocalRuntime {})
    }
}
