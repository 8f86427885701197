//! Processes and shells of the local runtime beside the raw limit of the machine.
//!
//! `cargo bench -p oh-benches --bench process [-- NAME...]` prints one JSON object a line; names
//! select cases by substring.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::{Read, Write};
use std::process::{Command as RawCommand, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oh_benches::{Pair, Samples, own_memory_bytes, reset_peak_memory, timed};
use oh_runtime::{
    ByteRange, CaptureLimit, Command, Exit, Follow, LocalRuntime, OutputStream, ProcessEvent,
    Runtime, SessionName,
};
use tokio::runtime::Runtime as Tokio;

const TEN_MB: usize = 10_000_000;
const ONE_LINE: &str = "head -c 10000000 /dev/zero | tr '\\0' x";
const MANY_LINES: &str = "yes 0123456789012345678901234567890123456789012345678 | head -c 10000000";

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|w| name.contains(w));
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let cases: [(&str, Case); 8] = [
        ("shell_noop", shell_noop),
        ("oneshot_true", oneshot_true),
        ("output_10mb", output_10mb),
        ("stream_1gb", stream_1gb),
        ("start", start),
        ("kill_tree", kill_tree),
        ("background", background),
        ("echo_under_load", echo_under_load),
    ];
    for (name, case) in cases {
        if is_wanted(name) {
            case(&tokio);
        }
    }
}

type Case = fn(&Tokio);

struct Fixture {
    runtime: LocalRuntime,
    _workspace: tempfile::TempDir,
}

fn fixture(tokio: &Tokio) -> Fixture {
    let workspace = tempfile::tempdir().unwrap();
    let runtime = tokio
        .block_on(LocalRuntime::builder(workspace.path()).start())
        .unwrap();
    Fixture {
        runtime,
        _workspace: workspace,
    }
}

fn session(name: &str) -> SessionName {
    SessionName::new(name).unwrap()
}

/// A bash on a terminal that says when a command is done: the least that a persistent shell costs.
struct RawShell {
    terminal: std::fs::File,
    child: std::process::Child,
    buffer: Vec<u8>,
}

impl RawShell {
    fn start() -> Self {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        use rustix::termios::{LocalModes, OptionalActions, OutputModes, tcgetattr, tcsetattr};
        let terminal =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let open = || {
            std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open(name.to_str().unwrap())
                .unwrap()
        };
        let mut modes = tcgetattr(&terminal).unwrap();
        modes.local_modes.remove(LocalModes::ECHO);
        modes.output_modes.remove(OutputModes::ONLCR);
        tcsetattr(&terminal, OptionalActions::Now, &modes).unwrap();
        let child = RawCommand::new("bash")
            .args(["--noprofile", "--norc", "--noediting", "-i"])
            .env("PS1", "")
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn()
            .unwrap();
        let mut shell = Self {
            terminal: std::fs::File::from(terminal),
            child,
            buffer: vec![0; 1 << 16],
        };
        shell.run("PS1=", 0);
        shell
    }

    /// Runs a line and reads to its marker; returns the bytes that came.
    fn run(&mut self, line: &str, at_least: usize) -> usize {
        // The marker is written in two parts so that no echo of the line can be taken for it.
        self.terminal
            .write_all(format!("{line}; printf '\\1%s:%s\\2' OH $?\n").as_bytes())
            .unwrap();
        let mut total = 0;
        let mut tail: Vec<u8> = Vec::new();
        loop {
            let n = self.terminal.read(&mut self.buffer).unwrap();
            total += n;
            tail.extend_from_slice(&self.buffer[n.saturating_sub(64)..n]);
            let keep = tail.len().saturating_sub(64);
            tail.drain(..keep);
            if total >= at_least && tail.ends_with(b"\x02") {
                return total;
            }
        }
    }
}

impl Drop for RawShell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn shell_noop(tokio: &Tokio) {
    let fixture = fixture(tokio);
    let mut raw = RawShell::start();
    let ours = || {
        let command = Command::shell(":").session(session("bench"));
        let output = tokio
            .block_on(fixture.runtime.run(command, Follow::default()))
            .unwrap();
        assert!(output.is_success());
    };
    for _ in 0..50 {
        ours();
        raw.run(":", 0);
    }
    let mut pair = Pair::new("shell_noop", "us");
    for round in 0..2000 {
        in_turns(round, &mut pair, || _ = raw.run(":", 0), ours);
    }
    pair.print();
}

