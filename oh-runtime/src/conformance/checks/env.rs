//! Environment variables.

use std::collections::BTreeMap;

use oh_core::{Capability, ErrorKind, Follow};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{
    Checked, ensure, expect_eq, expect_kind, expect_names, expect_prints, terminal_text,
};
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::Env;

pub(super) const CHECKS: &[Check] = &[
    check!(a_variable_of_a_command_reaches_it_unchanged),
    check!(a_variable_of_a_command_is_gone_after_it),
    check!(programs_are_found_without_setting_path),
    check!(variables_of_the_host_program_are_not_inherited),
    check!(a_bad_variable_name_is_invalid),
    check!(a_value_with_a_nul_byte_is_invalid),
    check!(a_set_variable_reaches_later_commands).needs(ENV),
    check!(an_unset_variable_is_gone).needs(ENV),
    check!(a_variable_of_a_command_wins_over_a_set_one).needs(ENV),
    check!(a_bad_name_among_several_sets_nothing).needs(ENV),
    check!(a_set_variable_reaches_running_shells).needs(SHELLS),
    check!(a_set_variable_survives_the_end_of_a_shell).needs(SHELLS),
];

const ENV: &[Capability] = &[Capability::Env];
const SHELLS: &[Capability] = &[Capability::Env, Capability::Sessions];

const VALUES: &[&str] = &[
    "",
    "plain",
    "two words",
    "$HOME `id` $(id)",
    "'single' \"double\"",
    "line\nbreak\n",
    "a=b",
    "é漢🦀",
    "\u{1}\u{1b}[31m\u{7f}",
    "trailing space ",
];

async fn a_variable_of_a_command_reaches_it_unchanged(trial: &Trial<'_>) -> Checked {
    for value in VALUES {
        let command = trial.script("printf %s \"$GIVEN\"")?.env("GIVEN", *value);
        expect_prints(&trial.run(command).await?, value)?;
    }
    Ok(())
}

async fn a_variable_of_a_command_is_gone_after_it(trial: &Trial<'_>) -> Checked {
    trial.run(trial.script(":")?.env("OH_ONCE", "x")).await?;
    expect_prints(&trial.sh("echo \"${OH_ONCE-unset}\"").await?, "unset\n")
}

async fn programs_are_found_without_setting_path(trial: &Trial<'_>) -> Checked {
    expect_prints(&trial.sh("test -n \"$PATH\" && ls -d .").await?, ".\n")
}

/// Variables that a sandbox may well have of its own, with the same value as the host by chance.
const OWN: &[&str] = &[
    "PATH", "HOME", "LANG", "LANGUAGE", "TERM", "PWD", "OLDPWD", "SHLVL", "_", "USER", "LOGNAME",
    "SHELL", "TZ", "TMPDIR", "HOSTNAME", "LC_ALL", "LC_CTYPE",
];

async fn variables_of_the_host_program_are_not_inherited(trial: &Trial<'_>) -> Checked {
    let inside = trial.ok("env").await?;
    let inherited: Vec<_> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, value)| {
            let line = format!("{name}={value}");
            !OWN.contains(&name.as_str()) && inside.lines().any(|own| own == line)
        })
        .map(|(name, _)| name)
        .collect();
    ensure!(
        inherited.is_empty(),
        "commands see variables of the host program: {inherited:?}"
    );
    Ok(())
}

async fn a_bad_variable_name_is_invalid(trial: &Trial<'_>) -> Checked {
    for name in ["", "A=B", "A\0B"] {
        let command = trial.script("touch ran")?.env(name, "x");
        let run = trial.runtime().run(command, Follow::default()).await;
        expect_kind(&format!("the name {name:?}"), run, ErrorKind::InvalidInput)?;
    }
    expect_prints(&trial.sh("test -e ran || echo none").await?, "none\n")
}

