use proptest::prelude::*;

use super::{Edit, EditError, EditOutput, Edited, NearMiss, UndoHistory, unified_diff};
use crate::{Error, ErrorKind};

fn text(edit: &Edit, current: &str) -> String {
    edit.apply(Some(current)).unwrap().text
}

fn path(text: &str) -> crate::runtime::SandboxPath {
    crate::runtime::SandboxPath::new(text).unwrap()
}

#[test]
fn create_writes_the_text_as_given_and_refuses_an_existing_file() {
    let edit = Edit::create("no newline");
    assert_eq!(edit.apply(None).unwrap().text, "no newline");
    assert_eq!(edit.apply(Some("")), Err(EditError::FileExists));
}

#[test]
fn replace_and_insert_need_a_file() {
    assert_eq!(
        Edit::replace("a", "b").apply(None),
        Err(EditError::FileMissing)
    );
    assert_eq!(
        Edit::insert(0, "b").apply(None),
        Err(EditError::FileMissing)
    );
}

#[test]
fn replace_changes_the_only_occurrence_and_says_which_lines() {
    let edited = Edit::replace("two", "2\n2.5")
        .apply(Some("one\ntwo\nthree\n"))
        .unwrap();
    assert_eq!(edited.text, "one\n2\n2.5\nthree\n");
    assert_eq!(
        (edited.first_changed_line, edited.last_changed_line),
        (2, 3)
    );
    assert_eq!(
        edited.diff,
        "@@ -1,3 +1,4 @@\n one\n-two\n+2\n+2.5\n three\n"
    );
}

#[test]
fn replace_by_nothing_removes() {
    let edited = Edit::replace("two\n", "")
        .apply(Some("one\ntwo\n"))
        .unwrap();
    assert_eq!(edited.text, "one\n");
    assert_eq!(
        (edited.first_changed_line, edited.last_changed_line),
        (1, 1)
    );
}

#[test]
fn several_occurrences_are_refused_with_their_lines() {
    let refusal = Edit::replace("x", "y")
        .apply(Some("x x\n\nx\n"))
        .unwrap_err();
    assert_eq!(
        refusal,
        EditError::SeveralMatches {
            count: 3,
            lines: vec![1, 3]
        }
    );
    assert!(refusal.to_string().contains("lines 1, 3"), "{refusal}");
}

#[test]
fn occurrences_that_overlap_are_several() {
    let refusal = Edit::replace("aa", "b").apply(Some("aaa")).unwrap_err();
    assert_eq!(
        refusal,
        EditError::SeveralMatches {
            count: 2,
            lines: vec![1]
        }
    );
}

#[test]
fn an_empty_or_unchanged_replacement_is_refused() {
    assert_eq!(
        Edit::replace("", "y").apply(Some("x")),
        Err(EditError::EmptyOld)
    );
    assert_eq!(
        Edit::replace("x", "x").apply(Some("x")),
        Err(EditError::Identical)
    );
    assert_eq!(
        Edit::replace("x\n", "x\r\n").apply(Some("x\r\n")),
        Err(EditError::Identical)
    );
}

