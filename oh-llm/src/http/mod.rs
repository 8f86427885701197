//! What every provider's client needs below its dialect: events out of bytes, retries, timeouts.

mod client;
mod retry;
pub(crate) mod sse;
mod tls;

pub(crate) use client::{Answer, HttpClient, OnRetry, Timeouts};
pub use retry::{RetryNotice, RetryPolicy};
