use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use super::*;

#[test]
fn on_a_full_disk_only_what_did_not_fit_is_missing() {
    let settings = SpoolSettings {
        directory: std::env::temp_dir(),
        limit_bytes: 1 << 30,
    };
    let block = Bytes::from(vec![7; 1 << 20]);
    let mut spool = Spool::default();
    let append = |spool: &mut Spool, full: bool| {
        let mut writing = spool.store(&block, &settings).unwrap();
        if let (true, Some(segment)) = (full, &mut writing.segment) {
            let full = rustix::fs::open("/dev/full", OFlags::RDWR, Mode::empty()).unwrap();
            segment.file = Arc::new(full);
        }
        let file = spool.segments.back().map(|part| Arc::clone(&part.file));
        spool.push(block.clone(), Some(writing.write(&settings.directory)));
        if let (Some(last), Some(file)) = (spool.segments.back_mut(), file) {
            last.file = file;
        }
    };
    for full in [false, true, true, false, false, false] {
        append(&mut spool, full);
    }
    assert_eq!(spool.missing.len(), 1);
    assert_eq!(spool.missing[0], 1 << 20..3 << 20);
    assert_eq!((spool.total(), spool.kept_bytes()), (6 << 20, 4 << 20));
    assert!(matches!(spool.piece(0, 10), Some(Piece::Stored(_))));
    let hole = spool.piece((1 << 20) + 5, 6 << 20);
    assert!(
        matches!(hole, Some(Piece::Missing(end)) if end == 3 << 20),
        "{hole:?}"
    );
    let Some(Piece::Stored(stored)) = spool.piece(3 << 20, 6 << 20) else {
        panic!("what came after the full disk is there");
    };
    assert!(stored.read().unwrap().iter().all(|&byte| byte == 7));
}
