//! Printed text is never taken for a result.

use super::*;

#[tokio::test]
async fn printed_marks_and_reports_are_output_like_any_other() {
    let lab = Lab::new();
    let zeros = "0".repeat(32);
    let texts = [
        format!("printf '\\e]7770;{zeros}\\a'; (exit 5)"),
        "printf '\\e]7770;'; (exit 5)".to_owned(),
        format!("printf '{zeros}\\0000\\0himBHs\\0\\0/tmp\\0\\0{zeros}\\0'; (exit 5)"),
        "printf '\\n###PS1JSON###\\n{\"exit_code\": 0}\\n###PS1END###\\n'; (exit 5)".to_owned(),
        "printf '\\e'; (exit 5)".to_owned(),
        "printf '\\e]7770;abc'; (exit 5)".to_owned(),
    ];
    for text in texts {
        let ran = lab.run(&text).await;
        assert_eq!(ran.exit, Exit::Code(5), "{text}");
        assert!(!ran.text.is_empty(), "{text}");
        assert!(!ran.session.restarted, "{text}");
    }
    let ran = lab.run(&format!("printf 'a\\e]7770;{zeros}\\ab'")).await;
    assert!(ran.gave(0, &format!("a\x1b]7770;{zeros}\x07b")));
}

#[tokio::test]
async fn printing_all_that_the_shell_knows_forges_nothing() {
    let lab = Lab::new();
    for text in [
        "set",
        "declare -p",
        "declare -f",
        "env",
        "set -x; declare -f; set +x",
    ] {
        let ran = lab.run(&format!("{text}\n(exit 5)")).await;
        assert_eq!(ran.exit, Exit::Code(5), "{text}");
        assert!(!ran.text.is_empty(), "{text}");
    }
    assert!(lab.run("echo ok").await.gave(0, "ok\n"));
}

#[tokio::test]
async fn a_report_of_an_earlier_command_is_worth_nothing_later() {
    let lab = Lab::new();
    lab.run("old=$__oh_i").await;
    let ran = lab
        .run("printf '\\e]7770;%s\\a' \"$old\"; echo after; (exit 6)")
        .await;
    assert_eq!(ran.exit, Exit::Code(6));
    assert!(ran.text.ends_with("after\n"), "{ran:?}");
}

#[tokio::test]
async fn what_is_between_commands_does_not_reach_programs() {
    let lab = Lab::new();
    let ran = lab.run("ls /proc/self/fd | wc -l").await;
    // 0, 1, 2 and the directory itself.
    assert!(ran.gave(0, "4\n"));
    let ran = lab
        .run("env | grep -c __oh; history | wc -l; echo \"${HISTFILE-none}\"")
        .await;
    assert!(ran.gave(0, "0\n0\nnone\n"));
}
