//! How providers spell requests and answers. Nothing here is public, and nothing here sends.

pub(crate) mod chat;
