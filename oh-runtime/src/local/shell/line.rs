//! What is typed into a shell to run one command.
//!
//! The text of the command is in a file, so its length and its lines do not matter; the line that
//! is typed defines what reports the end of the command, runs the file, and reports:
//!
//! ```text
//!  { preparation } &>/dev/null; . FILE </dev/null; { __oh_s=$?; __oh_d; } &>/dev/null
//! ```
//!
//! - The blocks send what they print to `/dev/null`: the traces of `set -x` and the output of
//!   `DEBUG` and `ERR` traps that fire for our own commands.
//! - `__oh_d` writes the report to the pipe and then the mark to the terminal device, so that who
//!   sees the mark finds the whole report there and has to wake up once. Both are opened by name,
//!   so that neither `exec >FILE` hides them nor a program inherits them. It switches `set -x` and
//!   `set -v` off until the next command, takes back the prompts, and swallows lines that were
//!   typed ahead and not read, which the shell would run as commands.
//! - `__oh_p` is the prompt hook: after an interrupt the shell drops the rest of the line.
//! - The two are defined with the first command. A command that undoes them is found out when its
//!   report does not come, and the line that then asks for it defines them anew.
//! - Standard input is opened anew for reading alone. While the shell waits for its next line it
//!   has the terminal for reading and writing, and that is how the kernel shows which it is.
//! - Builtins are called with a backslash, which keeps aliases out.
//! - The line stays below the 4,096 bytes of a line of a terminal.

use std::fmt::Write as _;

use oh_core::runtime::quote;

/// Which shell there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Bash,
    /// Any other: no prompt hook, fewer conveniences.
    Posix,
}

/// Names that stay the same for the life of a shell.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) dialect: Dialect,
    /// The terminal device.
    pub(super) terminal: String,
    /// The report pipe.
    pub(super) pipe: String,
    /// The file with the text of the command.
    pub(super) script: String,
    /// The file with changes of the environment.
    pub(super) changes: String,
}

/// What a command reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Null,
    Terminal,
}

/// One command to be typed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) id: &'a str,
    pub(super) input: Input,
    /// Whether the shell has not been told yet how to report.
    pub(super) define: bool,
    /// Whether there is a file of changes to be read first.
    pub(super) changes: bool,
    /// `$?` as the command sees it.
    pub(super) status: i32,
}

/// The prompt hook, and no prompts. If the function of the hook is gone, nobody needs to read about
/// it. The words are quoted because under `set -k` a bare one would not be an argument.
const PROMPTS: &str = r#"'PS1=' 'PS2=' 'PROMPT_COMMAND=\__oh_p 2>/dev/null'"#;

impl Names {
    /// What `bash` reads once when it starts.
    pub(super) const START: &str =
        "PS1= PS2=\nunset HISTFILE MAILCHECK\nset +o history\nshopt -u checkwinsize\n";

    /// The line that runs the script.
    pub(super) fn run(&self, line: Line<'_>) -> String {
        let mut text = String::with_capacity(1024);
        let off = self.silence();
        text.push_str(" {");
        if line.define {
            text.push(' ');
            text.push_str(&self.definitions());
        }
        let _ = match self.dialect {
            Dialect::Bash => write!(
                text,
                " \\builtin declare {PROMPTS} '__oh_s=' '__oh_i={}';",
                line.id
            ),
            Dialect::Posix => write!(text, " PS1= PS2= __oh_s= __oh_i={};", line.id),
        };
        if line.changes {
            let _ = write!(text, " \\. {};", quote(&self.changes));
        }
        if line.status != 0 {
            // In an and-list no status ends the shell or fires a trap.
            let _ = write!(text, " \\__oh_r {} && :;", line.status);
        }
        let input = match line.input {
            Input::Null => "/dev/null",
            Input::Terminal => &self.terminal,
        };
        let _ = writeln!(
            text,
            " }} {off}; \\. {} <{input}; {{ __oh_s=$?; \\__oh_d || :; }} {off}",
            quote(&self.script)
        );
        text
    }

    /// The line for a shell that waits for its next line and has not reported: it defines anew
    /// what was lost and reports the status that is still known.
    pub(super) fn repair(&self, id: &str) -> String {
        let off = self.silence();
        format!(
            " {{ __oh_s=${{__oh_s:-$?}}; case ${{__oh_z-}} in {id}) ;; *) {} __oh_i={id}; \\__oh_d || :; esac; }} {off}\n",
            self.definitions()
        )
    }

    fn silence(&self) -> &'static str {
        match self.dialect {
            Dialect::Bash => "&>/dev/null",
            Dialect::Posix => ">/dev/null 2>&1",
        }
    }

    fn definitions(&self) -> String {
        let (terminal, pipe) = (&self.terminal, quote(&self.pipe));
        match self.dialect {
            Dialect::Bash => format!(
                concat!(
                    r#"__oh_r() {{ return "$1"; }}; "#,
                    r#"__oh_d() {{ case ${{__oh_i-}} in '') return 0;; esac; "#,
                    r#"local REPLY o=$- n=0; \builtin set +xv; "#,
                    r#"{{ {{ \builtin printf '%s\0' "$__oh_i" "$__oh_s" "$o" "${{!-}}" "${{PWD-}}"; "#,
                    r#"\builtin times; \builtin printf '\0%s\0' "$__oh_i"; }} >|{pipe}; "#,
                    r#"while (((n += 1) < 9999)) && \builtin read -t 0; "#,
                    r#"do \builtin read -r -t 0.01; done <&1; "#,
                    r#"\builtin printf '\e]7770;%s\a' "$__oh_i"; }} 1<>{terminal}; "#,
                    r#"\builtin declare -g {prompts} "__oh_z=$__oh_i" '__oh_i='; }}; "#,
                    r#"__oh_p() {{ __oh_s=${{__oh_s:-$?}}; \__oh_d || :; }};"#,
                ),
                terminal = terminal,
                pipe = pipe,
                prompts = PROMPTS,
            ),
            Dialect::Posix => format!(
                concat!(
                    r#"__oh_r() {{ return "$1"; }}; "#,
                    r#"__oh_d() {{ case ${{__oh_i-}} in '') return 0;; esac; "#,
                    r#"__oh_o=$-; \set +xv; "#,
                    r#"{{ \printf '%s\0' "$__oh_i" "$__oh_s" "$__oh_o" "${{!-}}" "${{PWD-}}"; "#,
                    r#"\times; \printf '\0%s\0' "$__oh_i"; }} >|{pipe}; "#,
                    r#"\printf '\033]7770;%s\007' "$__oh_i" >{terminal}; "#,
                    r#"PS1= PS2= __oh_z=$__oh_i __oh_i=; }};"#,
                ),
                terminal = terminal,
                pipe = pipe,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_line_fits_a_terminal() {
        let long = |name: &str| format!("/{}/{name}", "it's a directory/".repeat(24));
        for dialect in [Dialect::Bash, Dialect::Posix] {
            let names = Names {
                dialect,
                terminal: "/dev/pts/1000000".to_owned(),
                pipe: long("r"),
                script: long("c"),
                changes: long("e"),
            };
            let id = "f".repeat(32);
            let line = names.run(Line {
                id: &id,
                input: Input::Terminal,
                define: true,
                changes: true,
                status: 255,
            });
            for line in [line, names.repair(&id)] {
                assert!(line.len() < 4096, "{}", line.len());
                assert!(line.ends_with('\n') && line.lines().count() == 1);
            }
        }
    }
}
