//! What a command runs with: variables, working directory, words.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oh_core::runtime::quote;
use oh_core::{Command, Error, ErrorKind, Limits, Result, SandboxPath, Target};
use rustix::fs::{Access, AtFlags, CWD};
use rustix::process::Resource;

use super::owner::MARK_VARIABLE;

/// The variables of every command: those of the host that are passed, those that were configured
/// and those that were set since.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    pub(crate) fn new(variables: BTreeMap<String, String>) -> Self {
        Self(variables)
    }

    /// Sets and unsets variables, all or none.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a name that is not
    /// `[A-Za-z_][A-Za-z0-9_]*` or a value with a NUL byte.
    pub(crate) fn change(&mut self, changes: BTreeMap<String, Option<String>>) -> Result<()> {
        for (name, value) in &changes {
            let mut bytes = name.bytes();
            let fits = bytes
                .next()
                .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
                && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !fits {
                return Err(Error::invalid(
                    "set_env",
                    "a name is letters, digits and underscores and does not start with a digit",
                )
                .with_object(name.as_str()));
            }
            if name == MARK_VARIABLE {
                return Err(Error::invalid(
                    "set_env",
                    "the variable tells whose process it is, and is set by the runtime",
                )
                .with_object(name.as_str()));
            }
            if value.as_ref().is_some_and(|value| value.contains('\0')) {
                return Err(Error::invalid("set_env", "a value cannot hold a NUL byte")
                    .with_object(name.as_str()));
            }
        }
        for (name, value) in changes {
            match value {
                Some(value) => self.0.insert(name, value),
                None => self.0.remove(&name),
            };
        }
        Ok(())
    }

    /// The variables as they are now.
    pub(crate) fn variables(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// Refuses a command that makes no sense, before anything happens.
///
/// # Errors
/// [`InvalidInput`](ErrorKind::InvalidInput) that names what is wrong.
pub(crate) fn check(command: &Command) -> Result<()> {
    let invalid = |detail: &'static str| Err(Error::invalid("spawn", detail));
    match &command.target {
        Target::Program { program, args } => {
            if program.is_empty() {
                return invalid("the name of the program is empty");
            }
            if program.contains('\0') || args.iter().any(|arg| arg.contains('\0')) {
                return invalid("program and arguments cannot hold a NUL byte");
            }
        }
        Target::Shell(script) => {
            if script.contains('\0') {
                return invalid("a shell text cannot hold a NUL byte");
            }
        }
        _ => return Err(Error::unsupported("spawn")),
    }
    for (name, value) in &command.env {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(Error::invalid(
                "spawn",
                "the name of a variable is not empty and holds neither '=' nor NUL",
            )
            .with_object(name.as_str()));
        }
        if value.contains('\0') {
            return Err(
                Error::invalid("spawn", "the value of a variable cannot hold a NUL byte")
                    .with_object(name.as_str()),
            );
        }
    }
    check_limits(&command.limits)
}

/// A limit above the host's own hard limit cannot be set; finding that out in the child would look
/// like a failure of the command.
fn check_limits(limits: &Limits) -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let wanted = [
        (
            Resource::Cpu,
            limits.cpu_time.map(|time| time.as_secs()),
            "cpu_time",
        ),
        (Resource::As, limits.memory_bytes, "memory_bytes"),
        (Resource::Fsize, limits.file_size_bytes, "file_size_bytes"),
        (Resource::Nofile, limits.open_files, "open_files"),
        (Resource::Nproc, limits.processes, "processes"),
    ];
    for (resource, wanted, name) in wanted {
        let most = rustix::process::getrlimit(resource).maximum;
        if let (Some(wanted), Some(most)) = (wanted, most)
            && wanted > most
        {
            return Err(Error::invalid(
                "spawn",
                format!("limit {name} of {wanted} is above the host's own limit of {most}"),
            ));
        }
    }
    Ok(())
}

