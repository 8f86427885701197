//! The built-in tools by name.

use std::sync::LazyLock;

use serde_json::Value;

use crate::action::Action;
use crate::tool::ToolSpec;
use crate::tool::arguments::{
    Arguments, Browser, DelegateToBrowsingAgent, EditFile, ExecuteBash, ExecuteIpythonCell, Finish,
    Glob, Grep, ListFiles, ReadFile, RequestCondensation, StrReplaceEditor, TaskTracker, Think,
    WriteFile, Wrong,
};
use crate::tool::schema;

/// A built-in tool: its spec, and how its arguments become an action.
pub(super) struct Builtin {
    pub(super) spec: ToolSpec,
    pub(super) decode: fn(Value) -> Result<Result<Action, Wrong>, serde_json::Error>,
}

impl Builtin {
    fn of<T: Arguments>() -> Self {
        let (description, parameters) = schema::of::<T>();
        Self {
            spec: ToolSpec::new(T::TOOL, description, parameters),
            decode: |arguments| serde_json::from_value::<T>(arguments).map(T::into_action),
        }
    }
}

pub(super) static BUILTINS: LazyLock<Vec<Builtin>> = LazyLock::new(|| {
    vec![
        Builtin::of::<ExecuteBash>(),
        Builtin::of::<ExecuteIpythonCell>(),
        Builtin::of::<StrReplaceEditor>(),
        Builtin::of::<EditFile>(),
        Builtin::of::<Browser>(),
        Builtin::of::<Think>(),
        Builtin::of::<Finish>(),
        Builtin::of::<DelegateToBrowsingAgent>(),
        Builtin::of::<RequestCondensation>(),
        Builtin::of::<TaskTracker>(),
        Builtin::of::<ReadFile>(),
        Builtin::of::<WriteFile>(),
        Builtin::of::<ListFiles>(),
        Builtin::of::<Glob>(),
        Builtin::of::<Grep>(),
    ]
});

/// Specs of all built-in tools. A host offers those that its runtime can carry out.
pub fn builtin_specs() -> impl Iterator<Item = &'static ToolSpec> {
    BUILTINS.iter().map(|builtin| &builtin.spec)
}

/// Spec of one built-in tool.
///
/// ```
/// let spec = oh_core::tool::builtin_spec("execute_bash").unwrap();
/// assert_eq!(spec.parameters["required"][0], "command");
/// ```
pub fn builtin_spec(name: &str) -> Option<&'static ToolSpec> {
    builtin_specs().find(|spec| spec.name == name)
}
