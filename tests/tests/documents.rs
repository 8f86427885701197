//! What the pages in `docs` repeat from the code.

// Clippy's exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use oh_core::{AgentState, RuntimeStatus};

#[test]
fn the_page_on_events_shows_the_transitions_that_the_code_allows() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/event-json.md");
    let page = fs::read_to_string(file).unwrap();
    for (name, table) in [
        ("agent states", AgentState::transitions_markdown()),
        ("runtime status", RuntimeStatus::transitions_markdown()),
    ] {
        let (_, after) = page
            .split_once(&format!("<!-- {name}: generated -->\n"))
            .unwrap();
        let (shown, _) = after.split_once(&format!("<!-- {name}: end -->")).unwrap();
        assert_eq!(
            shown, table,
            "put this between the markers of `{name}` in docs/event-json.md:\n{table}"
        );
    }
}

#[test]
fn every_guarantee_of_the_page_on_events_names_a_test_that_there_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("docs/events.md")).unwrap();
    let mut sources = String::new();
    for folder in [
        "oh-core/src",
        "oh-events",
        "oh-runtime",
        "tests/tests",
        "benches",
    ] {
        read_sources(&root.join(folder), &mut sources);
    }
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| {
            line.starts_with("| ")
                && !line.starts_with("| Guarantee ")
                && !line.starts_with("| Store ")
        })
        .collect();
    assert!(rows.len() > 20, "the table of guarantees is gone");
    for row in rows {
        let shown_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let tests: Vec<&str> = shown_by
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()))
            .collect();
        assert!(!tests.is_empty(), "no test stands in: {row}");
        for test in tests {
            let there_is = sources.contains(&format!("fn {test}("));
            assert!(there_is, "there is no test `{test}`, named in: {row}");
        }
    }
}

fn read_sources(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}
