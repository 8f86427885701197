use oh_core::ErrorKind;
use oh_core::{FileContent, ReadAs, ReadOptions};
use proptest::prelude::*;

use super::fixture::{assert_refused, fixture, path};
use crate::local::file::text::{Style, TextFault, decode, decode_labelled, encode};
use crate::local::file::version::ContentHash;

const RUSSIAN: &str = "Съешь же ещё этих мягких французских булок, да выпей чаю.\n";
const JAPANESE: &str = "これは日本語の文章です。文字コードを判別します。\n";
const CHINESE: &str = "这是一个中文句子，用来检测文件的编码方式是否正确。\n";
const FRENCH: &str = "Le cœur déçu mais l'âme plutôt naïve, Louÿs rêva de crapaüter.\n";

#[test]
fn encodings_are_found_by_mark_and_content() {
    let utf16 = |text: &str, big: bool| -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            })
            .collect()
    };
    let legacy = |text: &str, label: &str| {
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap();
        encoding.encode(text).0.into_owned()
    };
    for (bytes, text, encoding, mark) in [
        (b"plain\n".to_vec(), "plain\n", "UTF-8", false),
        (Vec::new(), "", "UTF-8", false),
        ("naïve ☃\n".into(), "naïve ☃\n", "UTF-8", false),
        (
            b"\xef\xbb\xbfwith mark".to_vec(),
            "with mark",
            "UTF-8",
            true,
        ),
        (
            [&b"\xff\xfe"[..], &utf16("hé", false)].concat(),
            "hé",
            "UTF-16LE",
            true,
        ),
        (
            [&b"\xfe\xff"[..], &utf16("hé", true)].concat(),
            "hé",
            "UTF-16BE",
            true,
        ),
        (
            utf16("no mark\r\n", false),
            "no mark\r\n",
            "UTF-16LE",
            false,
        ),
        (utf16("no mark\r\n", true), "no mark\r\n", "UTF-16BE", false),
        (
            legacy(RUSSIAN, "windows-1251"),
            RUSSIAN,
            "windows-1251",
            false,
        ),
        (legacy(RUSSIAN, "koi8-r"), RUSSIAN, "KOI8-U", false),
        (legacy(JAPANESE, "shift_jis"), JAPANESE, "Shift_JIS", false),
        (legacy(JAPANESE, "euc-jp"), JAPANESE, "EUC-JP", false),
        (legacy(CHINESE, "gbk"), CHINESE, "GBK", false),
        (
            legacy(FRENCH, "windows-1252"),
            FRENCH,
            "windows-1252",
            false,
        ),
    ] {
        let decoded = decode(&bytes).unwrap();
        assert_eq!(decoded.text, text);
        assert_eq!(decoded.style.encoding.name(), encoding);
        assert_eq!(decoded.style.byte_order_mark, mark);
        assert_eq!(
            encode(&decoded.text, decoded.style).unwrap(),
            bytes,
            "{encoding}"
        );
    }
}

#[test]
fn binary_and_damaged_files_are_refused() {
    for bytes in [
        &b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0"[..],
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"text\0with a zero",
        b"\0",
        b"\0\0\0\0",
        b"\xff\xfe\0\0h\0\0\0",
        b"\x1f\x8b\x08\x01\xff\xd3\xaa\x91\x02",
    ] {
        assert_eq!(decode(bytes), Err(TextFault::Binary), "{bytes:?}");
    }
    let malformed = |offset, encoding| Err(TextFault::Malformed { offset, encoding });
    let damaged = b"na\xc3\xafve and \xff then more";
    assert_eq!(decode(damaged), malformed(11, "UTF-8"));
    // With a mark, the offset counts from the beginning of the file.
    assert_eq!(decode(b"\xef\xbb\xbfab\xff"), malformed(5, "UTF-8"));
    assert_eq!(decode(b"\xff\xfea\0\x00\xd8b\0"), malformed(4, "UTF-16LE"));
}

#[tokio::test]
async fn a_named_encoding_decodes_what_detection_refuses() {
    let f = fixture();
    f.put("file", b"na\xc3\xafve and \xff then more");
    let error = assert_refused(f.text("file").await, ErrorKind::InvalidInput);
    assert!(error.to_string().contains("byte 11"), "{error}");
    let options = ReadOptions::default().form(ReadAs::Encoded("latin1".into()));
    let output = f.files.read(&path("file"), options).await.unwrap();
    let FileContent::Text(content) = output.content else {
        panic!("text was asked for");
    };
    assert_eq!(content.text, "naÃ¯ve and ÿ then more");
    assert_eq!(content.encoding, "windows-1252");
    let options = ReadOptions::default().form(ReadAs::Encoded("utf-8".into()));
    let read = f.files.read(&path("file"), options).await;
    assert_refused(read, ErrorKind::InvalidInput);
}

#[test]
fn a_character_that_the_encoding_lacks_is_named() {
    let latin = decode_labelled(b"\xe9t\xe9", "windows-1252").unwrap();
    let unmappable = TextFault::Unmappable {
        character: '☃',
        encoding: "windows-1252",
    };
    assert_eq!(encode("été ☃", latin.style), Err(unmappable));
}

proptest! {
    #[test]
    fn any_text_survives_utf_16(text in "\\PC{0,40}", big: bool, mark: bool) {
        let encoding = if big { encoding_rs::UTF_16BE } else { encoding_rs::UTF_16LE };
        let text = text.trim_start_matches('\u{feff}');
        let style = Style { encoding, byte_order_mark: mark };
        let bytes = encode(text, style).unwrap();
        let decoded = decode_labelled(&bytes, encoding.name()).unwrap();
        prop_assert_eq!(decoded.text, text);
        if mark {
            prop_assert_eq!(decode(&bytes).unwrap().text, text);
        }
    }

    #[test]
    fn decoding_never_panics_and_utf_8_is_never_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in "[^\0]{0,100}",
    ) {
        let _ = decode(&bytes);
        let text = text.trim_start_matches('\u{feff}');
        prop_assert_eq!(decode(text.as_bytes()).unwrap().text, text);
    }

    #[test]
    fn the_hash_of_a_content_does_not_depend_on_its_pieces(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..10),
        flip in any::<prop::sample::Index>(),
    ) {
        let mut all = pieces.concat();
        let mut hash = ContentHash::new();
        for piece in &pieces {
            hash.push(piece);
        }
        let whole = ContentHash::of(&all);
        prop_assert_eq!(hash.finish(), whole);
        if !all.is_empty() {
            let at = flip.index(all.len());
            all[at] ^= 1;
            prop_assert_ne!(ContentHash::of(&all), whole);
        }
    }
}

#[test]
fn a_mark_says_which_utf_16_is_meant() {
    for (bytes, text) in [
        (&b"\xfe\xff\0h\0i"[..], "hi"),
        (b"\xff\xfeh\0i\0", "hi"),
        (b"h\0i\0", "hi"),
    ] {
        assert_eq!(decode_labelled(bytes, "utf-16").unwrap().text, text);
    }
    // Named exactly, the name counts.
    let decoded = decode_labelled(b"\xff\xfeh\0", "utf-16be").unwrap();
    assert_eq!(decoded.text, "\u{fffe}\u{6800}");
}
