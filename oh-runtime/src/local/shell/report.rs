//! What a shell says of a command that it has finished.

use std::time::Duration;

use memchr::{memchr, memmem};
use oh_core::CpuTime;

/// A finished command, in the words of the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// The exit status, 0 to 255.
    pub(super) status: i32,
    /// The letters of `$-`.
    pub(super) options: String,
    /// The last background process (`$!`), whenever it was started.
    pub(super) background: Option<u32>,
    /// The working directory as the shell names it (`$PWD`), which a user may have set to anything.
    pub(super) cwd: Vec<u8>,
    /// Processor time of the shell and of the children that it waited for, since it started.
    pub(super) cpu: Option<CpuTime>,
}

/// Gathers the bytes of the report pipe.
///
/// A record is `id NUL status NUL options NUL background NUL cwd NUL times NUL id NUL`. Bytes
/// around a record and a few foreign lines among the times (a `DEBUG` trap prints into the pipe
/// under `set -T`) do no harm.
#[derive(Debug, Default)]
pub(super) struct ReportBuffer {
    bytes: Vec<u8>,
}

impl ReportBuffer {
    /// A path is 4 KiB at most; anything beyond this is not from the shell.
    const MAX_BYTES: usize = 64 * 1024;

    pub(super) fn push(&mut self, data: &[u8]) {
        if self.bytes.len() + data.len() > Self::MAX_BYTES {
            self.bytes.clear();
        }
        self.bytes.extend_from_slice(data);
    }

    /// The first whole record of this id.
    pub(super) fn find(&self, id: &str) -> Option<Report> {
        memmem::find_iter(&self.bytes, id.as_bytes())
            .find_map(|at| parse(self.bytes.get(at..)?, id.as_bytes()))
    }
}

fn parse(bytes: &[u8], id: &[u8]) -> Option<Report> {
    let mut rest = bytes;
    let mut field = || {
        let end = memchr(0, rest)?;
        let (field, after) = rest.split_at(end);
        rest = after.get(1..)?;
        Some(field)
    };
    if field()? != id {
        return None;
    }
    let status = text(field()?)?.parse().ok()?;
    let options = text(field()?)?.to_owned();
    let background = text(field()?)?.parse().ok();
    let cwd = field()?.to_owned();
    let cpu = cpu(text(field()?)?);
    (field()? == id).then_some(Report {
        status,
        options,
        background,
        cwd,
        cpu,
    })
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Reads what the builtin `times` prints: user and system time of the shell, then of its children.
fn cpu(printed: &str) -> Option<CpuTime> {
    let mut times = printed.split_ascii_whitespace().filter_map(time);
    let mut next = || times.next();
    let (user, system, child_user, child_system) = (next()?, next()?, next()?, next()?);
    Some(CpuTime {
        user: user + child_user,
        system: system + child_system,
    })
}

/// Reads `12m3.045s`; some languages write a comma.
fn time(word: &str) -> Option<Duration> {
    let (minutes, seconds) = word.strip_suffix('s')?.split_once('m')?;
    let (seconds, fraction) = seconds.split_once(['.', ','])?;
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let digits = u32::try_from(fraction.len()).ok()?;
    let nanos = fraction.parse::<u32>().ok()? * 10_u32.pow(9 - digits);
    let seconds = minutes.parse::<u64>().ok()?.checked_mul(60)? + seconds.parse::<u64>().ok()?;
    Some(Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";
    const TIMES: &str = "0m0.003s 1m2.500s\n0m1.000s 0m0.250s\n";

    fn record(cwd: &[u8], times: &str) -> Vec<u8> {
        let mut bytes = format!("{ID}\0{}\0himBHs\0{}\0", 7, 4711).into_bytes();
        bytes.extend_from_slice(cwd);
        bytes.extend_from_slice(format!("\0{times}\0{ID}\0").as_bytes());
        bytes
    }

    fn find(bytes: &[u8]) -> Option<Report> {
        let mut buffer = ReportBuffer::default();
        buffer.push(bytes);
        buffer.find(ID)
    }

    #[test]
    fn a_record_gives_status_directory_background_and_processor_time() {
        let report = find(&record(b"/srv", TIMES)).unwrap();
        assert_eq!((report.status, report.background), (7, Some(4711)));
        assert_eq!(report.cwd, b"/srv");
        let cpu = report.cpu.unwrap();
        assert_eq!(cpu.user, Duration::from_millis(1_003));
        assert_eq!(cpu.system, Duration::from_millis(62_750));
    }

    #[test]
    fn a_directory_with_newlines_and_bytes_that_are_no_text_is_read_as_it_is() {
        let cwd = b"/a\nb\xff\xfe c";
        assert_eq!(find(&record(cwd, TIMES)).unwrap().cwd, cwd);
    }

    #[test]
    fn what_a_trap_prints_into_the_pipe_does_no_harm() {
        let times = format!("D\n{TIMES}D\n");
        let bytes = [b"D\nnoise".to_vec(), record(b"/", &times)].concat();
        assert!(find(&bytes).unwrap().cpu.is_some());
    }

    #[test]
    fn times_with_a_comma_are_read_and_times_that_are_none_are_left_out() {
        let comma = TIMES.replace('.', ",");
        let expected = find(&record(b"/", TIMES)).unwrap().cpu;
        assert_eq!(find(&record(b"/", &comma)).unwrap().cpu, expected);
        assert_eq!(find(&record(b"/", "nonsense")).unwrap().cpu, None);
    }

    proptest! {
        #[test]
        fn a_record_is_found_only_when_it_is_whole(cut in 0_usize..120) {
            let whole = record(b"/somewhere", TIMES);
            let cut = cut.min(whole.len());
            prop_assert_eq!(find(&whole[..cut]).is_some(), cut == whole.len());
        }

        #[test]
        fn bytes_without_the_secret_id_never_make_a_report(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            prop_assert_eq!(find(&bytes), None);
        }

        #[test]
        fn noise_before_a_record_is_skipped(
            noise in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let bytes = [noise, record(b"/", TIMES)].concat();
            prop_assert_eq!(find(&bytes).map(|report| report.status), Some(7));
        }
    }
}
