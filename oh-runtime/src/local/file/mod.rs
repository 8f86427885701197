//! Files of this machine.

mod arrange;
mod call;
mod copy;
mod edit;
mod entry;
mod facts;
mod files;
mod glob;
mod grep;
mod job;
mod listing;
mod open;
mod pack;
mod pipe;
mod read;
mod scope;
mod sparse;
mod staged;
mod stream;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod unpack;
mod version;
mod volume;
mod walk;
mod write;

pub(crate) use copy::{pack_host, unpack_host};
pub use files::LocalFiles;
pub use scope::FileScope;
