//! Files of this machine.

mod arrange;
#[allow(dead_code)]
mod call;
mod edit;
mod facts;
mod files;
mod glob;
mod grep;
mod job;
mod listing;
mod open;
#[allow(dead_code)]
mod pipe;
mod read;
mod scope;
#[allow(dead_code)]
mod staged;
mod stream;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod version;
mod volume;
mod walk;
mod write;

pub use files::LocalFiles;
pub use scope::FileScope;