fn oneshot_true(tokio: &Tokio) {
    let fixture = fixture(tokio);
    let raw = || {
        let status = RawCommand::new("/bin/true")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
    };
    let ours = || {
        let command = Command::new("/bin/true");
        let output = tokio
            .block_on(fixture.runtime.run(command, Follow::default()))
            .unwrap();
        assert!(output.is_success());
    };
    for _ in 0..20 {
        ours();
        raw();
    }
    let mut pair = Pair::new("oneshot_true", "us");
    for round in 0..1000 {
        in_turns(round, &mut pair, raw, ours);
    }
    pair.print();
}

fn output_10mb(tokio: &Tokio) {
    let fixture = fixture(tokio);
    for (name, script) in [("one_line", ONE_LINE), ("many_lines", MANY_LINES)] {
        let raw_pipe = || {
            let mut child = RawCommand::new("bash")
                .args(["-c", script])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut buffer = vec![0; 1 << 16];
            let mut pipe = child.stdout.take().unwrap();
            let mut total = 0;
            loop {
                match pipe.read(&mut buffer).unwrap() {
                    0 => break,
                    n => total += n,
                }
            }
            child.wait().unwrap();
            assert_eq!(total, TEN_MB);
        };
        let ours = |command: Command| {
            let output = tokio
                .block_on(fixture.runtime.run(command, Follow::default()))
                .unwrap();
            assert!(output.is_success());
            assert_eq!(output.stdout.total_bytes, TEN_MB as u64);
        };
        let mut pair = Pair::new(&format!("output_10mb_{name}_oneshot"), "ms");
        for round in 0..30 {
            in_turns(round, &mut pair, raw_pipe, || ours(Command::shell(script)));
        }
        pair.print();

        let mut raw = RawShell::start();
        let mut pair = Pair::new(&format!("output_10mb_{name}_shell"), "ms");
        for round in 0..20 {
            in_turns(
                round,
                &mut pair,
                || _ = raw.run(script, TEN_MB),
                || ours(Command::shell(script).session(session("bench"))),
            );
        }
        pair.print();
    }
}

fn stream_1gb(tokio: &Tokio) {
    const GB: u64 = 1_000_000_000;
    const SOURCE: &str = "seq 1 200000000 | head -c 1000000000";
    let fixture = fixture(tokio);
    let expected = {
        let output = RawCommand::new("bash")
            .args(["-c", &format!("{SOURCE} | sha256sum")])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout)
            .split_whitespace()
            .next()
            .unwrap()
            .to_owned()
    };
    let before = own_memory_bytes("VmRSS").unwrap();
    reset_peak_memory();
    let (process, time) = timed(|| {
        tokio.block_on(async {
            let command = Command::shell(SOURCE).capture(CaptureLimit::NONE);
            let mut process = fixture
                .runtime
                .spawn(command, Follow::default())
                .await
                .unwrap();
            let mut total = 0;
            while let Some(event) = process.next().await {
                match event.unwrap() {
                    ProcessEvent::Stdout { data, .. } => total += data.len() as u64,
                    ProcessEvent::Exited(report) => assert_eq!(report.exit, Exit::Code(0)),
                    _ => {}
                }
            }
            assert_eq!(total, GB);
            process.id().clone()
        })
    });
    let growth = own_memory_bytes("VmHWM").unwrap().saturating_sub(before);
    let hash = tokio.block_on(async {
        let mut hash = hmac_sha256::Hash::new();
        let mut at = 0;
        while at < GB {
            let range = ByteRange::from(at..(at + (4 << 20)));
            let piece = fixture
                .runtime
                .read_output(&process, OutputStream::Stdout, range)
                .await
                .unwrap();
            hash.update(&piece);
            at += piece.len() as u64;
        }
        hash.finalize()
    });
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, expected, "the spill is not what the source wrote");
    one("stream_1gb", "ms", time.as_secs_f64() * 1e3);
    one("stream_1gb_memory_growth", "MB", growth as f64 / 1e6);
    one("stream_1gb_spill_sha256_equals_source", "bool", 1.0);
}

fn start(tokio: &Tokio) {
    let workspace = tempfile::tempdir().unwrap();
    let mut samples = Samples::new("start_to_first_result", "ms");
    for _ in 0..100 {
        let (_, time) = timed(|| {
            tokio.block_on(async {
                let runtime = LocalRuntime::builder(workspace.path())
                    .start()
                    .await
                    .unwrap();
                let output = runtime
                    .run(Command::new("true"), Follow::default())
                    .await
                    .unwrap();
                assert!(output.is_success());
                runtime
            })
        });
        samples.push_time(time);
    }
    samples.print();
    let mut samples = Samples::new("first_command_in_a_new_shell", "ms");
    let fixture = fixture(tokio);
    for n in 0..50 {
        let command = Command::shell(":").session(session(&format!("s{n}")));
        let (output, time) = timed(|| {
            tokio
                .block_on(fixture.runtime.run(command, Follow::default()))
                .unwrap()
        });
        assert!(output.is_success());
        samples.push_time(time);
    }
    samples.print();
}

