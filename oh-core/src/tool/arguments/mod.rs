//! Arguments of the built-in tools. The docs of a struct and its fields are what models read.

mod command;
mod control;
mod editor;
mod file;
mod into_action;

pub(super) use command::{Browser, ExecuteBash, ExecuteIpythonCell};
pub(super) use control::{
    DelegateToBrowsingAgent, Finish, RequestCondensation, TaskTracker, Think,
};
pub(super) use editor::{EditFile, StrReplaceEditor};
pub(super) use file::{Glob, Grep, ListFiles, ReadFile, WriteFile};
pub(super) use into_action::{Arguments, Wrong};
