//! Logs as objects of an object storage: S3 and what speaks its protocol, or a directory.
//!
//! ```text
//! index/<session>                      names the incarnation of a session; a session is there if this is
//! data/<session>/<incarnation>/
//!   log/<first>.<turn>.log             the lines of one append, or the end of a turn
//!   log/<first>-<end>.log              the events of many appends in one object
//!   fence/<first>.<turn>               a name of a log object that stays taken for good
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
//! The storage has no lock, so a log is not held together by one: its history is a chain of
//! names. The writer whose *turn* it is (turns are named after epochs) appends the event *n* by
//! creating `log/<n>.<turn>.log`, and creation fails if that name is taken. A writer that opens the
//! log creates the very same name, with no events in it but its own epoch: the turn of the former
//! writer has ended there, and the event *n* will be in `log/<n>.<epoch>.log`. Of the two one gets
//! the name. If it is the append, the newcomer looks for the end again; if it is the newcomer, the
//! append fails as a `Conflict`, and so does every later one of that writer.
//!
//! Turns only rise: whoever finds the turn of a later epoch gives up. So the objects that share a
//! first event are in the order of their turns, and the last of them counts.
//!
//! The *lease* (the object of an epoch, renewed while its writer lives) only keeps writers from
//! getting into each other's way; if it is judged wrongly, a turn ends sooner than it had to. Its
//! age is taken from the clock of the storage, never from those of the hosts.
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
//! Deleting frees names, and a writer of the past must not be able to create one of them. The only
//! name that it can try is the one that its turn ended with, so that name is never deleted: whoever
//! ends a turn first puts a *fence* on the name. And whoever opens a log slowly, so that the name
//! was written, merged and freed before it ended the turn there, sees by looking once more that the
//! log ends elsewhere, and begins anew.
//!
//! A listing need not be of one moment: it can miss objects that are merged meanwhile. What it
//! misses is looked for once more before it is reported as damage, and a turn begins only where two
//! listings agree.
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
mod turn;

pub use ::object_store::ObjectStore;
#[cfg(feature = "s3")]
pub use ::object_store::aws::AmazonS3Builder;
pub use store::ObjectEventStore;