/// Resolves the working directory of a command.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound), [`NotADirectory`](ErrorKind::NotADirectory),
/// [`PermissionDenied`](ErrorKind::PermissionDenied), each with the directory.
pub(crate) fn directory(workspace: &Path, cwd: Option<&SandboxPath>) -> Result<PathBuf> {
    let path = match cwd {
        Some(path) => workspace.join(path.as_str()),
        None => workspace.to_owned(),
    };
    let fail = |kind: ErrorKind, detail: &'static str| {
        Err(Error::new(kind, "spawn")
            .with_object(path.to_string_lossy())
            .with_detail(detail))
    };
    match std::fs::metadata(&path) {
        Err(error) => {
            let error = Error::io("spawn", error).with_object(path.to_string_lossy());
            return Err(match error.kind() {
                ErrorKind::NotFound => error.with_detail("there is no such working directory"),
                _ => error,
            });
        }
        Ok(meta) if !meta.is_dir() => {
            return fail(
                ErrorKind::NotADirectory,
                "the working directory is no directory",
            );
        }
        Ok(_) => {}
    }
    if rustix::fs::accessat(CWD, &path, Access::EXEC_OK, AtFlags::EACCESS).is_err() {
        return fail(
            ErrorKind::PermissionDenied,
            "the working directory cannot be entered",
        );
    }
    Ok(path)
}

/// The words to run for a command: program and arguments, or the shell and its text.
pub(crate) fn words(target: &Target, shell: &str) -> Vec<String> {
    match target {
        Target::Program { program, args } => {
            let mut words = vec![program.clone()];
            words.extend(args.iter().cloned());
            words
        }
        Target::Shell(script) => shell_words(shell, script),
        _ => Vec::new(),
    }
}

/// Largest part of a shell text in one word; Linux takes 128 KiB.
const PART_BYTES: usize = 100_000;

/// A text for the shell. One that does not fit into a word of the system comes in several, and the
/// shell puts them together again.
fn shell_words(shell: &str, script: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = script;
    while rest.len() > PART_BYTES {
        let mut cut = PART_BYTES;
        while !rest.is_char_boundary(cut) {
            cut -= 1;
        }
        let (part, after) = rest.split_at(cut);
        parts.push(part.to_owned());
        rest = after;
    }
    parts.push(rest.to_owned());
    // A text that starts with a dash is no option.
    let mut words = vec![shell.to_owned(), "-c".to_owned(), "--".to_owned()];
    if parts.len() > 1 {
        let all: String = (1..=parts.len()).map(|n| format!("${{{n}}}")).collect();
        words.push(format!("eval \"set --;{all}\""));
        words.push(shell.to_owned());
    }
    words.extend(parts);
    words
}

/// The words that run others within limits and in a control group.
///
/// `posix_spawn` cannot set either, and doing it from outside once the program runs would let
/// escape what it starts first. So a shell joins the group, sets the limits, hard and soft, and
/// turns into the program.
pub(crate) fn confined(limits: &Limits, cgroup: Option<&Path>, words: Vec<String>) -> Vec<String> {
    let mut steps = Vec::new();
    if let Some(path) = cgroup {
        let procs = quote(&path.join("cgroup.procs").to_string_lossy());
        steps.push(format!("echo 0 > {procs}"));
    }
    let mut set = |letter: char, value: Option<u64>| {
        steps.extend(value.map(|value| format!("ulimit -{letter} {value}")));
    };
    let seconds = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
    set('t', limits.cpu_time.map(seconds));
    set('v', limits.memory_bytes.map(|bytes| bytes.div_ceil(1024)));
    set('f', limits.file_size_bytes.map(|bytes| bytes.div_ceil(512)));
    set('n', limits.open_files);
    if let Some(count) = limits.processes {
        // The letter differs: -u in bash (where -p is the size of pipes), -p in dash and busybox.
        steps.push(format!(
            "{{ ulimit -u {count} || ulimit -p {count}; }} 2>/dev/null"
        ));
    }
    let script = format!("{} || exit 126; exec \"$@\"", steps.join(" && "));
    let mut all: Vec<String> = vec!["/bin/sh".into(), "-c".into(), script, "sh".into()];
    all.extend(words);
    all
}
