//! The conformance suite notices stores that are broken: for each fault, a check that has to
//! fail, and what its reason has to speak of.

#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod broken;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use broken::{Broken, Fault, Shared};
use futures::StreamExt;
use oh_core::{Error, ErrorKind, Result, SessionId};
use oh_events::conformance::{self, Options, Report, Storage, StoreHarness, Verdict};
use oh_events::{EventStore, SegmentStore};
use tempfile::TempDir;

const BLOB_BYTES: u64 = 1024 * 1024;

/// Fault, name of a check, part of its reason.
const CAUGHT: &[(Fault, &str, &str)] = &[
    (
        Fault::LosesTheLastOfABatch,
        "a_batch_is_appended_as_a_whole",
        "the ids of a batch follow one another",
    ),
    (
        Fault::AcknowledgesBeforeItWrites,
        "what_was_acknowledged_is_there_for_everyone",
        "holds 0 events instead of 1",
    ),
    (
        Fault::AcknowledgesBeforeItWrites,
        "what_was_acknowledged_is_there_after_a_writer_that_did_not_close",
        "EventId(0) instead of EventId(12)",
    ),
    (
        Fault::IgnoresTheExpectedId,
        "an_expected_id_that_is_not_the_next_is_a_conflict_and_changes_nothing",
        "succeeded",
    ),
    (
        Fault::IgnoresTheEpoch,
        "another_epoch_is_a_conflict_and_changes_nothing",
        "succeeded",
    ),
    (
        Fault::WritesUpToAGap,
        "a_batch_with_a_gap_is_invalid_and_changes_nothing",
        "EventId(3) instead of EventId(2)",
    ),
    (
        Fault::CallsEveryErrorInternal,
        "an_unknown_session_is_not_found",
        "internal",
    ),
    (
        Fault::CallsEveryErrorInternal,
        "a_closed_log_takes_nothing",
        "internal",
    ),
    (
        Fault::LetsASecondWriterIn,
        "a_second_writer_gets_a_conflict_that_names_the_first",
        "succeeded",
    ),
    (
        Fault::LetsASecondWriterIn,
        "a_second_writer_from_elsewhere_gets_a_conflict_that_names_the_first",
        "succeeded",
    ),
    (
        Fault::NamesNoHolder,
        "a_second_writer_gets_a_conflict_that_names_the_first",
        "no Holder",
    ),
    (
        Fault::KeepsTheLogAfterClosing,
        "a_closed_log_is_free_at_once",
        "conflict",
    ),
    (
        Fault::TakesEventsAfterClosing,
        "a_closed_log_takes_nothing",
        "succeeded",
    ),
    (
        Fault::LetsTheFormerWriterGoOn,
        "a_writer_whose_hold_ran_out_cannot_append",
        "succeeded",
    ),
    (
        Fault::NeverRaisesTheEpoch,
        "a_log_goes_on_after_it_was_closed",
        "the epoch rises",
    ),
    (
        Fault::NamesTheLastIdInSync,
        "sync_names_the_next_id",
        "EventId(3) instead of EventId(4)",
    ),
    (
        Fault::ReadsWhatWasThereAtFirst,
        "a_reader_sees_what_was_appended_after_it_was_made",
        "EventId(0) instead of EventId(1)",
    ),
    (
        Fault::IgnoresTheLimit,
        "pages_keep_their_limit_and_lose_nothing",
        "its limit is 1",
    ),
    (
        Fault::IgnoresTheBytesOfAPage,
        "pages_keep_their_limit_and_lose_nothing",
        "a page went on after",
    ),
    (
        Fault::GivesEmptyPages,
        "a_page_of_few_bytes_holds_one_event",
        "holds 0 events",
    ),
    (
        Fault::ReadsForwardOnly,
        "any_range_is_read_in_both_directions",
        "direction Reverse",
    ),
    (
        Fault::ReadsOneTooMany,
        "any_range_is_read_in_both_directions",
        "holds the ids",
    ),
    (
        Fault::RewritesJson,
        "the_exact_bytes_come_back",
        "the first difference is at byte",
    ),
    (
        Fault::NeverWakes,
        "an_append_wakes_a_reader_of_the_log",
        "did not end in",
    ),
    (
        Fault::NeverWakes,
        "a_viewer_from_elsewhere_follows",
        "did not end in",
    ),
    (
        Fault::WakesTooEarly,
        "waiting_for_a_later_event_does_not_end_early",
        "ended with the next id 0",
    ),
    (
        Fault::LosesAWaitThatWasGivenUp,
        "a_wait_that_was_given_up_loses_nothing",
        "did not end in",
    ),
    (
        Fault::NamesSessionsInAnyOrder,
        "sessions_are_named_in_order",
        "instead of",
    ),
    (
        Fault::NamesSessionsFromTheStart,
        "sessions_are_named_in_pages",
        "did not end in",
    ),
    (
        Fault::MakesSessionsByLooking,
        "an_unknown_session_is_not_found",
        "succeeded",
    ),
    (Fault::IgnoresCase, "every_allowed_name_works", ""),
    (
        Fault::HashesWrongly,
        "a_blob_comes_back_with_its_length_and_sha_256",
        "SHA-256",
    ),
    (
        Fault::IgnoresRanges,
        "ranges_of_a_blob_are_read",
        "10000 bytes instead of 0",
    ),
    (
        Fault::CallsCutBlobsComplete,
        "a_blob_beyond_the_room_is_cut_and_marked",
        "complete is true",
    ),
    (
        Fault::TakesPathsForBlobs,
        "an_id_that_looks_like_a_path_is_refused",
        "succeeded",
    ),
    (
        Fault::HidesBlobsFromReaders,
        "blobs_are_read_through_any_reader",
        "its reader has none",
    ),
    (
        Fault::ForgetsSnapshots,
        "a_snapshot_survives_opening_again",
        "there is no snapshot",
    ),
    (
        Fault::KeepsTheFirstSnapshot,
        "a_snapshot_replaces_the_former_one",
        "EventId(2) instead of EventId(3)",
    ),
    (
        Fault::ForksEverything,
        "a_fork_shares_the_past",
        "holds 90 events instead of 37",
    ),
    (
        Fault::ForksOntoWhatIsThere,
        "a_fork_onto_a_session_already_exists_and_changes_nothing",
        "succeeded",
    ),
    (
        Fault::ForgetsToRemove,
        "a_removed_session_is_gone",
        "succeeded",
    ),
    (
        Fault::ForgetsToRemove,
        "a_removed_session_can_be_begun_anew",
        "EventId(40) instead of EventId(0)",
    ),
    (
        Fault::RemovesUnderTheWriter,
        "a_session_with_a_writer_is_not_removed",
        "succeeded",
    ),
    (
        Fault::Panics,
        "any_range_is_read_in_both_directions",
        "an index out of order",
    ),
];

