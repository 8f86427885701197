//! Reading files.

use std::io::{Read, Seek, SeekFrom};

use bytes::Bytes;
use oh_core::edit::line_count;
use oh_core::{
    ByteRange, ErrorKind, FileContent, LineRange, ReadAs, ReadOptions, ReadOutput, Result,
    SandboxPath, TextContent,
};

use super::call::Call;
use super::open::{Opened, room_for};
use super::text::{Decoded, decode, decode_labelled};
use super::version::{ContentHash, version};
use super::volume::Volume;

/// Largest text file of which a part can be read by lines.
const LINES_BYTES: u64 = 64 << 20;

impl Volume {
    pub(super) fn read(&self, path: &SandboxPath, options: &ReadOptions) -> Result<ReadOutput> {
        let call = Call::new("read", path);
        check(options, &call)?;
        let mut opened = self.open_file(path, &call)?;
        let mut meta = opened.facts.meta(self.visible(path));
        let (content, hash) = match &options.form {
            ReadAs::Bytes => read_bytes(&mut opened, options, &call)?,
            ReadAs::Text => read_text(&mut opened, options, None, &call)?,
            ReadAs::Encoded(label) => read_text(&mut opened, options, Some(label), &call)?,
            other => return Err(call.invalid(format!("the form {other:?} is not known here"))),
        };
        if let FileContent::Bytes(bytes) = &content
            && options.range.is_none()
        {
            // What was read counts: files of /proc have no size.
            meta.size_bytes = bytes.len() as u64;
        }
        meta.version = Some(version(&opened.facts, hash));
        Ok(ReadOutput::new(meta, content))
    }
}

/// Refuses options that contradict each other.
pub(super) fn check(options: &ReadOptions, call: &Call) -> Result<()> {
    let is_text = !matches!(options.form, ReadAs::Bytes);
    if is_text && options.range.is_some() {
        return Err(call.invalid("a range of bytes goes with bytes; take lines of a text"));
    }
    if !is_text && options.lines.is_some() {
        return Err(call.invalid("lines go with text; take a range of bytes"));
    }
    if let Some(ByteRange {
        start,
        end: Some(end),
    }) = options.range
        && end < start
    {
        return Err(call.invalid(format!("the range ends ({end}) before it starts ({start})")));
    }
    if let Some(LineRange { first, last }) = options.lines {
        if first == 0 {
            return Err(call.invalid("lines are counted from 1"));
        }
        if let Some(last) = last.filter(|last| *last < first) {
            return Err(call.invalid(format!(
                "the last line ({last}) is before the first ({first})"
            )));
        }
    }
    Ok(())
}

fn read_bytes(
    opened: &mut Opened,
    options: &ReadOptions,
    call: &Call,
) -> Result<(FileContent, Option<u64>)> {
    let Some(range) = options.range else {
        let bytes = read_whole(opened, options.max_bytes, call)?;
        let hash = ContentHash::of(&bytes);
        return Ok((FileContent::Bytes(bytes.into()), hash));
    };
    let hash = opened.hash().map_err(|error| call.io(error))?;
    let end = range.end.unwrap_or(u64::MAX);
    let there = opened.facts.size.min(end).saturating_sub(range.start);
    if there > options.max_bytes {
        return Err(too_large(call, "the range has", there, options.max_bytes));
    }
    // One more than allowed: a file that grows, or one of /proc, has more than its size says.
    let wanted = end
        .saturating_sub(range.start)
        .min(options.max_bytes.saturating_add(1));
    let mut bytes = room_for(there).map_err(|error| call.io(error))?;
    opened
        .file
        .seek(SeekFrom::Start(range.start))
        .and_then(|_| (&opened.file).take(wanted).read_to_end(&mut bytes))
        .map_err(|error| call.io(error))?;
    let read = bytes.len() as u64;
    if read > options.max_bytes {
        return Err(too_large(
            call,
            "the range has at least",
            read,
            options.max_bytes,
        ));
    }
    Ok((FileContent::Bytes(Bytes::from(bytes)), hash))
}

/// Reads a whole file; one that is larger than allowed is not read at all.
pub(super) fn read_whole(opened: &mut Opened, max_bytes: u64, call: &Call) -> Result<Vec<u8>> {
    let size = opened.facts.size;
    if size > max_bytes {
        return Err(too_large(call, "the file has", size, max_bytes));
    }
    let bytes = opened
        .read_at_most(max_bytes)
        .map_err(|error| call.io(error))?;
    if bytes.len() as u64 > max_bytes {
        return Err(too_large(
            call,
            "the file has at least",
            bytes.len() as u64,
            max_bytes,
        ));
    }
    Ok(bytes)
}

fn read_text(
    opened: &mut Opened,
    options: &ReadOptions,
    label: Option<&str>,
    call: &Call,
) -> Result<(FileContent, Option<u64>)> {
    let max_file = match options.lines {
        Some(_) => options.max_bytes.max(LINES_BYTES),
        None => options.max_bytes,
    };
    let bytes = read_whole(opened, max_file, call)?;
    let decoded = match label {
        Some(label) => decode_labelled(&bytes, label),
        None => decode(&bytes),
    };
    let Decoded { text, style } =
        decoded.map_err(|fault| call.invalid(fault.to_string()).with_source(fault))?;
    let total_lines = line_count(&text);
    let line_ending = TextContent::utf8(text.as_str()).line_ending;
    let first_line = options.lines.map_or(1, |lines| lines.first);
    let taken = match options.lines {
        Some(lines) => take_lines(text, lines, total_lines, call)?,
        None => text,
    };
    let size = taken.len() as u64;
    if size > options.max_bytes {
        return Err(too_large(call, "the text has", size, options.max_bytes));
    }
    let mut content = TextContent::utf8(taken);
    content.line_ending = line_ending;
    content.encoding = style.encoding.name().to_owned();
    content.byte_order_mark = style.byte_order_mark;
    content.first_line = first_line;
    content.total_lines = total_lines;
    Ok((FileContent::Text(content), ContentHash::of(&bytes)))
}

fn take_lines(text: String, lines: LineRange, total: u64, call: &Call) -> Result<String> {
    // The first line of an empty file can be asked for: it is empty.
    if lines.first > total.max(1) {
        let first = lines.first;
        return Err(call.invalid(format!(
            "there is no line {first}; the file has {total} lines"
        )));
    }
    let skipped = usize::try_from(lines.first - 1).unwrap_or(usize::MAX);
    let count = lines.last.map_or(u64::MAX, |last| last - lines.first + 1);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if skipped == 0 && lines.last.is_none_or(|last| last >= total) {
        return Ok(text);
    }
    Ok(text
        .split_inclusive('\n')
        .skip(skipped)
        .take(count)
        .collect())
}

pub(super) fn too_large(call: &Call, what: &str, size: u64, limit: u64) -> oh_core::Error {
    call.error(
        ErrorKind::TooLarge,
        format!("{what} {size} bytes, {limit} are allowed; read a part, or raise the limit"),
    )
}
