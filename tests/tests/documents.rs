//! What the pages in `docs` repeat from the code.

use std::fs;
use std::path::Path;

use oh_core::{AgentState, RuntimeStatus};

#[test]
fn the_page_on_events_shows_the_transitions_that_the_code_allows() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events.md");
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
            "put this between the markers of `{name}` in docs/events.md:\n{table}"
        );
    }
}
