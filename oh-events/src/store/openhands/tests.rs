use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use oh_core::{ErrorKind, EventId, SessionId};
use tempfile::TempDir;

use super::OpenHandsStore;
use crate::store::{
    Damage, Direction, Durability, Encoded, EventLog, EventReader, EventStore, ReadRange, Snapshot,
    Writer,
};

struct Place {
    folder: TempDir,
    store: OpenHandsStore,
    session: SessionId,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            store: OpenHandsStore::new(folder.path()),
            session: SessionId::new("session-1").unwrap(),
            folder,
        }
    }

    /// Holds what Python wrote: 60 events and two pages.
    fn of_python() -> Self {
        let place = Self::new();
        for name in ["events", "event_cache"] {
            fs::create_dir_all(place.path(name)).unwrap();
            for file in sample().join(name).read_dir().unwrap() {
                let file = file.unwrap();
                let to = place.path(name).join(file.file_name());
                fs::copy(file.path(), to).unwrap();
            }
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.store.directory(&self.session).join(name)
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn names(&self, name: &str) -> BTreeSet<String> {
        let Ok(entries) = self.path(name).read_dir() else {
            return BTreeSet::new();
        };
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect()
    }

    async fn open(&self) -> Box<dyn EventLog> {
        self.open_with(Durability::default()).await
    }

    async fn open_with(&self, durability: Durability) -> Box<dyn EventLog> {
        let writer = Writer::new("test").durability(durability);
        self.store.open(&self.session, writer).await.unwrap()
    }

    async fn view(&self) -> Arc<dyn EventReader> {
        self.store.view(&self.session).await.unwrap()
    }
}

fn sample() -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.join("../tests/data/openhands-v0/store/sessions/session-1")
}