fn kill_tree(tokio: &Tokio) {
    let fixture = fixture(tokio);
    for by_deadline in [true, false] {
        let name = if by_deadline {
            "kill_tree_200_deadline"
        } else {
            "kill_tree_200_cancel"
        };
        let mut samples = Samples::new(name, "ms");
        for round in 0..5 {
            let mark = format!("{}.{round}", if by_deadline { 86_400 } else { 86_401 });
            // An ignored signal stays ignored over exec, so these sleeps survive SIGTERM.
            let script = format!(
                "for i in $(seq 200); do setsid sh -c 'trap \"\" TERM; exec sleep {mark}' & done; \
                 while [ $(pgrep -cf '^sleep {mark}') -lt 200 ]; do :; done; echo ready; wait"
            );
            let deadline = Duration::from_secs(6);
            let mut command = Command::shell(script);
            if by_deadline {
                command = command.deadline(deadline);
            }
            let time = tokio.block_on(async {
                let start = Instant::now();
                let mut process = fixture
                    .runtime
                    .spawn(command, Follow::default())
                    .await
                    .unwrap();
                let mut partial = Vec::new();
                let mut cancelled = None;
                loop {
                    match process.next().await.unwrap().unwrap() {
                        ProcessEvent::Stdout { data, .. } => {
                            partial.extend_from_slice(&data);
                            if !by_deadline && partial.ends_with(b"ready\n") {
                                cancelled = Some(Instant::now());
                                process.cancel().await.unwrap();
                            }
                        }
                        ProcessEvent::Exited(_) => break,
                        _ => {}
                    }
                }
                while alive(&mark) > 0 {}
                assert_eq!(partial, b"ready\n", "partial output is delivered");
                cancelled.unwrap_or(start + deadline).elapsed()
            });
            samples.push_time(time);
        }
        samples.print();
    }
}

/// Processes that sleep for this time.
fn alive(mark: &str) -> usize {
    let wanted = format!("sleep\0{mark}\0");
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| {
            std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == wanted.as_bytes())
        })
        .count()
}

fn background(tokio: &Tokio) {
    let fixture = fixture(tokio);
    let mut samples = Samples::new("background_sleep_600_in_shell", "ms");
    for _ in 0..30 {
        let command = Command::shell("sleep 600 &").session(session("bench"));
        let (output, time) = timed(|| {
            tokio
                .block_on(fixture.runtime.run(command, Follow::default()))
                .unwrap()
        });
        assert!(output.is_success());
        samples.push_time(time);
    }
    samples.print();
    tokio.block_on(fixture.runtime.close()).unwrap();
}

fn echo_under_load(tokio: &Tokio) {
    let fixture = Arc::new(fixture(tokio));
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let mut loops: Vec<_> = (0..cores * 2)
        .map(|_| {
            RawCommand::new("sh")
                .args(["-c", "while :; do :; done"])
                .spawn()
                .unwrap()
        })
        .collect();
    for in_shell in [true, false] {
        let name = if in_shell {
            "echo_under_load_shell"
        } else {
            "echo_under_load_oneshot"
        };
        let mut samples = Samples::new(name, "us");
        let mut right = 0;
        for n in 0..200 {
            let mut command = Command::shell(format!("echo {n}"));
            if in_shell {
                command = command.session(session("bench"));
            }
            let (output, time) = timed(|| {
                tokio
                    .block_on(fixture.runtime.run(command, Follow::default()))
                    .unwrap()
            });
            right += usize::from(
                output.is_success() && output.stdout_text().trim_end() == n.to_string(),
            );
            samples.push_time(time);
        }
        samples.print();
        one(&format!("{name}_right_of_200"), "answers", right as f64);
    }
    for child in &mut loops {
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn one(case: &str, unit: &'static str, value: f64) {
    let mut samples = Samples::new(case, unit);
    samples.push(value);
    samples.print();
}

fn in_turns(round: usize, pair: &mut Pair, mut raw: impl FnMut(), mut ours: impl FnMut()) {
    if round.is_multiple_of(2) {
        pair.raw.push_time(timed(&mut raw).1);
        pair.ours.push_time(timed(&mut ours).1);
    } else {
        pair.ours.push_time(timed(&mut ours).1);
        pair.raw.push_time(timed(&mut raw).1);
    }
}
