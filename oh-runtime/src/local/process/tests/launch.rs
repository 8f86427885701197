use std::collections::BTreeMap;
use std::path::Path;

use oh_core::{Exit, PtySize, SpawnErrorKind};
use tokio::io::Interest;

use crate::local::process::launch::LaunchStdin;
use crate::local::process::{Launch, LaunchIo, Launched, launch};

const NULL: LaunchIo = LaunchIo::Separate(LaunchStdin::Null);

fn start(argv: &[&str], io: LaunchIo) -> Result<Launched, oh_core::SpawnError> {
    let argv: Vec<String> = argv.iter().map(|&arg| arg.to_owned()).collect();
    let env = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
    launch(&Launch {
        argv: &argv,
        limits: &oh_core::Limits::default(),
        cgroup: None,
        env: &env,
        cwd: Path::new("/"),
        io,
    })
}

/// Exit and output of something that ends by itself.
async fn finish(launched: Launched) -> (Exit, String) {
    let fate = launched.leader.wait().await;
    let channel = match (&launched.stdout, &launched.terminal) {
        (Some(pipe), _) => pipe,
        (None, Some(pty)) => pty.channel(),
        (None, None) => unreachable!(),
    };
    let mut all = Vec::new();
    loop {
        all.reserve(4096);
        if channel.read(&mut all).await.unwrap() == 0 {
            break;
        }
    }
    (fate.exit, String::from_utf8(all).unwrap())
}

#[tokio::test]
async fn a_child_has_three_descriptors_and_no_more() {
    // A descriptor without the close-on-exec flag, as a careless library leaves one.
    let leaked = rustix::io::dup(std::io::stdin()).unwrap();
    let (exit, out) = finish(start(&["sh", "-c", "echo /proc/$$/fd/*"], NULL).unwrap()).await;
    assert_eq!(exit, Exit::Code(0));
    let numbers: Vec<&str> = out
        .split_whitespace()
        .map(|fd| fd.rsplit('/').next().unwrap())
        .collect();
    // The shell holds the directory that it lists.
    assert!(
        numbers.len() <= 4 && numbers.starts_with(&["0", "1", "2"]),
        "{out}"
    );
    drop(leaked);
}

#[tokio::test]
async fn a_child_blocks_and_ignores_no_signal_whatever_the_host_does() {
    // A Rust host ignores SIGPIPE, so the default would show a bit here.
    let (_, out) =
        finish(start(&["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"], NULL).unwrap()).await;
    assert_eq!(
        out,
        "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
    );
}

#[tokio::test]
async fn a_child_on_a_terminal_has_it_as_its_controlling_terminal() {
    let size = PtySize {
        rows: 30,
        columns: 100,
    };
    let script = "test -t 0 && test -t 1 && test -t 2 && echo tty >/dev/tty && stty size";
    let (exit, out) = finish(start(&["sh", "-c", script], LaunchIo::Terminal(size)).unwrap()).await;
    assert_eq!((exit, out.as_str()), (Exit::Code(0), "tty\r\n30 100\r\n"));
}

#[tokio::test]
async fn codes_and_signals_are_told_apart() {
    let (exit, _) = finish(start(&["sh", "-c", "exit 42"], NULL).unwrap()).await;
    assert_eq!(exit, Exit::Code(42));
    let (exit, _) = finish(start(&["sh", "-c", "kill -9 $$"], NULL).unwrap()).await;
    assert_eq!(exit, Exit::Signal(9));
}

#[tokio::test]
async fn each_way_to_fail_has_its_kind() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let kind = |argv: &[&str]| start(argv, NULL).unwrap_err().kind;
    assert_eq!(kind(&["no-such-program"]), SpawnErrorKind::NotFound);
    assert_eq!(kind(&["/no/such/program"]), SpawnErrorKind::NotFound);
    assert_eq!(
        kind(&[&file("lost-interpreter", "#!/no/such/shell\n", 0o755)]),
        SpawnErrorKind::NotFound
    );
    assert_eq!(
        kind(&[&file("data", "#!/bin/sh\n", 0o644)]),
        SpawnErrorKind::PermissionDenied
    );
    assert_eq!(kind(&["/tmp"]), SpawnErrorKind::PermissionDenied);
    assert_eq!(
        kind(&[&file("text", "hello\n", 0o755)]),
        SpawnErrorKind::NotExecutable
    );
    let long = "x".repeat(200_000);
    assert_eq!(kind(&["echo", &long]), SpawnErrorKind::TooLarge);
}

#[tokio::test]
async fn a_leader_that_is_dropped_is_killed() {
    let launched = start(&["sleep", "1000"], NULL).unwrap();
    let pid = launched.leader.pid();
    let watch = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
    let watch = crate::local::sys::watch(watch, Interest::READABLE).unwrap();
    drop(launched);
    let _ = watch.readable().await.unwrap();
    // Nobody else takes its status here.
    let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
}

#[tokio::test]
async fn a_child_that_nobody_waits_for_leaves_nothing_in_the_process_table() {
    let given_up = start(&["sleep", "600"], NULL).unwrap();
    let pid = given_up.leader.number();
    drop(given_up);
    // Its end takes a moment, and the next child that starts finds it.
    let gone = async {
        while crate::local::process::Stat::of(pid).is_some() {
            finish(start(&["true"], NULL).unwrap()).await;
        }
    };
    let patience = std::time::Duration::from_secs(30);
    tokio::time::timeout(patience, gone).await.unwrap();
}