#[test]
fn a_wrong_indentation_is_named_with_the_line_as_it_stands() {
    let refusal = Edit::replace("  if a:\n    b()", "c")
        .apply(Some("def f():\n\tif a:\n\t\tb()\n"))
        .unwrap_err();
    let near = NearMiss::WhiteSpace {
        line: 2,
        text: "\tif a:".into(),
    };
    assert_eq!(refusal, EditError::NoMatch { near: Some(near) });
    assert!(
        refusal
            .to_string()
            .contains(r#"line 2 it differs only in white space; that line is "\tif a:""#)
    );
}

#[test]
fn a_misspelt_line_is_answered_with_the_most_similar_one() {
    let refusal = Edit::replace("let conut = 1;", "c")
        .apply(Some("fn main() {\n    let count = 1;\n}\n"))
        .unwrap_err();
    let near = NearMiss::Similar {
        line: 2,
        text: "    let count = 1;".into(),
    };
    assert_eq!(refusal, EditError::NoMatch { near: Some(near) });
}

#[test]
fn a_text_like_nothing_in_the_file_gets_no_false_hint() {
    let refusal = Edit::replace("zzzz", "c")
        .apply(Some("fn main() {}\n"))
        .unwrap_err();
    assert_eq!(refusal, EditError::NoMatch { near: None });
}

#[test]
fn insert_puts_lines_after_a_line_and_at_the_top() {
    assert_eq!(text(&Edit::insert(0, "top"), "a\nb\n"), "top\na\nb\n");
    assert_eq!(text(&Edit::insert(1, "x\ny\n"), "a\nb\n"), "a\nx\ny\nb\n");
    assert_eq!(text(&Edit::insert(2, "end"), "a\nb\n"), "a\nb\nend\n");
    assert_eq!(text(&Edit::insert(0, "first"), ""), "first\n");
    assert_eq!(text(&Edit::insert(1, ""), "a\nb\n"), "a\n\nb\n");
}

#[test]
fn insert_after_a_last_line_without_line_end_is_not_glued_to_it() {
    assert_eq!(text(&Edit::insert(1, "b"), "a"), "a\nb");
    assert_eq!(text(&Edit::insert(2, "c\n"), "a\r\nb"), "a\r\nb\r\nc\r\n");
}

#[test]
fn insert_beyond_the_file_names_the_range() {
    let refusal = Edit::insert(3, "x").apply(Some("a\nb\n")).unwrap_err();
    assert_eq!(refusal, EditError::LineOutOfRange { asked: 3, lines: 2 });
    assert!(refusal.to_string().contains("0 (top) to 2"), "{refusal}");
}

#[test]
fn a_crlf_file_stays_crlf_and_matches_texts_given_with_lf() {
    assert_eq!(
        text(&Edit::replace("a\nb", "x\ny"), "a\r\nb\r\nc\r\n"),
        "x\r\ny\r\nc\r\n"
    );
    assert_eq!(text(&Edit::replace("a\r\nb", "x"), "a\r\nb\r\n"), "x\r\n");
    assert_eq!(
        text(&Edit::insert(1, "x\ny"), "a\r\nb\r\n"),
        "a\r\nx\r\ny\r\nb\r\n"
    );
}

#[test]
fn a_file_of_mixed_line_ends_is_touched_only_where_it_is_replaced() {
    assert_eq!(
        text(&Edit::replace("b", "x\ny"), "a\r\nb\nc\r\n"),
        "a\r\nx\ny\nc\r\n"
    );
    assert_eq!(
        text(&Edit::insert(1, "x"), "a\r\nb\nc\r\n"),
        "a\r\nx\r\nb\nc\r\n"
    );
    let refusal = Edit::replace("b\nc\n", "x")
        .apply(Some("a\r\nb\nc\r\n"))
        .unwrap_err();
    assert_eq!(
        refusal,
        EditError::NoMatch {
            near: Some(NearMiss::LineEnds { line: 2 })
        }
    );
}

#[test]
fn undo_without_a_history_says_so() {
    assert_eq!(Edit::Undo.apply(Some("a")), Err(EditError::NothingToUndo));
}

#[test]
fn a_refused_edit_becomes_an_error_of_its_kind_with_its_words() {
    let kind = |error: EditError| Error::from(error).kind();
    assert_eq!(kind(EditError::FileMissing), ErrorKind::NotFound);
    assert_eq!(kind(EditError::FileExists), ErrorKind::AlreadyExists);
    assert_eq!(kind(EditError::EmptyOld), ErrorKind::InvalidInput);
    let error = Error::from(EditError::FileMissing).with_object("a.txt");
    assert!(
        error
            .to_string()
            .starts_with("edit a.txt: there is no such file")
    );
}

#[test]
fn the_output_shows_numbered_lines_around_the_change_and_a_diff_with_header() {
    let before: String = (1..=20).map(|n| format!("line {n}\n")).collect();
    let edited = Edit::replace("line 10\n", "ten\n")
        .apply(Some(&before))
        .unwrap();
    let output = EditOutput::new(path("a.txt"), Some(before), edited);
    assert!(!output.created);
    assert!(
        output.snippet.starts_with("     6\tline 6\n"),
        "{}",
        output.snippet
    );
    assert!(
        output.snippet.ends_with("    14\tline 14\n"),
        "{}",
        output.snippet
    );
    assert!(
        output
            .diff
            .starts_with("--- a.txt\n+++ a.txt\n@@ -7,7 +7,7 @@\n"),
        "{}",
        output.diff
    );
}

#[test]
fn the_snippet_of_a_long_change_is_cut_in_the_middle() {
    let long: String = (0..5000).map(|n| format!("{n}\n")).collect();
    let output = EditOutput::new(path("a"), None, Edit::create(long).apply(None).unwrap());
    assert!(output.created);
    assert!(output.snippet.lines().count() < 100);
    assert!(output.snippet.contains("lines not shown"));
    assert!(output.snippet.ends_with("  5000\t4999\n"));
}

#[test]
fn an_undone_create_is_told_from_an_emptied_file() {
    let output = EditOutput::restored(path("a"), Some("x\n".into()), None);
    assert_eq!(output.after, None);
    assert_eq!(output.diff, "--- a\n+++ a\n@@ -1 +0,0 @@\n-x\n");
    let output = EditOutput::restored(path("a"), Some("x\n".into()), Some(String::new()));
    assert_eq!(output.after.as_deref(), Some(""));
}

#[test]
fn a_diff_marks_a_missing_last_line_end() {
    assert_eq!(
        unified_diff("a\nb", "a\nb\n", 0),
        "@@ -2 +2 @@\n-b\n\\ No newline at end of file\n+b\n"
    );
}

#[test]
fn a_change_too_large_for_a_smallest_diff_is_one_block() {
    let old: String = (0..15_000).map(|n| format!("{n}\n")).collect();
    let new: String = (0..15_000).map(|n| format!("{n}!\n")).collect();
    let diff = unified_diff(&old, &new, 3);
    assert!(diff.starts_with("@@ -1,15000 +1,15000 @@\n-0\n"));
    assert_eq!(diff.lines().count(), 30_001);
}

#[test]
fn undo_takes_changes_back_newest_first_and_forgets_the_eleventh() {
    let mut history = UndoHistory::new();
    for n in 0..12_u8 {
        history.push("a", Some(vec![n]));
    }
    for n in (2..12_u8).rev() {
        assert_eq!(history.pop("a"), Some(Some(vec![n])));
    }
    assert_eq!(history.pop("a"), None);
    assert_eq!(history.kept_bytes(), 0);
}

#[test]
fn undo_of_a_create_says_that_there_was_no_file() {
    let mut history = UndoHistory::new();
    history.push("a", None);
    assert_eq!(history.pop("a"), Some(None));
}

#[test]
fn a_full_history_drops_the_oldest_over_all_paths() {
    let mut history = UndoHistory::with_limits(10, 300);
    history.push("a", Some(vec![0; 100]));
    history.push("b", Some(vec![1; 50]));
    history.push("a", Some(vec![2; 50]));
    assert_eq!((history.depth("a"), history.depth("b")), (1, 1));
    history.push("c", Some(vec![0; 301]));
    assert_eq!((history.depth("a"), history.depth("c")), (0, 0));
}

/// Reads a diff the way `patch` does.
fn patched(before: &str, diff: &str) -> String {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let (mut out, mut at) = (String::new(), 0);
    let lines: Vec<&str> = diff.split_inclusive('\n').collect();
    for (index, line) in lines.iter().enumerate() {
        let unfinished = lines
            .get(index + 1)
            .is_some_and(|next| next.starts_with('\\'));
        let body = if unfinished {
            line[1..].strip_suffix('\n').unwrap()
        } else {
            &line[1..]
        };
        match &line[..1] {
            "@" => {
                let span = line.split(' ').nth(1).unwrap().trim_start_matches('-');
                let (start, len) = span.split_once(',').unwrap_or((span, "1"));
                let start: usize = start.parse().unwrap();
                let start = if len == "0" { start } else { start - 1 };
                out.extend(old[at..start].iter().copied());
                at = start;
            }
            " " | "-" => {
                assert_eq!(old[at], body);
                at += 1;
                if line.starts_with(' ') {
                    out.push_str(body);
                }
            }
            "+" => out.push_str(body),
            _ => {}
        }
    }
    out.extend(old[at..].iter().copied());
    out
}

proptest! {
    #[test]
    fn every_byte_outside_of_the_replacement_stays(
        before in "[ab\r\n]{0,20}",
        new in "[xyzäö]{0,8}",
        after in "[ab\r\n]{0,20}",
    ) {
        let current = format!("{before}MARK{after}");
        let edited = Edit::replace("MARK", new.as_str()).apply(Some(&current)).unwrap();
        prop_assert_eq!(edited.text, format!("{before}{new}{after}"));
    }

    #[test]
    fn an_insert_keeps_every_line_and_its_line_end(
        current in "[a\r\n]{0,20}",
        added in "[xy\n]{0,8}",
        place in 0_u64..24,
    ) {
        let lines: Vec<&str> = current.split_inclusive('\n').collect();
        let place = place.min(lines.len() as u64);
        let edited = Edit::insert(place, added.as_str()).apply(Some(&current)).unwrap();
        let head: String = lines[..place as usize].concat();
        let tail: String = lines[place as usize..].concat();
        prop_assert!(edited.text.starts_with(&head));
        prop_assert!(edited.text.ends_with(&tail));
        let middle = &edited.text[head.len()..edited.text.len() - tail.len()];
        prop_assert_eq!(middle.replace(['\r', '\n'], ""), added.replace('\n', ""));
    }

    #[test]
    fn no_edit_panics(
        current in prop::option::of("[ab\r\n\\PC]{0,30}"),
        old in "[ab\r\n\\PC]{0,4}",
        new in "[ab\r\n\\PC]{0,4}",
        line in 0_u64..40,
    ) {
        for edit in [
            Edit::replace(old.as_str(), new.as_str()),
            Edit::insert(line, new.as_str()),
            Edit::create(new.as_str()),
        ] {
            if let Ok(edited) = edit.apply(current.as_deref()) {
                prop_assert!(edited.first_changed_line <= edited.last_changed_line);
                EditOutput::new(path("p"), current.clone(), edited);
            }
        }
    }

    #[test]
    fn a_diff_applied_to_the_old_text_gives_the_new_one(
        before in "[abc\n]{0,40}",
        after in "[abc\n]{0,40}",
        context in 0_usize..4,
    ) {
        prop_assert_eq!(patched(&before, &unified_diff(&before, &after, context)), after);
    }

    #[test]
    fn between_two_texts_the_changed_lines_hold_every_difference(
        before in "[ab\n]{0,30}",
        after in "[ab\n]{0,30}",
    ) {
        let edited = Edited::between(&before, after.as_str());
        let first = edited.first_changed_line as usize - 1;
        let old: Vec<&str> = before.split_inclusive('\n').collect();
        let new: Vec<&str> = after.split_inclusive('\n').collect();
        let untouched = first.min(new.len()).min(old.len()).saturating_sub(1);
        prop_assert_eq!(&old[..untouched], &new[..untouched]);
    }
}

#[test]
fn the_mark_of_the_latest_change_goes_with_it() {
    let mut history = UndoHistory::new();
    history.push("a", None);
    history.push_marked("a", Some(vec![1]), 7);
    assert_eq!(history.mark("a"), Some(7));
    history.pop("a");
    assert_eq!((history.mark("a"), history.mark("b")), (None, None));
}
