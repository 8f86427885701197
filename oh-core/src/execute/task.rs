//! The task list of an agent: kept, echoed, and shown again.

use super::dispatcher::Dispatcher;
use crate::action::{TaskItem, TaskTrackingAction};
use crate::error::{Error, ErrorKind};
use crate::observation::{FailureObservation, Observation, TaskTrackingObservation};

impl Dispatcher {
    /// `plan` replaces the list, `view` shows it.
    pub(super) fn track(&self, action: &TaskTrackingAction) -> Observation {
        match action.command.as_str() {
            "plan" => {
                let list = action.task_list.clone();
                let text = format!("The task list now has {} items.", list.len());
                self.with_tasks(|tasks| tasks.clone_from(&list));
                TaskTrackingObservation::new(text)
                    .command("plan")
                    .task_list(list)
                    .into()
            }
            "view" => {
                let list = self.with_tasks(|tasks| tasks.clone());
                TaskTrackingObservation::new(render(&list))
                    .command("view")
                    .task_list(list)
                    .into()
            }
            other => {
                let error = Error::new(ErrorKind::InvalidInput, "task_tracking")
                    .with_object(other)
                    .with_detail("the command is \"view\" or \"plan\"");
                FailureObservation::from(&error).into()
            }
        }
    }
}

fn render(list: &[TaskItem]) -> String {
    if list.is_empty() {
        return "There is no task list yet; use the command \"plan\" to make one.".to_owned();
    }
    let mut text = String::from("# Task list\n");
    for (number, task) in list.iter().enumerate() {
        text.push_str(&format!(
            "\n{}. [{}] {}",
            number + 1,
            task.status,
            task.title
        ));
        if !task.notes.is_empty() {
            text.push_str(&format!("\n   {}", task.notes));
        }
    }
    text
}
