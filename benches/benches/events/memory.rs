//! Memory of a session of a million events, in a process of its own.

use std::path::Path;
use std::process::Command;

use oh_benches::own_memory_bytes;
use oh_events::{Query, SegmentStore};
use tokio::runtime::Runtime as Tokio;

use super::{Scale, builder, one, sample};

/// First argument of the process that is measured.
pub(super) const CHILD: &str = "--measure-memory";

pub(super) fn resident(_: &Tokio, scale: Scale) {
    let count = scale.of(1_000_000, 100_000);
    let folder = tempfile::tempdir().unwrap();
    for role in ["writes all", "opens and appends"] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args([CHILD, role])
            .arg(folder.path())
            .arg(count.to_string())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let bytes: u64 = String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .unwrap();
        one(
            &format!("resident_memory of {count} events: {role}"),
            "MB",
            bytes as f64 / 1e6,
        );
    }
}

/// Works on the session in one of two ways and prints its memory while it is open.
#[allow(clippy::print_stdout)]
pub(super) fn child(tokio: &Tokio, role: &str, folder: &Path, count: u64) {
    tokio.block_on(async {
        let stream = builder(SegmentStore::new(folder), "s")
            .open()
            .await
            .unwrap();
        if role == "writes all" {
            for _ in 0..count {
                stream.append_draft(sample::draft()).await.unwrap();
            }
        } else {
            assert_eq!(stream.next().0, count);
            for _ in 0..2_000 {
                stream.append_draft(sample::draft()).await.unwrap();
            }
        }
        assert_eq!(stream.read(Query::latest(100)).await.unwrap().len(), 100);
        println!("{}", own_memory_bytes("VmRSS").unwrap());
        stream.close().await.unwrap();
    });
}
