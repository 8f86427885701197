//! Large contents.

use bytes::Bytes;
use oh_core::event::BlobRef;
use oh_core::{ByteRange, ErrorKind};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{Checked, End, ensure, expect_bytes, expect_eq, expect_one_of};
use crate::conformance::sample;
use crate::conformance::trial::{Trial, append, blobs, blobs_of, session};
use crate::hex;
use crate::store::blob::BlobStore;

const FAMILY: Family = Family::Blobs;

pub(super) const CHECKS: &[Check] = &[
    check!(a_blob_comes_back_with_its_length_and_sha_256),
    check!(an_empty_blob_comes_back),
    check!(ranges_of_a_blob_are_read),
    check!(a_blob_can_be_read_while_it_is_written),
    check!(an_unknown_blob_is_not_found),
    check!(an_id_that_looks_like_a_path_is_refused),
    check!(blobs_have_ids_of_their_own),
    check!(blobs_are_read_through_any_reader),
    check!(blobs_survive_opening_again),
    check!(a_reader_writes_no_blobs_beside_those_of_its_log),
    check!(a_blob_beyond_the_room_is_cut_and_marked),
    check!(several_blobs_are_written_at_once),
];

const ALL: ByteRange = ByteRange {
    start: 0,
    end: None,
};

/// Writes a blob in pieces.
async fn write(store: &dyn BlobStore, content: &[u8], piece: usize) -> Checked<BlobRef> {
    let mut blob = store.create().await?;
    for piece in content.chunks(piece) {
        blob.write(Bytes::copy_from_slice(piece)).await?;
    }
    let named = blob.finish().await?;
    expect_eq("the id of the finished blob", named.id.as_str(), blob.id())?;
    Ok(named)
}

/// Everything about a complete blob is right.
async fn expect_blob(store: &dyn BlobStore, blob: &BlobRef, content: &[u8]) -> Checked {
    expect_eq("the length", blob.len, content.len() as u64)?;
    expect_eq("whether it is complete", blob.complete, true)?;
    let sha256 = hex::lower(&hmac_sha256::Hash::hash(content));
    expect_eq("the SHA-256", blob.sha256.as_str(), sha256.as_str())?;
    let read = store.read(&blob.id, ALL).await?;
    expect_bytes("the blob", &read, content)
}

async fn a_blob_comes_back_with_its_length_and_sha_256(trial: &Trial) -> Checked {
    let log = trial.open(&session("blob")?).await?;
    let store = blobs(&*log)?;
    let content = sample::bytes(300_000);
    for piece in [300_000, 65_536, 1000] {
        let blob = write(&*store, &content, piece).await?;
        expect_blob(&*store, &blob, &content).await?;
    }
    Ok(())
}

async fn an_empty_blob_comes_back(trial: &Trial) -> Checked {
    let log = trial.open(&session("empty")?).await?;
    let store = blobs(&*log)?;
    let blob = write(&*store, &[], 1).await?;
    expect_blob(&*store, &blob, &[]).await
}

async fn ranges_of_a_blob_are_read(trial: &Trial) -> Checked {
    let log = trial.open(&session("ranges")?).await?;
    let store = blobs(&*log)?;
    let content = sample::bytes(10_000);
    let blob = write(&*store, &content, 999).await?;
    let ranges = [
        (0, Some(0)),
        (0, Some(1)),
        (0, Some(10_000)),
        (9_999, Some(10_000)),
        (123, Some(4_567)),
        (4_096, None),
        (9_990, Some(20_000)),
        (10_000, None),
        (10_001, None),
        (50_000, Some(60_000)),
    ];
    for (start, end) in ranges {
        let last = end.map_or(content.len(), |end: u64| content.len().min(end as usize));
        let first = last.min(start as usize);
        let wanted = content.get(first..last).unwrap_or_default();
        let range = ByteRange { start, end };
        let read = store.read(&blob.id, range).await?;
        expect_bytes(&format!("the range {start} to {end:?}"), &read, wanted)?;
    }
    Ok(())
}

