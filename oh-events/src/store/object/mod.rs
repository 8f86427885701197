//! Logs as objects of an object storage: S3 and what speaks its protocol, or a directory.
//!
//! ```text
//! index/<session>                      names the incarnation of a session; a session is there if this is
//! data/<session>/<incarnation>/
//!   log/<first>.log                    the lines of one append, named after its first event
//!   log/<first>-<end>.log              the same events of many appends in one object
//!   fence/<first>                      a name that stays taken for good, see below
//!   writer/<epoch>.json                the writer of an epoch, and whether it released the log
//!   blob/<id>/<offset>                 a part of a blob
//!   snapshot                           the snapshot that was kept last
//! ```
//!
//! Numbers in names have twenty digits. An object of events begins with a line that names its
//! range and where some of the events begin; all lines have the form of the segment log. Objects
//! of events are never changed, only created, copied and deleted.
//!
//! # One history
//!
//! The storage has no lock, so a log is not held together by one: its history is the chain of
//! names. An append of the event *n* creates `log/<n>.log`, and creation fails if that name is
//! taken. Of two writers one gets the name, the other a `Conflict`, and has to open the log again.
//! The *lease* (the object of an epoch, renewed while its writer lives) only keeps writers from
//! getting into each other's way; if it is judged wrongly, nothing worse than that `Conflict`
//! happens. Its age is taken from the clock of the storage, never from those of the hosts.
//!
//! An unclear answer (a timeout, a lost connection) is settled by creating the same object again:
//! the bytes of every append are unique, so an object that is there either is that append or it is
//! not. An append that cannot be settled fails as `OutcomeUnknown`, and the log takes no more.
//!
//! # Merging
//!
//! Many small objects are merged into one, and only then deleted; a reader that misses one looks
//! again and finds the larger one, and of objects that overlap it takes the one that reaches
//! farther. A run that was interrupted leaves small objects beside the merged one; they are not
//! read any more, and the next writer deletes them.
//!
//! Deleting frees a name, and that must not let a writer of the past create it once more. The only
//! name that a writer can try without having written the object before it, is the one that it
//! found free when it opened the log. So it puts a *fence* on that name and looks again whether it
//! is still free; a name with a fence is never deleted. A name is fenced before it is written
//! first, then, and whoever writes a name without a fence wrote the object before it too, of which
//! there is one writer only.
//!
//! All this rests on a storage that creates if absent, and that lists and reads what was written
//! at once. S3, its larger siblings and file systems do.

mod append;
mod blob;
mod body;
mod client;
mod failure;
mod fork;
mod index;
mod layout;
mod lease;
mod log;
mod merge;
mod names;
mod nonce;
mod page;
mod reader;
mod remove;
#[cfg(feature = "s3")]
mod s3;
mod settle;
mod shared;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;

pub use ::object_store::ObjectStore;
#[cfg(feature = "s3")]
pub use ::object_store::aws::AmazonS3Builder;
pub use store::ObjectEventStore;
