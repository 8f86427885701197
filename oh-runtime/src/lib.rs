//! oh-runtime
