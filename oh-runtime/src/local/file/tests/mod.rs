//! What users rely on.

mod arrange;
mod edit;
mod fixture;
mod list;
mod paths;
mod read;
mod text;
mod write;
