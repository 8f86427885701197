//! What a command may do to its shell.

use super::*;

#[tokio::test]
async fn a_shell_that_ends_gives_its_code_and_another_takes_its_place() {
    for (text, exit) in [
        ("exit 3", Exit::Code(3)),
        ("set -e; false; echo no", Exit::Code(1)),
        ("exec false", Exit::Code(1)),
        ("exec sleep 0", Exit::Code(0)),
        ("kill -9 $$", Exit::Signal(9)),
        ("trap 'echo bye' EXIT; exit 4", Exit::Code(4)),
    ] {
        let lab = Lab::new();
        lab.run("mkdir sub; cd sub; x=1; export y=2").await;
        let ran = lab.run(text).await;
        assert_eq!(ran.exit, exit, "{text}");
        assert!(ran.session.restarted, "{text}");
        assert_eq!(ran.session.cwd.unwrap().file_name(), Some("sub"), "{text}");
        let ran = lab.run("echo \"[$x$y]\"; basename \"$PWD\"").await;
        assert!(ran.gave(0, "[]\nsub\n"), "{text}");
        assert!(!ran.session.restarted, "{text}");
    }
}

#[tokio::test]
async fn output_before_the_end_of_the_shell_is_complete() {
    let lab = Lab::new();
    let ran = lab.run("seq 1 20000; exit 3").await;
    assert_eq!(ran.exit, Exit::Code(3));
    assert!(ran.text.ends_with("\n20000\n"), "{}", ran.text.len());
    assert_eq!(ran.text.lines().count(), 20_000);
    let ran = lab.run("trap 'echo bye' EXIT; exit 4").await;
    assert!(ran.gave(4, "bye\n"));
}

#[tokio::test]
async fn a_shell_that_was_killed_between_commands_is_replaced_and_the_next_report_says_so() {
    let lab = Lab::new();
    let ran = lab
        .run("x=1; echo $$; (sleep 0.05; kill -9 $$) & disown")
        .await;
    let pid: u32 = ran.text.trim().parse().unwrap();
    let until = std::time::Instant::now() + PATIENCE;
    while std::path::Path::new(&format!("/proc/{pid}")).exists() {
        assert!(std::time::Instant::now() < until);
        tokio::task::yield_now().await;
    }
    let ran = lab.run("echo \"[$x]\"").await;
    assert!(ran.gave(0, "[]\n"));
    assert!(ran.session.restarted);
}

#[tokio::test]
async fn broken_texts_have_a_result_and_leave_the_shell_as_it_was() {
    let lab = Lab::new();
    lab.run("x=1").await;
    for text in [
        "if",
        "echo \"",
        "fi",
        "f() {",
        "case x in",
        "(",
        "echo 'a\nb",
    ] {
        let ran = lab.run(text).await;
        assert!(matches!(ran.exit, Exit::Code(1 | 2)), "{text}: {ran:?}");
        assert!(!ran.text.is_empty(), "{text}");
        assert!(lab.run("echo $x").await.gave(0, "1\n"), "{text}");
    }
    let ran = lab.run("echo a\nfi\necho b").await;
    assert_eq!(ran.exit, Exit::Code(2));
    assert!(ran.text.starts_with("a\n"));
    let ran = lab.run("cat <<X\nabc").await;
    assert_eq!(ran.exit, Exit::Code(0));
    assert!(ran.text.ends_with("abc\n"));
    assert!(lab.run("echo $x").await.gave(0, "1\n"));
}

#[tokio::test]
async fn whatever_a_command_sets_its_result_comes_and_the_next_works() {
    for text in [
        "PROMPT_COMMAND='echo prompt'",
        "PROMPT_COMMAND=(a b c)",
        "PS1='prompt> ' PS2='more> '",
        "unset -f __oh_d",
        "unset -f __oh_d __oh_p",
        "unset -f __oh_p; PROMPT_COMMAND=",
        "unset -v __oh_i __oh_s; unset PROMPT_COMMAND",
        "set -x",
        "set -v",
        "set -xv",
        "set -u",
        "set -e",
        "set -C",
        "set -f",
        "set -n",
        "set -T",
        "set -k",
        "set -o posix",
        "set +m",
        "set -o ignoreeof",
        "shopt -s extdebug",
        "trap 'false' DEBUG",
        "trap 'true' DEBUG; set -T",
        "trap 'echo err >/dev/null' ERR; set -E",
        "trap 'true' EXIT",
        "trap '' INT",
        "trap 'true' RETURN",
        "alias printf=false .=false read=false declare=false echo='echo '",
        "IFS=0123456789abcdef",
        "exec </dev/null",
        "exec <&-",
        "exec 2>/dev/null",
        "exec 2>&-",
        "readonly PROMPT_COMMAND PS1",
        "TMOUT=1",
        "LC_ALL=de_DE.ISO-8859-1",
        "ulimit -n 32",
        "umask 777",
        "shopt -s nullglob failglob",
        "set -- 1 2 3",
        "hash -p /nonexistent echo",
    ] {
        let lab = Lab::new();
        let ran = lab.run(text).await;
        assert_eq!(ran.exit, Exit::Code(0), "{text}: {ran:?}");
        let ran = lab.run("/bin/echo next").await;
        assert_eq!(ran.exit, Exit::Code(0), "{text}: {ran:?}");
        assert!(ran.text.ends_with("next\n"), "{text}: {ran:?}");
        assert!(!ran.text.contains("prompt"), "{text}: {ran:?}");
        assert!(!ran.text.contains("__oh"), "{text}: {ran:?}");
        assert!(!ran.session.restarted, "{text}: {ran:?}");
    }
}