async fn a_blob_can_be_read_while_it_is_written(trial: &Trial) -> Checked {
    let log = trial.open(&session("meanwhile")?).await?;
    let store = blobs(&*log)?;
    let content = sample::bytes(50_000);
    let mut blob = store.create().await?;
    let id = blob.id().to_owned();
    let read = store.read(&id, ALL).await?;
    expect_bytes("the blob before it was written", &read, &[])?;
    for (number, piece) in content.chunks(5_000).enumerate() {
        blob.write(Bytes::copy_from_slice(piece)).await?;
        let read = store.read(&id, ALL).await?;
        let written = content.get(..(number + 1) * 5_000).unwrap_or(&content);
        ensure!(
            written.starts_with(&read),
            "{} bytes that were read of a blob are not its beginning",
            read.len()
        );
    }
    let named = blob.finish().await?;
    expect_blob(&*store, &named, &content).await
}

async fn an_unknown_blob_is_not_found(trial: &Trial) -> Checked {
    let log = trial.open(&session("unknown")?).await?;
    let store = blobs(&*log)?;
    let other = trial.open(&session("other")?).await?;
    let elsewhere = write(&*blobs(&*other)?, b"elsewhere", 99).await?;
    let read = store.read("no-such-blob", ALL).await;
    expect_one_of("reading an unknown blob", read, &[ErrorKind::NotFound])?;
    let mine = write(&*store, b"mine", 99).await?;
    // Ids need not differ between sessions, contents must.
    match store.read(&elsewhere.id, ALL).await {
        Ok(read) if elsewhere.id == mine.id => expect_bytes("the blob", &read, b"mine"),
        read => {
            let what = "reading the blob of another session";
            expect_one_of(what, read, &[ErrorKind::NotFound]).map(drop)
        }
    }
}

async fn an_id_that_looks_like_a_path_is_refused(trial: &Trial) -> Checked {
    let id = session("paths")?;
    let log = trial.filled(&id, 1).await?;
    let store = blobs(&*log)?;
    let blob = write(&*store, b"secret", 99).await?;
    let near = [
        format!("./{}", blob.id),
        format!("x/../{}", blob.id),
        format!("../blobs/{}", blob.id),
        format!("{}/", blob.id),
        format!("{}\0", blob.id),
    ];
    let fixed = [
        "",
        ".",
        "..",
        "/",
        "/etc/passwd",
        "../lock",
        "../../other",
        "..\\x",
        "a\0b",
        "*",
    ];
    for id in near.iter().map(String::as_str).chain(fixed) {
        let read = store.read(id, ALL).await;
        let what = format!("reading the blob {id:?}");
        expect_one_of(&what, read, &[ErrorKind::NotFound, ErrorKind::InvalidInput])?;
    }
    Ok(())
}

async fn blobs_have_ids_of_their_own(trial: &Trial) -> Checked {
    let id = session("ids")?;
    let mut ids = Vec::new();
    for round in 0..3 {
        let log = trial.open(&id).await?;
        let store = blobs(&*log)?;
        for number in 0..4 {
            let content = format!("{round}/{number}");
            ids.push((write(&*store, content.as_bytes(), 99).await?, content));
        }
        log.close().await?;
    }
    let reader = trial.other().await?.view(&id).await?;
    let store = blobs_of(&*reader)?;
    for (blob, content) in &ids {
        expect_blob(&*store, blob, content.as_bytes()).await?;
    }
    Ok(())
}

async fn blobs_are_read_through_any_reader(trial: &Trial) -> Checked {
    let id = session("readers")?;
    let log = trial.open(&id).await?;
    let content = sample::bytes(20_000);
    let blob = write(&*blobs(&*log)?, &content, 4_096).await?;
    let elsewhere = trial.other().await?.view(&id).await?;
    let here = trial.store().view(&id).await?;
    for reader in [log.reader(), here, elsewhere] {
        expect_blob(&*blobs_of(&*reader)?, &blob, &content).await?;
    }
    Ok(())
}

