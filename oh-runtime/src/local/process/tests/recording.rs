use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use oh_core::{
    ByteRange, ErrorKind, Exit, ExitReport, Follow, OutputStream, Position, ProcessEvent,
    WaitsForInput,
};
use proptest::prelude::*;

use crate::local::process::follower::Follower;
use crate::local::process::probe::InputProbe;
use crate::local::process::{Recording, SpoolSettings};

fn settings(limit_bytes: u64) -> SpoolSettings {
    SpoolSettings {
        directory: std::env::temp_dir(),
        limit_bytes,
    }
}

fn recording() -> Arc<Recording> {
    Recording::new(settings(1 << 30), Some(7))
}

/// For what has no process of its own, or none that could be asked.
#[derive(Clone, Copy, Debug)]
struct NoProbe;

impl InputProbe for NoProbe {
    fn waits_for_input(&self) -> WaitsForInput {
        WaitsForInput::Unknown
    }
}

fn follow(recording: &Arc<Recording>, follow: Follow) -> Follower {
    recording.follow(follow, Arc::new(NoProbe)).unwrap()
}

async fn everything(recording: &Arc<Recording>, from: Position) -> Vec<ProcessEvent> {
    follow(recording, Follow::default().from(from))
        .map(Result::unwrap)
        .collect()
        .await
}

fn bytes_of(events: &[ProcessEvent], stream: OutputStream, from: u64) -> Vec<u8> {
    let mut all = Vec::new();
    for event in events {
        let (of, at, data) = match event {
            ProcessEvent::Stdout { at, data } => (OutputStream::Stdout, at, data),
            ProcessEvent::Stderr { at, data } => (OutputStream::Stderr, at, data),
            _ => continue,
        };
        if of == stream {
            assert_eq!(*at, from + all.len() as u64, "positions have no holes");
            all.extend_from_slice(data);
        }
    }
    all
}

#[tokio::test]
async fn events_come_in_the_order_started_output_exited_later_output_closed() {
    let recording = recording();
    recording.append(OutputStream::Stdout, Bytes::from_static(b"one"));
    recording.append(OutputStream::Stderr, Bytes::from_static(b"two"));
    recording.exited(ExitReport::new(Exit::Code(3)));
    recording.append(OutputStream::Stdout, Bytes::from_static(b"late"));
    recording.closed();
    recording.append(OutputStream::Stdout, Bytes::from_static(b"after the end"));
    assert_eq!(
        everything(&recording, Position::default()).await,
        [
            ProcessEvent::Started { pid: Some(7) },
            ProcessEvent::Stdout {
                at: 0,
                data: Bytes::from_static(b"one")
            },
            ProcessEvent::Stderr {
                at: 0,
                data: Bytes::from_static(b"two")
            },
            ProcessEvent::Exited(ExitReport::new(Exit::Code(3))),
            ProcessEvent::Stdout {
                at: 3,
                data: Bytes::from_static(b"late")
            },
            ProcessEvent::Closed,
        ]
    );
    assert_eq!(recording.wait_exit().await.exit, Exit::Code(3));
}

#[tokio::test]
async fn a_follower_joins_at_any_byte_and_a_position_past_the_end_is_refused() {
    let recording = recording();
    recording.append(OutputStream::Stdout, Bytes::from_static(b"0123456789"));
    recording.append(OutputStream::Stderr, Bytes::from_static(b"abc"));
    recording.exited(ExitReport::new(Exit::Code(0)));
    recording.closed();
    let from = Position {
        stdout: 4,
        stderr: 3,
    };
    let events = everything(&recording, from).await;
    assert_eq!(bytes_of(&events, OutputStream::Stdout, 4), b"456789");
    assert_eq!(bytes_of(&events, OutputStream::Stderr, 3), b"");
    let past = Follow::default().from(Position {
        stdout: 11,
        stderr: 0,
    });
    let error = recording.follow(past, Arc::new(NoProbe)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("10 bytes of stdout"), "{error}");
}

#[tokio::test]
async fn output_larger_than_memory_is_read_back_byte_for_byte() {
    let recording = recording();
    let block: Bytes = (0..=255_u8).cycle().take(10_007).collect::<Vec<_>>().into();
    for _ in 0..1000 {
        recording.append(OutputStream::Stdout, block.clone());
    }
    recording.exited(ExitReport::new(Exit::Code(0)));
    recording.closed();
    let events = everything(&recording, Position::default()).await;
    let expected: Vec<u8> = std::iter::repeat_n(&block[..], 1000)
        .flatten()
        .copied()
        .collect();
    assert!(bytes_of(&events, OutputStream::Stdout, 0) == expected);
    let part = recording
        .read(OutputStream::Stdout, (5_000_000..5_300_000).into())
        .unwrap();
    assert!(part[..] == expected[5_000_000..5_300_000]);
    assert_eq!(recording.kept_bytes(), 10_007_000);
}

#[tokio::test]
async fn beyond_the_limit_the_oldest_bytes_become_a_gap() {
    let recording = Recording::new(settings(8 << 20), None);
    let block = Bytes::from(vec![b'x'; 64 * 1024]);
    for _ in 0..512 {
        recording.append(OutputStream::Stdout, block.clone());
    }
    recording.exited(ExitReport::new(Exit::Code(0)));
    recording.closed();
    let events = everything(&recording, Position::default()).await;
    let Some(ProcessEvent::Gap(gap)) = events.get(1) else {
        panic!("the second event is a gap: {:?}", events.get(1));
    };
    assert_eq!((gap.stream, gap.from), (OutputStream::Stdout, 0));
    let rest = bytes_of(&events[2..], OutputStream::Stdout, gap.to);
    assert_eq!(gap.to + rest.len() as u64, 32 << 20);
    assert!(
        recording.kept_bytes() <= 9 << 20,
        "{}",
        recording.kept_bytes()
    );
    let lost = recording.read(OutputStream::Stdout, (0..10).into());
    assert_eq!(lost.unwrap_err().kind(), ErrorKind::Gone);
}

