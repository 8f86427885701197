//! Files: read, written, edited, found.

use super::dispatcher::Dispatcher;
use super::listing;
use super::tap::OutputTap;
use crate::action::{
    EditAction, EditSource, FileAction, FileOperation, ReadAction, ReadSource, WriteAction,
};
use crate::edit::{Edit, number_piece};
use crate::error::{Error, ErrorKind, Result};
use crate::event::RawJson;
use crate::observation::{
    EditObservation, FileObservation, Observation, ReadObservation, WriteObservation,
};
use crate::runtime::{
    Body, GlobQuery, GrepQuery, LinkMode, ListOptions, ReadOptions, RemoveMode, RenameMode,
    Runtime, SandboxPath, WriteMode, WriteOptions,
};
use crate::secret::Edge;

impl Dispatcher {
    pub(super) async fn read(
        &self,
        runtime: &dyn Runtime,
        action: &ReadAction,
    ) -> Result<Observation> {
        let path = SandboxPath::new(&action.path)?;
        let content = match action.impl_source {
            ReadSource::OhAci => {
                self.view(runtime, &path, action.view_range.as_deref())
                    .await?
            }
            _ => {
                let options = self.lines(action.start, action.end, &path)?;
                text_of(runtime, &path, options).await?.0
            }
        };
        Ok(ReadObservation::new(content, action.path.clone())
            .impl_source(action.impl_source)
            .into())
    }

    /// A numbered listing of a file, or the entries of a directory two levels deep.
    async fn view(
        &self,
        runtime: &dyn Runtime,
        path: &SandboxPath,
        range: Option<&[i64]>,
    ) -> Result<String> {
        let mut options = ReadOptions::text().max_bytes(self.options.read_bytes);
        if let Some(range) = range {
            let (first, last) = view_range(range).ok_or_else(|| {
                bad_range(
                    "view_range",
                    path,
                    "is [first, last], from 1; last −1 is the end",
                )
            })?;
            options = options.lines(first, last);
        }
        match text_of(runtime, path, options).await {
            Ok((text, first)) => {
                let last = first + text.lines().count().max(1) as u64 - 1;
                let numbered = number_piece(&text, first, first..=last);
                Ok(format!("Lines {first} to {last} of {path}:\n{numbered}"))
            }
            Err(error) if error.kind() == ErrorKind::IsADirectory && range.is_none() => {
                let listed = runtime.list(path, ListOptions::default().depth(2)).await?;
                Ok(listing::entries(path, &listed))
            }
            Err(error) => Err(error),
        }
    }

    /// V0's line numbers: from 0, the end not included, −1 for the end of the file.
    fn lines(&self, start: i64, end: i64, path: &SandboxPath) -> Result<ReadOptions> {
        let options = ReadOptions::text().max_bytes(self.options.read_bytes);
        match (u64::try_from(start), end) {
            (Ok(0), -1) => Ok(options),
            (Ok(start), -1) => Ok(options.lines(start + 1, None)),
            (Ok(start), end) => match u64::try_from(end) {
                Ok(end) if end > start => Ok(options.lines(start + 1, Some(end))),
                _ => Err(bad_range(
                    "end",
                    path,
                    "is larger than start, or −1 for the end",
                )),
            },
            (Err(_), _) => Err(bad_range("start", path, "is 0 or more")),
        }
    }

    pub(super) async fn write(
        &self,
        runtime: &dyn Runtime,
        action: &WriteAction,
    ) -> Result<Observation> {
        let path = SandboxPath::new(&action.path)?;
        if (action.start, action.end) == (0, -1) {
            let body = Body::from(action.content.clone());
            runtime.write(&path, body, WriteOptions::default()).await?;
        } else {
            let range = (action.start, action.end);
            self.write_lines(runtime, &path, &action.content, range)
                .await?;
        }
        Ok(WriteObservation::new("", action.path.clone()).into())
    }

    /// Replaces a range of lines, if the file does not change meanwhile.
    async fn write_lines(
        &self,
        runtime: &dyn Runtime,
        path: &SandboxPath,
        content: &str,
        (start, end): (i64, i64),
    ) -> Result<()> {
        let bad = |field, rule| bad_range(field, path, rule);
        let start = usize::try_from(start).map_err(|_| bad("start", "is 0 or more"))?;
        let output = runtime
            .read(path, ReadOptions::text().max_bytes(self.options.read_bytes))
            .await?;
        let lines: Vec<&str> = output
            .text()
            .unwrap_or_default()
            .split_inclusive('\n')
            .collect();
        let end = if end == -1 {
            lines.len()
        } else {
            usize::try_from(end).map_err(|_| bad("end", "is 0 or more, or −1 for the end"))?
        };
        let (before, after) = match (lines.get(..start), lines.get(end.min(lines.len())..)) {
            (Some(before), Some(after)) if start <= end => (before, after),
            _ => return Err(bad("start", "is at most end, and within the file")),
        };
        let mut text = before.concat();
        text.push_str(content);
        if !content.is_empty() && !content.ends_with('\n') && !after.is_empty() {
            text.push('\n');
        }
        text.push_str(&after.concat());
        let mode = output
            .meta
            .version
            .map_or(WriteMode::CreateOrReplace, WriteMode::IfVersion);
        runtime
            .write(path, Body::from(text), WriteOptions::default().mode(mode))
            .await?;
        Ok(())
    }