#[derive(Debug)]
struct Harness(Fault);

#[derive(Debug)]
struct Place {
    folder: TempDir,
    shared: Arc<Shared>,
}

#[async_trait]
impl StoreHarness for Harness {
    async fn storage(&self) -> Result<Box<dyn Storage>> {
        let folder = tempfile::tempdir().map_err(|error| Error::io("make folder", error))?;
        let shared = Shared::new(self.0);
        Ok(Box::new(Place { folder, shared }))
    }
}

#[async_trait]
impl Storage for Place {
    async fn open(&self) -> Result<Arc<dyn EventStore>> {
        let store = SegmentStore::new(self.folder.path()).blob_bytes(BLOB_BYTES);
        Ok(Arc::new(Broken::new(store, &self.shared)))
    }

    fn blob_bytes(&self) -> Option<u64> {
        Some(BLOB_BYTES)
    }

    async fn expire_writer(&self, session: &SessionId) -> Result<()> {
        self.shared.expire(session).await
    }
}

async fn check(fault: Fault, names: &[&str], guard: Duration) -> Report {
    let mut options = Options::default().guard(guard).parallel(4);
    options.only = names.iter().map(|name| format!("::{name}")).collect();
    conformance::run(&Harness(fault), &options).await
}

/// Checks that did not fail as they should.
async fn missed(fault: Fault) -> Vec<String> {
    let wanted = CAUGHT.iter().filter(|(other, ..)| *other == fault);
    let names: Vec<_> = wanted.clone().map(|(_, name, _)| *name).collect();
    // Checks that hang fail by the guard, so it may be short where nothing else is expected.
    let hangs = wanted
        .clone()
        .all(|(.., reason)| *reason == "did not end in");
    let guard = Duration::from_secs(if hangs { 5 } else { 60 });
    let report = check(fault, &names, guard).await;
    wanted
        .filter_map(|(_, name, reason)| {
            let found = report.checks.iter().find(|check| check.name == *name);
            match found.map(|check| &check.verdict) {
                Some(Verdict::Failed(found)) if found.contains(reason) => None,
                other => Some(format!("{fault:?}: {name}: {other:?}")),
            }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_caught() {
    let mut faults: Vec<Fault> = CAUGHT.iter().map(|(fault, ..)| *fault).collect();
    faults.sort();
    faults.dedup();
    // Many at once: most of the time goes by until the guard ends a check that hangs.
    let missed: Vec<String> = futures::stream::iter(faults)
        .map(missed)
        .buffer_unordered(8)
        .concat()
        .await;
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_wrapper_without_a_fault_is_green() {
    let names: Vec<_> = CAUGHT.iter().map(|(_, name, _)| *name).collect();
    let report = check(Fault::Nothing, &names, Duration::from_secs(60)).await;
    assert!(report.is_green(), "{report}");
    assert_eq!(report.unsupported().count(), 0, "{report}");
}

/// Its storage cannot be made.
#[derive(Debug)]
struct NoPlace;

#[async_trait]
impl StoreHarness for NoPlace {
    async fn storage(&self) -> Result<Box<dyn Storage>> {
        Err(Error::new(ErrorKind::Unavailable, "reach the server"))
    }
}

#[tokio::test]
async fn a_storage_that_cannot_be_made_fails_every_check() {
    let report = conformance::run(&NoPlace, &Options::default()).await;
    assert!(!report.is_green());
    assert_eq!(report.failed().count(), report.checks.len());
    assert!(report.to_string().contains("unavailable"), "{report}");
}

#[tokio::test]
async fn a_filter_that_matches_nothing_is_not_green() {
    let options = Options::default().only("no such check");
    let report = conformance::run(&Harness(Fault::Nothing), &options).await;
    assert!(!report.is_green());
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_are_repeated_and_observed_as_asked() {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let observer = Arc::clone(&seen);
    let options = Options::default()
        .only("snapshot::")
        .only("sync_names_the_next_id")
        .skip("snapshot::")
        .times(3)
        .on_check(move |check| observer.lock().unwrap().push(check.name));
    let report = conformance::run(&Harness(Fault::Nothing), &options).await;
    assert!(report.is_green(), "{report}");
    assert_eq!(*seen.lock().unwrap(), ["sync_names_the_next_id"]);
}

#[test]
fn there_are_at_least_eighty_checks_with_names_of_their_own() {
    let mut names: Vec<_> = conformance::checks()
        .map(|check| check.full_name())
        .collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "two checks have one name");
    assert!(count >= 80, "there are {count} checks");
}