async fn a_value_with_a_nul_byte_is_invalid(trial: &Trial<'_>) -> Checked {
    let command = trial.script("true")?.env("GIVEN", "a\0b");
    let run = trial.runtime().run(command, Follow::default()).await;
    expect_names(&expect_kind("run", run, ErrorKind::InvalidInput)?, "GIVEN")
}

/// A name that no other check uses.
fn unique(trial: &Trial<'_>) -> String {
    trial.dir().replace(['-', '.'], "_").to_uppercase()
}

async fn set(trial: &Trial<'_>, name: &str, value: Option<&str>) -> Checked {
    let variables = BTreeMap::from([(name.to_owned(), value.map(str::to_owned))]);
    Ok(trial.runtime().set_env(variables).await?)
}

async fn a_set_variable_reaches_later_commands(trial: &Trial<'_>) -> Checked {
    let name = unique(trial);
    for value in VALUES {
        set(trial, &name, Some(value)).await?;
        let output = trial.sh(&format!("printf %s \"${name}\"")).await?;
        expect_prints(&output, value)?;
    }
    set(trial, &name, None).await
}

async fn an_unset_variable_is_gone(trial: &Trial<'_>) -> Checked {
    let name = unique(trial);
    set(trial, &name, Some("x")).await?;
    set(trial, &name, None).await?;
    set(trial, &name, None).await?;
    let output = trial.sh(&format!("echo ${{{name}-unset}}")).await?;
    expect_prints(&output, "unset\n")
}

async fn a_variable_of_a_command_wins_over_a_set_one(trial: &Trial<'_>) -> Checked {
    let name = unique(trial);
    set(trial, &name, Some("set")).await?;
    let command = trial.script(&format!("echo ${name}"))?.env(&name, "given");
    let output = trial.run(command).await;
    set(trial, &name, None).await?;
    expect_prints(&output?, "given\n")
}

async fn a_bad_name_among_several_sets_nothing(trial: &Trial<'_>) -> Checked {
    let name = unique(trial);
    for bad in ["", "1A", "A-B", "A B", "A=B", "Ä"] {
        let variables = [
            (name.clone(), Some("x".to_owned())),
            (bad.to_owned(), Some("y".into())),
        ];
        let answer = trial.runtime().set_env(variables.into()).await;
        expect_kind(
            &format!("the name {bad:?}"),
            answer,
            ErrorKind::InvalidInput,
        )?;
    }
    let variables = [(name.clone(), Some("a\0b".to_owned()))];
    let answer = trial.runtime().set_env(variables.into()).await;
    expect_kind("a value with NUL", answer, ErrorKind::InvalidInput)?;
    let output = trial.sh(&format!("echo ${{{name}-unset}}")).await?;
    expect_prints(&output, "unset\n")
}

async fn a_set_variable_reaches_running_shells(trial: &Trial<'_>) -> Checked {
    let name = unique(trial);
    let session = trial.session("a")?;
    trial.say(&session, "true").await?;
    for value in VALUES {
        set(trial, &name, Some(value)).await?;
        let script = format!("sh -c 'printf %s \"${name}\"' >{}/seen", trial.dir());
        trial.say(&session, &script).await?;
        let seen = trial.get("seen").await?;
        expect_eq(
            "the value in a child",
            String::from_utf8_lossy(&seen).as_ref(),
            *value,
        )?;
    }
    set(trial, &name, None).await?;
    let output = trial
        .say(&session, &format!("echo ${{{name}-unset}}"))
        .await?;
    expect_eq("after unset", terminal_text(&output)?.as_str(), "unset\n")
}

async fn a_set_variable_survives_the_end_of_a_shell(trial: &Trial<'_>) -> Checked {
    let name = unique(trial);
    let session = trial.session("a")?;
    set(trial, &name, Some("kept")).await?;
    trial.say(&session, "exit 0").await?;
    let output = trial.say(&session, &format!("echo ${name}")).await;
    set(trial, &name, None).await?;
    expect_eq("the value", terminal_text(&output?)?.as_str(), "kept\n")
}