    pub(super) async fn edit(
        &self,
        runtime: &dyn Runtime,
        action: &EditAction,
    ) -> Result<Observation> {
        let path = SandboxPath::new(&action.path)?;
        if action.impl_source == EditSource::LlmBasedEdit {
            return Err(Error::unsupported("edit")
                .with_object(&action.path)
                .with_detail(
                    "edits by a second model are not offered; use str_replace with the exact text",
                ));
        }
        let needed = |field: &'static str, value: &Option<String>| {
            value.clone().ok_or_else(|| {
                Error::new(ErrorKind::InvalidInput, "edit")
                    .with_object(&action.path)
                    .with_detail(format!("the command {} needs {field}", action.command))
            })
        };
        let edit = match action.command.as_str() {
            "view" => {
                let content = self.view(runtime, &path, None).await?;
                return Ok(ReadObservation::new(content, action.path.clone())
                    .impl_source(ReadSource::OhAci)
                    .into());
            }
            "create" => Edit::create(needed("file_text", &action.file_text)?),
            "str_replace" => Edit::replace(
                needed("old_str", &action.old_str)?,
                action.new_str.clone().unwrap_or_default(),
            ),
            "insert" => {
                let line = action.insert_line.and_then(|line| u64::try_from(line).ok());
                let line = line.ok_or_else(|| {
                    bad_range(
                        "insert_line",
                        &path,
                        "is the line to insert after; 0 is the top",
                    )
                })?;
                Edit::insert(line, needed("new_str", &action.new_str)?)
            }
            "undo_edit" => Edit::Undo,
            other => {
                return Err(Error::new(ErrorKind::InvalidInput, "edit")
                    .with_object(&action.path)
                    .with_detail(format!(
                        "{other:?} is no command; use view, create, str_replace, insert or undo_edit"
                    )));
            }
        };
        let output = runtime.edit(&path, edit).await?;
        let content = match &output.after {
            None => format!("{path} was removed: the edit that made it is undone."),
            Some(_) if output.created => format!("{path} was created."),
            Some(_) => format!("{path} was edited:\n{}", output.snippet),
        };
        Ok(EditObservation::new(content)
            .path(action.path.clone())
            .prev_exist(!output.created)
            .old_content(output.before)
            .new_content(output.after)
            .impl_source(EditSource::OhAci)
            .diff(output.diff)
            .into())
    }

    pub(super) async fn file(
        &self,
        runtime: &dyn Runtime,
        action: &FileAction,
        tap: &mut dyn OutputTap,
    ) -> Result<Observation> {
        let operation = &action.operation;
        let (text, result) = match operation {
            FileOperation::List { path, depth } => {
                let path = SandboxPath::new(path)?;
                let depth = u32::try_from(*depth).unwrap_or(u32::MAX);
                let listed = runtime
                    .list(&path, ListOptions::default().depth(depth))
                    .await?;
                (
                    listing::entries(&path, &listed),
                    RawJson::encode(&listed.entries),
                )
            }
            FileOperation::Stat { path } => {
                let meta = runtime
                    .stat(&SandboxPath::new(path)?, LinkMode::Keep)
                    .await?;
                (listing::entry(&meta), RawJson::encode(&meta))
            }
            FileOperation::Glob { pattern, path } => {
                let query = GlobQuery::new(pattern.clone()).root(SandboxPath::new(path)?);
                let found = runtime.glob(query).await?;
                (listing::paths(&found), RawJson::encode(&found.paths))
            }
            FileOperation::Grep {
                pattern,
                path,
                include,
            } => {
                let mut query = GrepQuery::new(pattern.clone()).root(SandboxPath::new(path)?);
                query.globs.extend(include.clone());
                (
                    listing::lines(&runtime.grep(query).await?, &*tap),
                    RawJson::encode(&()),
                )
            }
            FileOperation::Remove { path, recursive } => {
                let mode = if *recursive {
                    RemoveMode::Tree
                } else {
                    RemoveMode::Single
                };
                runtime.remove(&SandboxPath::new(path)?, mode).await?;
                (format!("{path} was removed."), RawJson::encode(&()))
            }
            FileOperation::Rename { from, to } => {
                let (from, to) = (SandboxPath::new(from)?, SandboxPath::new(to)?);
                runtime.rename(&from, &to, RenameMode::KeepTarget).await?;
                (format!("{from} is now {to}."), RawJson::encode(&()))
            }
            FileOperation::MakeDir { path } => {
                let meta = runtime.make_dir(&SandboxPath::new(path)?).await?;
                (format!("{} is there.", meta.path), RawJson::encode(&()))
            }
        };
        let text = tap.mask(&text, Edge::Whole);
        let text = crate::event::truncate_middle(&text, self.options.content_chars).into_owned();
        let mut observation = FileObservation::new(text, operation.clone());
        observation.result = result.unwrap_or_default();
        Ok(observation.into())
    }
}

/// Text of a file and the number of its first line.
async fn text_of(
    runtime: &dyn Runtime,
    path: &SandboxPath,
    options: ReadOptions,
) -> Result<(String, u64)> {
    match runtime.read(path, options).await?.content {
        crate::runtime::FileContent::Text(content) => Ok((content.text, content.first_line)),
        crate::runtime::FileContent::Bytes(bytes) => {
            Ok((String::from_utf8_lossy(&bytes).into_owned(), 1))
        }
    }
}

fn view_range(range: &[i64]) -> Option<(u64, Option<u64>)> {
    let [first, last] = range else { return None };
    let first = u64::try_from(*first).ok().filter(|first| *first > 0)?;
    match last {
        -1 => Some((first, None)),
        last => Some((
            first,
            Some(u64::try_from(*last).ok().filter(|last| *last >= first)?),
        )),
    }
}

fn bad_range(field: &str, path: &SandboxPath, rule: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "lines")
        .with_object(path.as_str())
        .with_detail(format!("{field} {rule}"))
}
