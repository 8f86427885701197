use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::{Edge, MASK, Masker, Secret, StreamMasker};
use crate::ErrorKind;

fn masker(values: &[&str]) -> Masker {
    Masker::new(values.iter().map(|value| (*value, Secret::new(*value)))).unwrap()
}

fn streamed(stream: &mut StreamMasker, text: &[u8], chunk_bytes: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in text.chunks(chunk_bytes) {
        out.extend_from_slice(&stream.push(Bytes::copy_from_slice(chunk)));
    }
    out.extend_from_slice(&stream.finish());
    out
}

#[test]
fn a_secret_never_prints_itself() {
    let secret: Secret = serde_json::from_value(json!("hunter22")).unwrap();
    assert_eq!(
        format!("{secret} {secret:?} {:?}", Some(&secret))
            .matches("hunter")
            .count(),
        0
    );
    assert_eq!(secret.expose(), "hunter22");
    let masker = Masker::new([("token", secret)]).unwrap();
    assert_eq!(format!("{masker:?}"), r#"Masker["token"]"#);
    assert!(!format!("{:?}", masker.stream()).contains("hunter"));
}

#[test]
fn a_secret_under_four_bytes_is_refused_by_name() {
    for short in ["", "abc", "abc\r\n"] {
        let error = Masker::new([("pin", Secret::new(short))]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.object(), Some("pin"));
    }
}

#[test]
fn a_masker_without_secrets_changes_nothing() {
    let masker = Masker::default();
    assert!(masker.is_empty());
    assert_eq!(masker.mask("anything"), "anything");
    let chunk = Bytes::from_static(b"anything");
    let passed = masker.stream().push(chunk.clone());
    assert_eq!(passed.as_ptr(), chunk.as_ptr());
}

#[test]
fn overlapping_secrets_leave_no_remnant() {
    assert_eq!(
        masker(&["abcdef", "defghi"]).mask("xabcdefghix"),
        format!("x{MASK}x")
    );
    assert_eq!(
        masker(&["token", "tokenlong"]).mask("tokenlonger"),
        format!("{MASK}er")
    );
    assert_eq!(masker(&["bcde", "abcdefg"]).mask("abcdefg"), MASK);
    assert_eq!(masker(&["aaaa"]).mask("aaaaaaa!"), format!("{MASK}!"));
}

#[test]
fn the_same_secret_twice_in_a_row_is_masked_twice() {
    assert_eq!(masker(&["abcd"]).mask("abcdabcd"), format!("{MASK}{MASK}"));
}

#[test]
fn a_secret_in_base64_is_found_at_every_alignment_and_in_both_alphabets() {
    // `printf 'user:pa>>word??x' | base64` and its neighbours, from coreutils.
    let masker = masker(&["pa>>word??x"]);
    for (encoded, left, right) in [
        ("cGE+PndvcmQ/P3g=", "", ""),
        ("cGE-PndvcmQ_P3g", "", ""),
        ("dXNlcjpwYT4+d29yZD8/eA==", "dXNlcjp", ""),
        ("dXNlcnM6cGE+PndvcmQ/P3gK", "dXNlcnM6", "K"),
        ("dXNlcjpwYT4-d29yZD8_eCBt", "dXNlcjp", "CBt"),
        ("aTpwYT4+d29yZD8/eA==", "aTp", ""),
    ] {
        assert_eq!(
            masker.mask(encoded),
            format!("{left}{MASK}{right}"),
            "{encoded}"
        );
    }
}

#[test]
fn a_secret_in_a_url_is_found_with_either_case_of_hex() {
    let masker = masker(&["pa ss/wör+d"]);
    for encoded in [
        "pa%20ss%2Fw%C3%B6r%2Bd",
        "pa%20ss%2fw%c3%b6r%2bd",
        "pa%20ss/w%C3%B6r%2Bd",
        "pa+ss%2Fw%C3%B6r%2Bd",
        "%70%61%20%73%73%2F%77%C3%B6%72%2B%64",
    ] {
        let url = format!("https://x/?p={encoded}&q=1");
        assert_eq!(masker.mask(&url), format!("https://x/?p={MASK}&q=1"));
    }
}

#[test]
fn a_secret_inside_a_json_string_is_found() {
    let masker = masker(&["quo\"te\\ö\n"]);
    let written = json!({ "key": "quo\"te\\ö" }).to_string();
    assert_eq!(masker.mask(&written), format!(r#"{{"key":"{MASK}"}}"#));
    assert_eq!(masker.mask(r#""quo\"te\\\u00f6""#), format!(r#""{MASK}""#));
}

#[test]
fn a_secret_of_several_lines_is_found_with_the_line_ends_of_a_terminal() {
    let masker = masker(&["-----BEGIN\nabcdef\n-----END\n"]);
    assert_eq!(
        masker.mask("-----BEGIN\r\nabcdef\r\n-----END\r\n$ "),
        format!("{MASK}\r\n$ ")
    );
}

#[test]
fn a_short_secret_is_not_looked_for_in_encoded_forms() {
    let masker = masker(&["abc def"]);
    assert_eq!(masker.mask("abc%20def"), "abc%20def");
    assert_eq!(masker.mask("abc def"), MASK);
}

#[test]
fn a_stream_is_delayed_only_by_what_may_become_a_secret() {
    let masker = masker(&["hunter22"]);
    let mut stream = masker.stream();
    assert_eq!(stream.push(Bytes::from_static(b"password: ")), "password: ");
    assert_eq!(stream.push(Bytes::from_static(b"now hunt")), "now ");
    assert_eq!(stream.held_bytes(), 4);
    assert_eq!(stream.push(Bytes::from_static(b"ing")), "hunting");
    assert_eq!(stream.push(Bytes::from_static(b"hunter22")), MASK);
    assert_eq!(stream.held_bytes(), 0);
    assert_eq!(stream.finish(), "");
}

#[test]
fn at_a_cut_a_part_of_a_secret_of_four_bytes_is_hidden() {
    let masker = masker(&["hunter22"]);
    assert_eq!(
        masker.mask_piece("say hunt", Edge::Whole, Edge::Cut),
        format!("say {MASK}")
    );
    assert_eq!(
        masker.mask_piece("say hunt", Edge::Whole, Edge::Whole),
        "say hunt"
    );
    assert_eq!(
        masker.mask_piece("say hun", Edge::Whole, Edge::Cut),
        "say hun"
    );
    assert_eq!(
        masker.mask_piece("er22 it is", Edge::Cut, Edge::Whole),
        format!("{MASK} it is")
    );
    assert_eq!(
        masker.mask_piece("r22 it is", Edge::Cut, Edge::Whole),
        "r22 it is"
    );
    assert_eq!(masker.mask_piece("unter2", Edge::Cut, Edge::Cut), MASK);
    assert_eq!(
        masker.mask_piece("unter2", Edge::Whole, Edge::Cut),
        "unter2"
    );
    assert_eq!(
        masker.mask_piece("er22 hunter22 hunter", Edge::Cut, Edge::Cut),
        format!("{MASK} {MASK} {MASK}")
    );
}

#[test]
fn a_masker_can_learn_another_secret_and_keeps_the_old_ones() {
    let first = masker(&["hunter22"]);
    let second = first.with("other", Secret::new("swordfish")).unwrap();
    assert_eq!(second.mask("hunter22 swordfish"), format!("{MASK} {MASK}"));
    assert_eq!(first.mask("swordfish"), "swordfish");
    assert_eq!(second.names().collect::<Vec<_>>(), ["hunter22", "other"]);
}

#[test]
fn json_is_masked_in_keys_values_and_nested_lists() {
    let masker = masker(&["hunter22", "swordfish"]);
    let mut value = json!({
        "plain": 1,
        "hunter22": "a",
        "swordfish": "b",
        "list": [["x hunter22", { "deep": "swordfish" }], null, true],
    });
    masker.mask_json(&mut value);
    assert_eq!(
        value,
        json!({
            "plain": 1,
            "<secret_hidden>": "a",
            "<secret_hidden>_2": "b",
            "list": [["x <secret_hidden>", { "deep": "<secret_hidden>" }], null, true],
        })
    );
}

#[test]
fn very_large_secrets_are_masked_too() {
    let key: String = (0..9000_u32)
        .map(|n| char::from(b'a' + (n * n % 26) as u8))
        .collect();
    let masker = masker(&[&key]);
    let text = format!("x{key}y");
    assert_eq!(masker.mask(&text), format!("x{MASK}y"));
    let out = streamed(&mut masker.stream(), text.as_bytes(), 1000);
    assert_eq!(out, format!("x{MASK}y").into_bytes());
}

/// What must come out, by definition: the union of all occurrences.
fn expected(text: &str, secrets: &[String]) -> String {
    let mut hidden = vec![false; text.len()];
    let mut joined = vec![false; text.len() + 1];
    for secret in secrets {
        for at in 0..text.len() {
            if text[at..].starts_with(secret.as_str()) {
                hidden[at..at + secret.len()].fill(true);
                joined[at + 1..at + secret.len()].fill(true);
            }
        }
    }
    let mut out = String::new();
    for (at, c) in text.char_indices() {
        if !hidden[at] {
            out.push(c);
        } else if !joined[at] {
            out.push_str(MASK);
        }
    }
    out
}

proptest! {
    #[test]
    fn every_occurrence_is_masked_and_nothing_else(
        secrets in prop::collection::vec("[ab]{4,7}", 1..4),
        text in "[abc]{0,60}",
    ) {
        let values: Vec<&str> = secrets.iter().map(String::as_str).collect();
        prop_assert_eq!(masker(&values).mask(&text), expected(&text, &secrets));
    }

    #[test]
    fn any_chunking_gives_the_same_result_as_the_whole(
        secrets in prop::collection::vec("[ab]{4,12}", 1..5),
        text in "[abc%2]{0,80}",
        cuts in prop::collection::vec(0_usize..9, 0..40),
    ) {
        let values: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let masker = masker(&values);
        let mut stream = masker.stream();
        let mut out = Vec::new();
        let mut rest = text.as_bytes();
        for cut in cuts {
            let (chunk, after) = rest.split_at(cut.min(rest.len()));
            out.extend_from_slice(&stream.push(Bytes::copy_from_slice(chunk)));
            let longest = secrets.iter().map(String::len).max().unwrap();
            prop_assert!(stream.held_bytes() < longest * 3);
            rest = after;
        }
        out.extend_from_slice(&stream.push(Bytes::copy_from_slice(rest)));
        out.extend_from_slice(&stream.finish());
        prop_assert_eq!(String::from_utf8(out).unwrap(), masker.mask(&text).into_owned());
    }

    #[test]
    fn no_form_of_a_secret_survives(
        secret in "[ -~ö\n]{8,20}",
        before in "[ -~]{0,5}",
        after in "[ -~]{0,5}",
        chunk_bytes in 1_usize..7,
    ) {
        let core = secret.trim_end_matches('\n');
        prop_assume!(core.len() >= 8);
        let masker = masker(&[&secret]);
        let plain = format!("{before}{core}{after}");
        let encoded = reference_base64(plain.as_bytes());
        for text in [
            plain.clone(),
            plain.replace('\n', "\r\n"),
            json!(plain).to_string(),
            encoded.clone(),
        ] {
            let out = streamed(&mut masker.stream(), text.as_bytes(), chunk_bytes);
            let out = String::from_utf8(out).unwrap();
            prop_assert!(out.contains(MASK), "{:?} -> {:?}", text, out);
        }
        // All of the value but bits that are shared with its neighbours.
        let masked = masker.mask(&encoded).into_owned();
        let shown = masked.replace(MASK, "").len();
        prop_assert!(shown <= (before.len() + after.len()).div_ceil(3) * 4 + 8, "{}", masked);
    }

    #[test]
    fn a_text_without_secrets_is_unchanged(text in "\\PC{0,60}", chunk_bytes in 1_usize..9) {
        let masker = masker(&["Zq7#never-there", "öäü-nor-this"]);
        prop_assert_eq!(masker.mask(&text), text.as_str());
        prop_assert_eq!(streamed(&mut masker.stream(), text.as_bytes(), chunk_bytes), text.as_bytes());
    }

    #[test]
    fn pieces_of_a_cut_output_hold_no_part_of_four_bytes(
        secret in "[a-f]{8,12}",
        before in "[xyz]{0,5}",
        after in "[xyz]{0,5}",
        cut in 0_usize..30,
    ) {
        let masker = masker(&[&secret]);
        let text = format!("{before}{secret}{after}");
        let cut = cut.min(text.len());
        let head = masker.mask_piece(&text[..cut], Edge::Whole, Edge::Cut);
        let tail = masker.mask_piece(&text[cut..], Edge::Cut, Edge::Whole);
        for part in secret.as_bytes().windows(4) {
            let part = std::str::from_utf8(part).unwrap();
            prop_assert!(!head.replace(MASK, " ").contains(part), "{}", head);
            prop_assert!(!tail.replace(MASK, " ").contains(part), "{}", tail);
        }
    }
}

/// Base64 by the definition, bit by bit.
fn reference_base64(bytes: &[u8]) -> String {
    let alphabet: Vec<char> = ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain(['+', '/'])
        .collect();
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let mut out: String = bits
        .as_bytes()
        .chunks(6)
        .map(|digit| {
            let digit = format!("{:0<6}", std::str::from_utf8(digit).unwrap());
            alphabet[usize::from_str_radix(&digit, 2).unwrap()]
        })
        .collect();
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}

#[test]
fn a_key_of_several_lines_is_hidden_where_its_lines_are_taken_apart() {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----\n";
    let masker = Masker::new([("key", Secret::new(key))]).unwrap();
    let numbered: String = key
        .lines()
        .enumerate()
        .map(|(at, line)| format!("{:6}\t{line}\n", at + 1))
        .collect();
    let diff: String = key.lines().map(|line| format!("+{line}\n")).collect();
    for text in [
        numbered,
        diff,
        format!("a.pem:2:{}", "MIIEvQIBADANBgkqhkiG9w0B"),
    ] {
        let shown = masker.mask(&text);
        assert!(!shown.contains("MII") && !shown.contains("AQEF"), "{shown}");
    }
    assert_eq!(masker.mask(key.trim_end()), MASK);
}

#[test]
fn a_merged_masker_knows_what_both_know() {
    let masker = |secrets: &[(&str, &str)]| {
        let secrets = secrets.iter().map(|(n, s)| (*n, Secret::new(*s)));
        Masker::new(secrets).unwrap()
    };
    let one = masker(&[("a", "secret one"), ("b", "secret two")]);
    let other = masker(&[("b", "secret two"), ("b", "secret three")]);
    for merged in [one.merge(&other), other.merge(&one)] {
        let merged = merged.unwrap();
        let text = merged
            .mask("secret one, secret two, secret three")
            .into_owned();
        assert_eq!(text, format!("{MASK}, {MASK}, {MASK}"));
        assert_eq!(merged.names().count(), 3);
    }
    let none = Masker::default();
    assert_eq!(none.merge(&one).unwrap().names().count(), 2);
    assert_eq!(one.merge(&none).unwrap().names().count(), 2);
}