#[tokio::test]
async fn a_spool_that_cannot_be_written_costs_old_output_and_nothing_else() {
    let nowhere = SpoolSettings {
        directory: "/proc/no/such/place".into(),
        limit_bytes: 1 << 30,
    };
    let recording = Recording::new(nowhere, None);
    let mut live = follow(&recording, Follow::default());
    let block = Bytes::from(vec![b'y'; 64 * 1024]);
    let mut seen = 0;
    for _ in 0..100 {
        recording.append(OutputStream::Stderr, block.clone());
        while let Some(Ok(event)) = futures::FutureExt::now_or_never(live.next()).flatten() {
            if let ProcessEvent::Stderr { data, .. } = event {
                seen += data.len();
            }
        }
    }
    assert_eq!(seen, 100 * 64 * 1024, "who keeps up misses nothing");
    recording.exited(ExitReport::new(Exit::Code(0)));
    recording.closed();
    let events = everything(&recording, Position::default()).await;
    let Some(ProcessEvent::Gap(gap)) = events.get(1) else {
        panic!("the second event is a gap: {:?}", events.get(1));
    };
    let rest = bytes_of(&events[2..], OutputStream::Stderr, gap.to);
    assert_eq!(gap.to + rest.len() as u64, 100 * 64 * 1024);
}

#[tokio::test]
async fn a_range_past_the_end_gives_what_there_is_and_a_huge_one_is_refused() {
    let recording = recording();
    recording.append(OutputStream::Stdout, Bytes::from_static(b"0123456789"));
    let read = |range: ByteRange| recording.read(OutputStream::Stdout, range);
    assert_eq!(read((8..100).into()).unwrap(), &b"89"[..]);
    assert_eq!(read((50..60).into()).unwrap(), &b""[..]);
    assert_eq!(read((3..).into()).unwrap(), &b"3456789"[..]);
    #[allow(clippy::reversed_empty_ranges)]
    let backwards = read((5..2).into());
    assert_eq!(backwards.unwrap_err().kind(), ErrorKind::InvalidInput);
    for _ in 0..300 {
        recording.append(OutputStream::Stdout, Bytes::from(vec![0; 64 * 1024]));
    }
    assert_eq!(read((0..).into()).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn silence_is_reported_once_until_there_is_output_again() {
    let recording = recording();
    let minute = Duration::from_secs(60);
    let mut events = follow(
        &recording,
        Follow::default().quiet(minute).until(minute * 10),
    );
    let mut kinds = Vec::new();
    while let Some(Ok(event)) = events.next().await {
        match event {
            ProcessEvent::Started { .. } => kinds.push("started"),
            ProcessEvent::Stdout { .. } => kinds.push("output"),
            ProcessEvent::Quiet { .. } => {
                kinds.push("quiet");
                if kinds.len() == 2 {
                    recording.append(OutputStream::Stdout, Bytes::from_static(b"x"));
                }
            }
            ProcessEvent::Elapsed { .. } => {
                kinds.push("elapsed");
                recording.exited(ExitReport::new(Exit::Code(0)));
            }
            ProcessEvent::Exited(_) => {
                kinds.push("exited");
                recording.closed();
            }
            ProcessEvent::Closed => kinds.push("closed"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        kinds,
        [
            "started", "quiet", "output", "quiet", "elapsed", "exited", "closed"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_printed_before_the_time_ran_out_comes_before_the_pause() {
    let recording = recording();
    recording.append(OutputStream::Stdout, Bytes::from_static(b"x"));
    let mut events = follow(&recording, Follow::default().until(Duration::ZERO));
    assert!(matches!(
        events.next().await,
        Some(Ok(ProcessEvent::Started { .. }))
    ));
    assert!(matches!(
        events.next().await,
        Some(Ok(ProcessEvent::Stdout { .. }))
    ));
    assert!(matches!(
        events.next().await,
        Some(Ok(ProcessEvent::Elapsed { .. }))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// However output arrives and wherever one joins: each byte once, in order.
    #[test]
    fn every_follower_gets_each_byte_once(
        pieces in prop::collection::vec((any::<bool>(), 1..40_000_usize), 0..60),
        exit_after in 0..60_usize,
        join in (0.0..1.0_f64, 0.0..1.0_f64),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let recording = recording();
            let mut written = [Vec::new(), Vec::new()];
            for (index, (err, length)) in pieces.iter().enumerate() {
                if index == exit_after {
                    recording.exited(ExitReport::new(Exit::Code(0)));
                }
                let stream = if *err { OutputStream::Stderr } else { OutputStream::Stdout };
                let data: Vec<u8> = (0..*length).map(|at| (at * 31 + index) as u8).collect();
                written[usize::from(*err)].extend_from_slice(&data);
                recording.append(stream, data.into());
            }
            recording.closed();
            let at = |part: f64, all: &[u8]| (part * all.len() as f64) as usize;
            let (out, err) = (at(join.0, &written[0]), at(join.1, &written[1]));
            let from = Position { stdout: out as u64, stderr: err as u64 };
            let events = everything(&recording, from).await;
            assert!(bytes_of(&events, OutputStream::Stdout, from.stdout) == written[0][out..]);
            assert!(bytes_of(&events, OutputStream::Stderr, from.stderr) == written[1][err..]);
            assert_eq!(events.last(), Some(&ProcessEvent::Closed));
        });
    }
}