async fn blobs_survive_opening_again(trial: &Trial) -> Checked {
    let id = session("survive")?;
    let log = trial.open(&id).await?;
    let content = sample::bytes(70_000);
    let blob = write(&*blobs(&*log)?, &content, 8_192).await?;
    append(&*log, &sample::batch(0, 1, &blob.id)?).await?;
    log.close().await?;
    drop(log);
    let other = trial.other().await?;
    let log = trial.open_in(&other, &id).await?;
    let store = blobs(&*log)?;
    expect_blob(&*store, &blob, &content).await?;
    let second = write(&*store, b"second", 99).await?;
    expect_blob(&*store, &blob, &content).await?;
    expect_blob(&*store, &second, b"second").await
}

async fn a_reader_writes_no_blobs_beside_those_of_its_log(trial: &Trial) -> Checked {
    let id = session("reading")?;
    let log = trial.open(&id).await?;
    let there = write(&*blobs(&*log)?, b"there", 99).await?;
    let reader = trial.other().await?.view(&id).await?;
    let mut blob = match blobs_of(&*reader)?.create().await {
        Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(()),
        // In one process a reader can share what the writer has.
        created => created.map_err(|error| End::from(error).at("creating a blob as a reader"))?,
    };
    blob.write(Bytes::from_static(b"of a reader")).await?;
    let more = blob.finish().await?;
    let store = blobs(&*log)?;
    expect_blob(&*store, &there, b"there").await?;
    expect_blob(&*store, &more, b"of a reader").await
}

async fn a_blob_beyond_the_room_is_cut_and_marked(trial: &Trial) -> Checked {
    const PIECE: usize = 256 * 1024;
    let Some(room) = trial.storage().blob_bytes() else {
        return Err(End::unsupported("the harness names no room for blobs"));
    };
    let log = trial.open(&session("room")?).await?;
    let store = blobs(&*log)?;
    let content = sample::bytes(room as usize + 2 * PIECE + 1);
    let mut blob = store.create().await?;
    for piece in content.chunks(PIECE) {
        blob.write(Bytes::copy_from_slice(piece)).await?;
    }
    let named = blob.finish().await?;
    expect_eq("whether it is complete", named.complete, false)?;
    ensure!(
        named.len <= room,
        "a blob of {} bytes was taken where there is room for {room}",
        named.len
    );
    let kept = content.get(..named.len as usize).unwrap_or_default();
    let sha256 = hex::lower(&hmac_sha256::Hash::hash(kept));
    expect_eq("the SHA-256", named.sha256.as_str(), sha256.as_str())?;
    let tail = named.len.saturating_sub(1000);
    let read = store.read(&named.id, ByteRange::from(tail..)).await?;
    let wanted = kept.get(tail as usize..).unwrap_or_default();
    expect_bytes("the end of the blob", &read, wanted)?;
    let next = write(&*store, &content, PIECE).await?;
    expect_eq("whether the next one is complete", next.complete, false)?;
    expect_eq(
        "the room that both take",
        named.len + next.len <= room,
        true,
    )?;
    append(&*log, &sample::batch(0, 1, "events still fit")?).await
}

async fn several_blobs_are_written_at_once(trial: &Trial) -> Checked {
    let log = trial.open(&session("several")?).await?;
    let store = blobs(&*log)?;
    let mut tasks = Vec::new();
    for number in 0..8_usize {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let content = sample::bytes(40_000 + number);
            let blob = write(&*store, &content, 3_000 + number).await?;
            expect_blob(&*store, &blob, &content).await?;
            Ok(blob.id)
        }));
    }
    let mut ids: Vec<String> = Vec::new();
    for task in tasks {
        let done: Checked<String> = task
            .await
            .map_err(|error| End::failed(format!("writing a blob panicked: {error}")))?;
        ids.push(done?);
    }
    ids.sort();
    ids.dedup();
    expect_eq("the number of ids", ids.len(), 8)
}