fn event(id: u64) -> Encoded {
    let json = format!(r#"{{"id":{id},"source":"user","action":"null","args":{{}}}}"#);
    Encoded::new(EventId(id), json).unwrap()
}

fn batch(from: u64, to: u64) -> Vec<Encoded> {
    (from..to).map(event).collect()
}

async fn append(log: &dyn EventLog, batch: &[Encoded]) {
    log.append(log.next(), log.epoch(), batch).await.unwrap();
}

/// Reads everything, page by page; the ids of what is damaged are apart.
async fn read_all(reader: &dyn EventReader, direction: Direction) -> (Vec<Encoded>, Vec<u64>) {
    let (mut events, mut damaged) = (Vec::new(), Vec::new());
    let mut range = ReadRange::default().limit(7).direction(direction);
    loop {
        let (from, to) = match reader.read(range).await {
            Ok(page) => {
                let Some(last) = page.last().map(Encoded::id) else {
                    break;
                };
                events.extend(page);
                (last, last.next())
            }
            Err(error) => {
                let damage = Damage::of(&error).unwrap();
                assert_eq!(error.kind(), ErrorKind::Corrupt);
                damaged.extend(damage.from.0..damage.to.0);
                (damage.from, damage.to)
            }
        };
        match direction {
            Direction::Forward => range.from = to,
            Direction::Reverse => range.to = from,
        }
    }
    if direction == Direction::Reverse {
        events.reverse();
        damaged.reverse();
    }
    (events, damaged)
}

/// The same in both directions.
async fn read_twice(reader: &dyn EventReader) -> (Vec<Encoded>, Vec<u64>) {
    let forward = read_all(reader, Direction::Forward).await;
    let reverse = read_all(reader, Direction::Reverse).await;
    assert_eq!(forward, reverse);
    forward
}

fn ids(events: &[Encoded]) -> Vec<u64> {
    events.iter().map(|event| event.id().0).collect()
}

#[tokio::test]
async fn what_python_wrote_is_read_byte_for_byte() {
    let place = Place::of_python();
    let log = place.open().await;
    assert_eq!(log.next(), EventId(60));
    let (events, damaged) = read_twice(&*log.reader()).await;
    assert_eq!(damaged, Vec::<u64>::new());
    assert_eq!(ids(&events), (0..60).collect::<Vec<_>>());
    for event in &events {
        let file = fs::read(sample().join(format!("events/{}.json", event.id()))).unwrap();
        assert_eq!(event.json()[..], file, "event {}", event.id());
        oh_core::codec::decode_event(event.json()).unwrap();
    }
    let (viewed, _) = read_twice(&*place.view().await).await;
    assert_eq!(viewed, events);
    assert_eq!(
        place.store.sessions(None, 9).await.unwrap(),
        [place.session]
    );
}

#[tokio::test]
async fn a_log_of_python_goes_on_and_its_files_stay_as_they_were() {
    let place = Place::of_python();
    let log = place.open().await;
    append(&*log, &batch(60, 80)).await;
    log.close().await.unwrap();
    for id in 60..80 {
        let file = fs::read(place.path(&format!("events/{id}.json"))).unwrap();
        assert_eq!(file, event(id).json()[..]);
    }
    for name in ["events", "event_cache"] {
        for file in sample().join(name).read_dir().unwrap() {
            let file = file.unwrap();
            let ours = place.path(name).join(file.file_name());
            assert_eq!(fs::read(file.path()).unwrap(), fs::read(ours).unwrap());
        }
    }
    assert_eq!(
        place.names("event_cache"),
        ["0-25.json", "25-50.json", "50-75.json"]
            .map(String::from)
            .into()
    );
    let (events, _) = read_twice(&*place.view().await).await;
    assert_eq!(ids(&events), (0..80).collect::<Vec<_>>());
}

#[tokio::test]
async fn pages_hold_25_events_from_a_multiple_of_25_on_also_after_opening_again() {
    let place = Place::new();
    let mut next = 0;
    for count in [7, 17, 1, 24, 1, 60] {
        let log = place.open().await;
        append(&*log, &batch(next, next + count)).await;
        next += count;
        log.close().await.unwrap();
    }
    let pages = ["0-25.json", "25-50.json", "50-75.json", "75-100.json"];
    assert_eq!(place.names("event_cache"), pages.map(String::from).into());
    for (page, first) in pages.iter().zip([0, 25, 50, 75]) {
        let text = fs::read(place.path(&format!("event_cache/{page}"))).unwrap();
        let page: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
        let ids: Vec<_> = page
            .iter()
            .map(|event| event["id"].as_u64().unwrap())
            .collect();
        assert_eq!(ids, (first..first + 25).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_page_that_was_left_out_is_made_up_for() {
    let place = Place::new();
    // As V0 leaves it that was opened again at 20: it never writes the page of 0 to 25.
    for id in 0..30 {
        place.put(&format!("events/{id}.json"), event(id).json());
    }
    place.put("event_cache/20-45.json", "[]");
    let log = place.open().await;
    append(&*log, &batch(30, 31)).await;
    assert_eq!(
        place.names("event_cache"),
        ["0-25.json", "20-45.json"].map(String::from).into()
    );
    assert_eq!(
        fs::read(place.path("event_cache/20-45.json")).unwrap(),
        b"[]"
    );
}

#[tokio::test]
async fn a_page_stands_for_its_files() {
    let place = Place::of_python();
    for id in 3..20 {
        fs::remove_file(place.path(&format!("events/{id}.json"))).unwrap();
    }
    for id in 25..50 {
        fs::remove_file(place.path(&format!("events/{id}.json"))).unwrap();
    }
    let (events, damaged) = read_twice(&*place.view().await).await;
    assert_eq!(ids(&events), (0..60).collect::<Vec<_>>());
    assert_eq!(damaged, Vec::<u64>::new());
}

#[tokio::test]
async fn a_page_that_is_no_page_is_passed_over_for_the_files() {
    let place = Place::of_python();
    let page = fs::read_to_string(place.path("event_cache/0-25.json")).unwrap();
    let another = fs::read_to_string(place.path("event_cache/25-50.json")).unwrap();
    for garbled in ["", "[", "[]", "{}", &page[..page.len() - 9], &another] {
        place.put("event_cache/0-25.json", garbled);
        let (events, damaged) = read_twice(&*place.view().await).await;
        assert_eq!(ids(&events), (0..60).collect::<Vec<_>>(), "{garbled}");
        assert_eq!(damaged, Vec::<u64>::new());
    }
}

#[tokio::test]
async fn holes_are_passed_over_however_large() {
    let place = Place::new();
    let there = [0, 1, 5, 90, 91, 1_000_000_000_000];
    for id in there {
        place.put(&format!("events/{id}.json"), event(id).json());
    }
    let log = place.open().await;
    assert_eq!(log.next(), EventId(1_000_000_000_001));
    let (events, damaged) = read_twice(&*log.reader()).await;
    assert_eq!(ids(&events), there);
    assert_eq!(damaged, Vec::<u64>::new());
    let hole = ReadRange::new(EventId(92), EventId(1_000_000_000_000));
    for direction in [Direction::Forward, Direction::Reverse] {
        let page = log.reader().read(hole.direction(direction)).await.unwrap();
        assert_eq!(page, []);
    }
    append(&*log, &[event(1_000_000_000_001)]).await;
}

#[tokio::test]
async fn a_file_that_is_no_whole_event_is_damage_that_names_it() {
    let whole = event(3).json().to_vec();
    let contents: [&[u8]; 9] = [
        b"",
        b"{",
        &whole[..whole.len() - 1],
        b"[3]",
        b"null",
        br#"{"id":4,"source":"user","action":"null","args":{}}"#,
        br#"{"source":"user","action":"null","args":{}}"#,
        br#"{"id":3,"action":"null","args":{}}{"id":3}"#,
        b"{\"id\":3,\"content\":\"\xff\xfe\"}",
    ];
    for content in contents {
        let place = Place::new();
        for id in 0..6 {
            place.put(&format!("events/{id}.json"), event(id).json());
        }
        place.put("events/3.json", content);
        let log = place.open().await;
        assert_eq!(log.next(), EventId(6));
        let (events, damaged) = read_twice(&*log.reader()).await;
        let shown = String::from_utf8_lossy(content);
        assert_eq!(ids(&events), [0, 1, 2, 4, 5], "{shown}");
        assert_eq!(damaged, [3], "{shown}");
        let at = ReadRange::new(EventId(3), EventId(6));
        let error = log.reader().read(at).await.unwrap_err();
        assert!(error.to_string().contains("3.json"), "{error}");
        append(&*log, &batch(6, 7)).await;
        // The page of a log that holds damage is not written: V0 would give up on all of it.
        append(&*log, &batch(7, 30)).await;
        assert_eq!(place.names("event_cache"), BTreeSet::new());
    }
}

#[tokio::test]
async fn an_event_on_several_lines_becomes_one_line() {
    let place = Place::new();
    let pretty =
        "\n {\r\n  \"source\": \"user\",\n  \"id\": 0,\n  \"args\": {\"x\": \"a\\nb\"}\n}\n";
    place.put("events/0.json", pretty);
    let (events, damaged) = read_twice(&*place.view().await).await;
    assert_eq!(damaged, Vec::<u64>::new());
    let line = "{\r   \"source\": \"user\",   \"id\": 0,   \"args\": {\"x\": \"a\\nb\"} }";
    assert_eq!(events[0].json(), line);
}

#[tokio::test]
async fn files_of_others_are_left_alone() {
    let place = Place::of_python();
    let others = [
        "metadata.json",
        "agent_state.pkl",
        "conversation_stats.pkl",
        "events/notes.txt",
        "events/.hidden",
        "events/x.json",
        "events/007.json",
        "event_cache/7-32.json",
        "event_cache/readme",
    ];
    for name in others {
        place.put(name, name);
    }
    let log = place.open().await;
    assert_eq!(log.next(), EventId(60));
    append(&*log, &batch(60, 100)).await;
    log.save_snapshot(&Snapshot::new(EventId(100), &b"state"[..]))
        .await
        .unwrap();
    log.close().await.unwrap();
    drop(log);
    let (events, damaged) = read_twice(&*place.view().await).await;
    assert_eq!((events.len(), damaged.len()), (100, 0));
    for name in others {
        assert_eq!(fs::read(place.path(name)).unwrap(), name.as_bytes());
    }
    place.store.remove(&place.session).await.unwrap();
    assert_eq!(
        place.names(""),
        ["metadata.json", "agent_state.pkl", "conversation_stats.pkl"]
            .map(String::from)
            .into()
    );
    let viewed = place.store.view(&place.session).await;
    assert_eq!(viewed.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_name_that_v0_takes_for_an_event_keeps_its_id() {
    let place = Place::new();
    place.put("events/0.json", event(0).json());
    // V0 looks at what stands before the first dot.
    place.put("events/12.json.tmp", "");
    let log = place.open().await;
    assert_eq!(log.next(), EventId(13));
    append(&*log, &[event(13)]).await;
    let (events, _) = read_twice(&*log.reader()).await;
    assert_eq!(ids(&events), [0, 13]);
}

#[tokio::test]
async fn nothing_but_whole_events_is_ever_in_the_folder_of_events() {
    let place = Place::new();
    let log = place.open().await;
    append(&*log, &batch(0, 3)).await;
    // What a writer that was killed left half done.
    place.put("oh/new/3.json", "{\"id\":3,");
    drop(log);
    let log = place.open().await;
    assert_eq!(log.next(), EventId(3));
    assert_eq!(place.names("oh/new"), BTreeSet::new());
    append(&*log, &batch(3, 30)).await;
    assert_eq!(place.names("oh/new"), BTreeSet::new());
    let wanted: BTreeSet<_> = (0..30).map(|id| format!("{id}.json")).collect();
    assert_eq!(place.names("events"), wanted);
}

#[tokio::test]
async fn an_event_that_v0_wrote_meanwhile_is_a_conflict_and_is_not_replaced() {
    let place = Place::new();
    let log = place.open().await;
    append(&*log, &batch(0, 5)).await;
    place.put("events/7.json", "of Python");
    let appended = log.append(EventId(5), log.epoch(), &batch(5, 9)).await;
    let error = appended.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    // The first two of the batch were there already, and were taken back.
    let wanted = ["0", "1", "2", "3", "4", "7"].map(|id| format!("{id}.json"));
    assert_eq!(place.names("events"), wanted.into());
    assert_eq!(fs::read(place.path("events/7.json")).unwrap(), b"of Python");
    assert_eq!(log.next(), EventId(5));
    append(&*log, &batch(5, 7)).await;
    drop(log);
    assert_eq!(place.open().await.next(), EventId(8));
}

#[tokio::test]
async fn a_follower_sees_what_python_writes() {
    let place = Place::of_python();
    let reader = place.view().await;
    for id in 60..64 {
        let waiting = reader.wait_past(EventId(id));
        place.put(&format!("events/{id}.json"), event(id).json());
        assert_eq!(waiting.await.unwrap(), EventId(id + 1));
    }
    // 64 is never written.
    place.put("events/65.json", event(65).json());
    assert_eq!(reader.wait_past(EventId(64)).await.unwrap(), EventId(66));
    let (events, _) = read_twice(&*reader).await;
    assert_eq!(events.len(), 65);
}

#[tokio::test(start_paused = true)]
async fn a_follower_waits_for_an_event_that_python_is_writing() {
    let place = Place::of_python();
    let early = place.view().await;
    let half = |id: u64, modified| {
        place.put(&format!("events/{id}.json"), &event(id).json()[..20]);
        let file = fs::File::options()
            .write(true)
            .open(place.path(&format!("events/{id}.json")));
        file.unwrap().set_modified(modified).unwrap();
    };
    // As long as the file is young; here it stays so.
    half(60, SystemTime::now() + Duration::from_secs(3600));
    let late = place.view().await;
    for reader in [&early, &late] {
        let waiting = reader.wait_past(EventId(60));
        let waited = tokio::time::timeout(Duration::from_secs(9), waiting).await;
        assert!(waited.is_err(), "{waited:?}");
        assert_eq!(reader.next(), EventId(60));
    }
    place.put("events/60.json", event(60).json());
    // What stays as it is was never finished.
    half(61, SystemTime::UNIX_EPOCH);
    for reader in [early, late] {
        assert!(reader.wait_past(EventId(60)).await.unwrap() > EventId(60));
        assert_eq!(reader.wait_past(EventId(61)).await.unwrap(), EventId(62));
        let (events, damaged) = read_twice(&*reader).await;
        assert_eq!(events.last(), Some(&event(60)));
        assert_eq!(damaged, [61]);
    }
}

#[tokio::test]
async fn flushing_works_under_every_policy() {
    for durability in [
        Durability::Never,
        Durability::default(),
        Durability::Group,
        Durability::Each,
    ] {
        let place = Place::new();
        let log = place.open_with(durability).await;
        append(&*log, &batch(0, 30)).await;
        assert_eq!(log.sync().await.unwrap(), EventId(30));
        append(&*log, &batch(30, 31)).await;
        assert_eq!(log.sync().await.unwrap(), EventId(31));
        log.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_written_to_disk_makes_the_outcome_unknown() {
    let place = Place::new();
    let log = place.open_with(Durability::Never).await;
    append(&*log, &batch(0, 2)).await;
    // What the file system lost is found when it is to be synced.
    fs::remove_file(place.path("events/1.json")).unwrap();
    log.sync().await.unwrap_err();
    log.sync().await.unwrap_err();
    let appended = log.append(EventId(2), log.epoch(), &batch(2, 3)).await;
    assert_eq!(appended.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn sessions_of_users_are_apart() {
    let folder = tempfile::tempdir().unwrap();
    let store = OpenHandsStore::new(folder.path());
    let one = store.clone().user("one").unwrap();
    let session = SessionId::new("s").unwrap();
    let log = one.open(&session, Writer::new("test")).await.unwrap();
    append(&*log, &batch(0, 1)).await;
    let place = folder
        .path()
        .join("users/one/conversations/s/events/0.json");
    assert!(place.is_file());
    assert_eq!(store.sessions(None, 9).await.unwrap(), []);
    let two = store.clone().user("two").unwrap();
    assert_eq!(two.sessions(None, 9).await.unwrap(), []);
    for user in ["", ".", "..", "a/b", "/", "a\0"] {
        let refused = store.clone().user(user).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    }
}

#[tokio::test]
async fn what_we_write_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let log = place.open().await;
    append(&*log, &batch(0, 25)).await;
    let mode = |name: &str| fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("events/0.json"), 0o600);
    assert_eq!(mode("event_cache/0-25.json"), 0o600);
    for folder in ["", "events", "event_cache", "oh"] {
        assert_eq!(mode(folder), 0o700, "{folder}");
    }
    drop(place.folder);
}

#[tokio::test(start_paused = true)]
async fn there_is_nothing_after_the_last_id() {
    let place = Place::new();
    append(&*place.open().await, &batch(0, 1)).await;
    let reader = place.view().await;
    let last = u64::MAX - 1;
    place.put(&format!("events/{last}.json"), event(last).json());
    // No event of a log: there would be no id after it.
    place.put(&format!("events/{}.json", u64::MAX), "{}");
    let log = place.open().await;
    assert_eq!(log.next(), EventId(u64::MAX));
    let events = [event(0), event(last)];
    assert_eq!(read_twice(&*log.reader()).await.0, events);
    for batch in [vec![event(u64::MAX)], vec![event(u64::MAX), event(0)]] {
        let appended = log.append(log.next(), log.epoch(), &batch).await;
        assert_eq!(appended.unwrap_err().kind(), ErrorKind::TooLarge);
    }
    drop(log);
    // Long ago, so that a look goes beyond holes.
    let folder = fs::File::open(place.path("events")).unwrap();
    folder.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    for reader in [reader, place.view().await] {
        let known = reader.next();
        let waiting = reader.wait_past(EventId(u64::MAX));
        let waited = tokio::time::timeout(Duration::from_secs(9), waiting).await;
        assert!(waited.is_err(), "{waited:?}");
        assert_eq!(reader.next(), known);
    }
}

#[tokio::test]
async fn a_folder_or_a_file_without_an_end_in_the_place_of_an_event_is_damage() {
    let place = Place::new();
    append(&*place.open().await, &batch(0, 30)).await;
    fs::remove_file(place.path("event_cache/0-25.json")).unwrap();
    for name in ["events/3.json", "events/7.json"] {
        fs::remove_file(place.path(name)).unwrap();
    }
    fs::create_dir(place.path("events/3.json")).unwrap();
    let sparse = |name: &str| {
        let file = fs::File::create(place.path(name)).unwrap();
        file.set_len(1 << 40).unwrap();
        // No one is writing it just now.
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    };
    sparse("events/7.json");
    let wanted: Vec<u64> = (0..30).filter(|id| ![3, 7].contains(id)).collect();
    // So it is for pages, whose events have files.
    for page in ["none", "folder", "endless"] {
        match page {
            "folder" => fs::create_dir(place.path("event_cache/0-25.json")).unwrap(),
            "endless" => {
                fs::remove_dir(place.path("event_cache/0-25.json")).unwrap();
                sparse("event_cache/0-25.json");
            }
            _ => {}
        }
        let (events, damaged) = read_twice(&*place.view().await).await;
        assert_eq!(ids(&events), wanted, "{page}");
        assert_eq!(damaged, [3, 7], "{page}");
        let log = place.open().await;
        assert_eq!(log.next(), EventId(30));
    }
}

#[tokio::test]
async fn a_log_that_is_opened_while_it_is_removed_has_one_writer_and_all_of_its_events() {
    let place = Place::new();
    let remover = tokio::spawn({
        let (store, session) = (place.store.clone(), place.session.clone());
        async move {
            let mut removed = 0;
            while removed < 100 {
                match store.remove(&session).await {
                    Ok(()) => removed += 1,
                    Err(error) => assert!(
                        matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict),
                        "{error:?}"
                    ),
                }
                tokio::task::yield_now().await;
            }
        }
    });
    while !remover.is_finished() {
        let writer = || Writer::new("test").durability(Durability::Never);
        match place.store.open(&place.session, writer()).await {
            Ok(log) => {
                assert_eq!(log.next(), EventId(0));
                append(&*log, &batch(0, 2)).await;
                let second = place.store.open(&place.session, writer()).await;
                assert_eq!(second.unwrap_err().kind(), ErrorKind::Conflict);
                assert_eq!(ids(&read_twice(&*log.reader()).await.0), [0, 1]);
                drop(log);
                // Unless the remover was faster.
                while place.path("oh/lock").exists() && !remover.is_finished() {
                    tokio::task::yield_now().await;
                }
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
        }
    }
    remover.await.unwrap();
}
