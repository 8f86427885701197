//! What users rely on.

mod arrange;
mod edit;
mod fixture;
mod list;
mod paths;
mod read;
mod search;
mod text;
mod write;
