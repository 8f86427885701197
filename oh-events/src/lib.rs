//! oh-events
