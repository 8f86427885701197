//! What users rely on.

mod arrange;
mod bombs;
mod copy;
mod edit;
mod fixture;
mod hostile;
mod list;
mod paths;
mod read;
mod search;
mod text;
mod write;
