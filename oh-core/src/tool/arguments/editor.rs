//! Changes of files.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{Action, EditAction, EditSource, ReadAction, ReadSource};
use crate::tool::arguments::into_action::{Arguments, Risk, Wrong};

#[derive(Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum EditorCommand {
    View,
    Create,
    StrReplace,
    Insert,
    UndoEdit,
}

/// Views, creates and changes text files. `view` shows a file with line numbers, or a directory;
/// `create` makes a new file; `str_replace` replaces a text that occurs exactly once; `insert`
/// puts text after a line; `undo_edit` takes back the last change.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct StrReplaceEditor {
    /// What to do.
    command: EditorCommand,
    /// Absolute path of the file or directory.
    path: String,
    /// Text of the new file (create).
    file_text: Option<String>,
    /// Text to replace, exactly as it stands in the file, with enough around it to be the only
    /// one (str_replace).
    old_str: Option<String>,
    /// Text in its place, or to put in (str_replace, insert).
    new_str: Option<String>,
    /// Line to insert after; 0 is the top of the file (insert).
    #[schemars(range(min = 0))]
    insert_line: Option<i64>,
    /// First and last line to show, from 1; -1 as the last is the end of the file (view).
    view_range: Option<[i64; 2]>,
    /// How dangerous the change is: LOW, MEDIUM or HIGH.
    security_risk: Option<Risk>,
}

impl Arguments for StrReplaceEditor {
    const TOOL: &'static str = "str_replace_editor";

    fn into_action(self) -> Result<Action, Wrong> {
        let need = |given: bool, argument, advice| {
            if given {
                Ok(())
            } else {
                Err(Wrong { argument, advice })
            }
        };
        let risk = self.security_risk.unwrap_or_default();
        let command = match self.command {
            EditorCommand::View => {
                return Ok(ReadAction::new(self.path)
                    .impl_source(ReadSource::OhAci)
                    .view_range(self.view_range.map(|range| range.to_vec()))
                    .security_risk(risk)
                    .into());
            }
            EditorCommand::Create => {
                let advice = "create needs it: send the whole text of the new file";
                need(self.file_text.is_some(), "file_text", advice)?;
                "create"
            }
            EditorCommand::StrReplace => {
                let advice = "str_replace needs it: send the text to replace";
                need(self.old_str.is_some(), "old_str", advice)?;
                "str_replace"
            }
            EditorCommand::Insert => {
                let advice = "insert needs it: send the line number to insert after";
                need(self.insert_line.is_some(), "insert_line", advice)?;
                let advice = "insert needs it: send the text to put in";
                need(self.new_str.is_some(), "new_str", advice)?;
                "insert"
            }
            EditorCommand::UndoEdit => "undo_edit",
        };
        need(
            self.view_range.is_none(),
            "view_range",
            "only view takes it: leave it out",
        )?;
        Ok(EditAction::new(self.path)
            .command(command)
            .file_text(self.file_text)
            .old_str(self.old_str)
            .new_str(self.new_str)
            .insert_line(self.insert_line)
            .security_risk(risk)
            .into())
    }
}

/// Changes a file by a sketch of the new text; a model fills in what the sketch leaves out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct EditFile {
    /// Absolute path of the file.
    path: String,
    /// The new text of the lines; a comment may stand for lines that stay.
    content: String,
    /// First line to change, from 1.
    start: Option<i64>,
    /// Last line to change; -1 is the end of the file.
    end: Option<i64>,
    /// How dangerous the change is: LOW, MEDIUM or HIGH.
    security_risk: Option<Risk>,
}

impl Arguments for EditFile {
    const TOOL: &'static str = "edit_file";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(EditAction::new(self.path)
            .impl_source(EditSource::LlmBasedEdit)
            .content(self.content)
            .start(self.start.unwrap_or(1))
            .end(self.end.unwrap_or(-1))
            .security_risk(self.security_risk.unwrap_or_default())
            .into())
    }
}
