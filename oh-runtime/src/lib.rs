#![doc = include_str!("../README.md")]

#[cfg(feature = "local")]
pub mod local;

#[cfg(feature = "local")]
pub use local::{FileScope, LocalFiles, LocalRuntime, LocalRuntimeBuilder};

pub use oh_core::*;
