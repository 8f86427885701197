//! Masking of output beside the bare search for the same patterns.

use std::hint::black_box;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use bytes::Bytes;
use oh_benches::{Samples, timed};
use oh_core::secret::{Edge, MASK, Masker, Secret};
use tokio::runtime::Runtime as Tokio;

use super::{Scale, print_rates};

const CHUNK: usize = 64 * 1024;

/// 100 secrets of 24 to 40 characters in all their encoded forms, in output without a secret and
/// in output with one every 4 KiB.
pub(super) fn masking(_: &Tokio, scale: Scale) {
    let secrets: Vec<String> = (0..100).map(secret).collect();
    let masker = Masker::new(
        secrets
            .iter()
            .enumerate()
            .map(|(n, value)| (format!("SECRET_{n}"), Secret::new(value.as_str()))),
    )
    .unwrap();
    let patterns: Vec<Vec<u8>> = secrets.iter().flat_map(|value| forms(value)).collect();
    for pattern in &patterns {
        // The bare search looks for what the masker looks for.
        assert_eq!(masker.mask_bytes(pattern).as_ref(), MASK.as_bytes());
    }
    let bare = AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .match_kind(MatchKind::Standard)
        .build(&patterns)
        .unwrap();
    let size = scale.of(64 << 20, 16 << 20);
    for (name, every) in [("no secret", usize::MAX), ("a secret every 4 KiB", 4096)] {
        let text = Bytes::from(output(size, every, &patterns));
        let chunks = || {
            (0..text.len())
                .step_by(CHUNK)
                .map(|at| text.slice(at..text.len().min(at + CHUNK)))
        };
        let mut raw = Samples::new(format!("masking, {name} (raw: bare matcher)"), "MB/s");
        let mut ours = Samples::new(format!("masking, {name}"), "MB/s");
        let rate = |time: std::time::Duration| text.len() as f64 / 1e6 / time.as_secs_f64();
        let search = || {
            chunks()
                .map(|chunk| bare.find_iter(black_box(&chunk)).count())
                .sum::<usize>()
        };
        let mask = || {
            let mut stream = masker.stream();
            let mut masked: usize = chunks()
                .map(|chunk| black_box(stream.push(chunk)).len())
                .sum();
            masked += stream.finish_at(Edge::Whole).len();
            masked
        };
        let (found, kept) = (search(), mask());
        assert_eq!(found > 0, every != usize::MAX);
        assert_eq!(kept == text.len(), every == usize::MAX);
        for round in 0..scale.of(15, 5) {
            let mut measure_raw = || {
                let (again, time) = timed(search);
                assert_eq!(again, found);
                raw.push(rate(time));
            };
            let mut measure_ours = || {
                let (again, time) = timed(mask);
                assert_eq!(again, kept);
                ours.push(rate(time));
            };
            if round % 2 == 0 {
                measure_raw();
                measure_ours();
            } else {
                measure_ours();
                measure_raw();
            }
        }
        print_rates(&ours, &raw, &format!("masking, {name} / raw"));
    }
}

/// A generator of which every run gives the same.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Like a token: letters, digits and a few signs that encoders change.
fn secret(n: u64) -> String {
    const CHARACTERS: &[u8] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/+=";
    let mut numbers = Numbers(n + 1);
    // The first numbers of neighbouring seeds are alike.
    (0..20).for_each(|_| _ = numbers.next());
    let length = 24 + numbers.next() % 17;
    (0..length)
        .map(|_| char::from(CHARACTERS[numbers.next() as usize % CHARACTERS.len()]))
        .collect()
}

/// Lines as programs print them, with a pattern now and then.
fn output(size: usize, every: usize, patterns: &[Vec<u8>]) -> Vec<u8> {
    let mut numbers = Numbers(42);
    let mut out = Vec::with_capacity(size + 256);
    let mut due = every;
    while out.len() < size {
        let line = format!(
            "{:>8} drwxr-xr-x  2 agent agent {:>6} Nov 20 10:00 /workspace/src/module_{}.rs: ok\n",
            out.len(),
            numbers.next() % 100_000,
            numbers.next() % 1000
        );
        out.extend_from_slice(line.as_bytes());
        if out.len() >= due {
            out.extend_from_slice(&patterns[numbers.next() as usize % patterns.len()]);
            out.push(b'\n');
            due = due.saturating_add(every);
        }
    }
    out
}

/// The secret itself, in base64 at each alignment and in both alphabets, and percent-encoded.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.as_bytes().to_vec()];
    for alphabet in [b"+/", b"-_"] {
        for before in 0..3 {
            let digits = base64(secret.as_bytes(), before, *alphabet);
            let bits = (before + secret.len()) * 8;
            let first = [0, 2, 3][before];
            forms.push(digits[first..bits / 6].to_vec());
            if !bits.is_multiple_of(6) {
                let mut last = digits[first..].to_vec();
                forms.push(last.clone());
                last.extend_from_slice(if bits % 6 == 2 { b"==" } else { b"=" });
                forms.push(last);
            }
        }
    }
    for kept in [
        &b"-_.~"[..],
        b"-_.~/",
        b"-_.~!*'()",
        b"-_.~!*'();,/?:@&=+$#",
        b"-_.*",
        b"-_.~/+",
        b"",
    ] {
        for upper in [true, false] {
            forms.push(percent(secret, kept, upper));
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

fn base64(bytes: &[u8], zeros: usize, last_two: [u8; 2]) -> Vec<u8> {
    let alphabet: Vec<u8> = (b'A'..=b'Z')
        .chain(b'a'..=b'z')
        .chain(b'0'..=b'9')
        .chain(last_two)
        .collect();
    let mut bits: Vec<u8> = Vec::new();
    for byte in std::iter::repeat_n(&0, zeros).chain(bytes) {
        bits.extend((0..8).rev().map(|at| byte >> at & 1));
    }
    bits.chunks(6)
        .map(|six| {
            let value = (0..6).fold(0, |value, at| {
                value << 1 | six.get(at).copied().unwrap_or(0)
            });
            alphabet[usize::from(value)]
        })
        .collect()
}

/// Percent-encodes; without any sign to keep, letters and digits too.
fn percent(secret: &str, kept: &[u8], upper: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in secret.bytes() {
        if !kept.is_empty() && (byte.is_ascii_alphanumeric() || kept.contains(&byte)) {
            out.push(byte);
        } else if upper {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.extend_from_slice(format!("%{byte:02x}").as_bytes());
        }
    }
    out
}
