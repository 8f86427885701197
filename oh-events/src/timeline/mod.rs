//! A log as people read it: what happened, when, what it answers, and how long that took.

mod entry;
mod line;
#[cfg(test)]
mod tests;
mod words;

pub use entry::{Entry, Outcome, Timeline};