#[tokio::test]
async fn traces_show_the_command_and_nothing_of_ours() {
    let lab = Lab::new();
    assert!(lab.run("set -x").await.gave(0, ""));
    assert!(lab.run("echo a").await.gave(0, "++ echo a\na\n"));
    assert!(lab.run("set +x").await.gave(0, "++ set +x\n"));
    assert!(lab.run("set -v").await.gave(0, ""));
    assert!(lab.run("echo b").await.gave(0, "echo b\nb\n"));
    lab.run("set +v").await;
    assert!(lab.run("echo c").await.gave(0, "c\n"));
}

#[tokio::test]
async fn options_and_traps_go_on_to_work_for_commands() {
    let lab = Lab::new();
    lab.run("set -u").await;
    assert_eq!(lab.run("echo $nothing").await.exit, Exit::Code(1));
    assert!(lab.run("echo ${nothing-ok}; set +u").await.gave(0, "ok\n"));
    lab.run("trap 'echo failed' ERR").await;
    assert!(lab.run("false").await.text.starts_with("failed\n"));
    assert!(lab.run("true").await.gave(0, ""));
    lab.run("trap - ERR; set -e").await;
    let ran = lab.run("false; echo no").await;
    assert_eq!(
        (ran.exit, &*ran.text, ran.session.restarted),
        (Exit::Code(1), "", true)
    );
    assert!(lab.run("false; echo yes").await.gave(0, "yes\n"));
}

#[tokio::test]
async fn output_that_was_sent_away_stays_away_and_commands_still_end() {
    let lab = Lab::new();
    assert!(lab.run("exec >out 2>&1").await.gave(0, ""));
    assert!(lab.run("echo into the file").await.gave(0, ""));
    assert!(lab.run("exec >/dev/tty 2>&1").await.gave(0, ""));
    assert!(lab.run("cat out").await.gave(0, "into the file\n"));
}

#[tokio::test]
async fn a_shell_that_can_no_longer_report_is_replaced() {
    for text in [
        "shopt -s extdebug; trap 'false' DEBUG",
        "enable -n builtin printf",
        "builtin() { :; }",
    ] {
        let lab = Lab::new();
        let ran = lab.run(&format!("x=1; {text}")).await;
        assert_eq!(
            (ran.exit, ran.session.restarted),
            (Exit::Lost, true),
            "{text}"
        );
        assert!(lab.run("echo \"[$x]\"").await.gave(0, "[]\n"));
    }
}

#[tokio::test]
async fn a_terminal_in_any_state_is_put_right_for_the_next_command() {
    let lab = Lab::new();
    for change in ["echo", "raw", "-icanon", "intr x", "-isig", "opost onlcr"] {
        let text = format!("stty {change} </dev/tty");
        assert!(lab.run(&text).await.gave(0, ""), "{change}");
        assert!(lab.run("echo a").await.gave(0, "a\n"), "{change}");
    }
}

#[tokio::test]
async fn removing_our_files_costs_the_shell_and_nothing_else() {
    let lab = Lab::new();
    let ran = lab.run("x=1; rm -rf \"$(dirname \"$BASH_SOURCE\")\"").await;
    assert!(ran.session.restarted, "{ran:?}");
    assert!(lab.run("echo \"[$x]\"").await.gave(0, "[]\n"));
}

#[tokio::test]
async fn a_shell_that_ends_at_once_is_said_to_and_its_session_can_be_closed() {
    let lab = Lab::with_shell("/bin/false");
    for number in 0..40 {
        let command = Command::shell("echo never");
        let process = lab.spawn(&format!("s{number}"), &command);
        // Whether it ends before or after it is given the command.
        let output = process.unwrap().output(CaptureLimit::default()).await;
        let exit = output.unwrap().exit().cloned();
        assert!(
            matches!(exit, Some(Exit::Code(1) | Exit::SpawnFailed(_))),
            "{exit:?}"
        );
    }
    let closed = tokio::time::timeout(PATIENCE / 4, lab.shells.close()).await;
    assert!(closed.is_ok());
}

#[tokio::test]
async fn a_command_that_cannot_be_handed_over_costs_nothing_but_itself() {
    let lab = Lab::new();
    lab.run("kept=yes").await;
    let private = std::fs::read_dir(lab._private.path()).unwrap();
    let private: Vec<_> = private.map(|entry| entry.unwrap().path()).collect();
    let text = private[0].join("c");
    std::fs::remove_file(&text).unwrap();
    std::fs::create_dir(&text).unwrap();
    lab.shells.set_env(&BTreeMap::from([(
        "SET".to_owned(),
        Some("too".to_owned()),
    )]));
    assert!(lab.spawn("main", &Command::shell("echo never")).is_err());
    std::fs::remove_dir(&text).unwrap();
    let ran = lab.run("echo $kept $SET").await;
    assert!(ran.gave(0, "yes too\n") && !ran.session.restarted);
}
