//! Checks that every runtime has to pass, as a library.
//!
//! Whoever writes a [`Runtime`](crate::Runtime) runs the same checks as the runtimes of this
//! project. Each check is passed, failed with a reason, or declared unsupported: the
//! [descriptor](crate::Descriptor::capabilities) does not name the capability, and the suite then
//! makes sure that the methods behind it answer [`Unsupported`](crate::ErrorKind::Unsupported).
//!
//! ```
//! # async fn suite<F: Future<Output = oh_runtime::Result<R>> + Send, R: oh_runtime::Runtime + 'static>(
//! #     start: impl Fn() -> F + Send + Sync) {
//! use oh_runtime::conformance::{self, Options};
//! let report = conformance::run(start, &Options::default()).await;
//! assert!(report.is_green(), "{report}");
//! # }
//! ```
//!
//! The sandbox needs a POSIX `sh`, the usual small programs of a Unix system and a file system
//! with named pipes; checks that need more (`bash`, `setsid`) are left out where it is missing.
//! Each check works in a directory and in sessions of its own, so the suite can run on a runtime
//! that is in use, and checks can run side by side. Nothing is measured: a check that hangs is
//! ended by [`Options::guard`] and has failed. Only a runtime that blocks its thread inside of a
//! future cannot be ended: [`Options::on_check`] then shows which check was the last one.

mod byte_stream;
mod check;
mod checks;
mod concurrent;
mod expect;
mod follower;
mod gate;
mod needs;
mod options;
mod report;
mod suite;
mod tar_writer;
mod tree;
mod trial;

pub use check::{Check, Family};
pub use checks::checks;
pub use expect::Failure;
pub use needs::Lack;
pub use options::Options;
pub use report::{CheckReport, Report, Verdict};
pub use suite::{run, run_on};
