//! Reading files.

use bytes::Bytes;
use oh_core::{
    Capability, ErrorKind, FileContent, FileKind, LineEnding, ReadAs, ReadOptions, ReadOutput,
    SandboxPath, TextContent,
};

use crate::conformance::byte_stream::collect;
use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{
    Checked, Failure, ensure, expect_bytes, expect_eq, expect_kind, expect_names, expect_one_of,
};
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::FileRead;

pub(super) const CHECKS: &[Check] = &[
    check!(what_was_written_is_read_back),
    check!(what_a_command_wrote_is_read),
    check!(a_range_of_bytes_is_exact),
    check!(an_absolute_path_below_the_workspace_is_the_same_file),
    check!(dot_dot_within_the_workspace_is_resolved),
    check!(a_link_is_followed),
    check!(the_description_of_a_file_is_right),
    check!(text_is_read_exactly),
    check!(lines_of_a_text_are_exact),
    check!(lines_past_the_end_are_none),
    check!(line_ends_are_reported_and_kept),
    check!(a_utf_8_byte_order_mark_is_reported_and_not_part_of_the_text),
    check!(utf_16_with_a_byte_order_mark_is_decoded).needs(&[Capability::Encodings]),
    check!(a_named_encoding_is_decoded).needs(&[Capability::Encodings]),
    check!(an_unknown_encoding_is_invalid).needs(&[Capability::Encodings]),
    check!(a_binary_file_is_no_text),
    check!(a_missing_file_is_not_found_and_named),
    check!(a_directory_is_no_file),
    check!(a_path_through_a_file_is_not_a_directory),
    check!(a_named_pipe_is_refused),
    check!(more_than_the_limit_is_too_large),
    check!(a_stream_gives_the_same_bytes),
    check!(a_stream_of_a_missing_file_is_not_found),
    check!(a_path_out_of_the_workspace_is_refused).scoped(),
    check!(a_link_out_of_the_workspace_is_refused).scoped(),
];

async fn read(trial: &Trial<'_>, name: &str, options: ReadOptions) -> Checked<ReadOutput> {
    Ok(trial.runtime().read(&trial.path(name)?, options).await?)
}

async fn text(trial: &Trial<'_>, name: &str, options: ReadOptions) -> Checked<TextContent> {
    match read(trial, name, options).await?.content {
        FileContent::Text(content) => Ok(content),
        other => Err(Failure::new(format!("text was asked for, not {other:?}"))),
    }
}

async fn what_was_written_is_read_back(trial: &Trial<'_>) -> Checked {
    for size in [0, 1, 255, 256, 4095, 4096, 65_537, 5_000_001] {
        let bytes: Bytes = (0..=255u8).cycle().take(size).collect();
        trial.put("file", bytes.clone()).await?;
        expect_bytes("the content", &trial.get("file").await?, &bytes)?;
    }
    Ok(())
}

async fn what_a_command_wrote_is_read(trial: &Trial<'_>) -> Checked {
    trial.ok("mkdir sub; printf 'a\\0b\\n' >sub/file").await?;
    expect_bytes("the content", &trial.get("sub/file").await?, b"a\0b\n")
}

async fn a_range_of_bytes_is_exact(trial: &Trial<'_>) -> Checked {
    trial.put("file", "0123456789").await?;
    for (range, wanted) in [
        (0..10, "0123456789"),
        (3..5, "34"),
        (4..4, ""),
        (7..400, "789"),
    ] {
        let options = ReadOptions::default().range(range.clone());
        let output = read(trial, "file", options).await?;
        let bytes = output.bytes().cloned().unwrap_or_default();
        expect_bytes(&format!("{range:?}"), &bytes, wanted.as_bytes())?;
        expect_eq("the size of the file", output.meta.size_bytes, 10)?;
    }
    for (start, wanted) in [(8, "89"), (10, ""), (99, "")] {
        let output = read(trial, "file", ReadOptions::default().range(start..)).await?;
        let bytes = output.bytes().cloned().unwrap_or_default();
        expect_bytes(&format!("from {start} on"), &bytes, wanted.as_bytes())?;
    }
    Ok(())
}

async fn an_absolute_path_below_the_workspace_is_the_same_file(trial: &Trial<'_>) -> Checked {
    trial.put("file", "same").await?;
    let path = trial.absolute("file")?;
    ensure!(path.is_absolute(), "the workspace {path} is not absolute");
    let output = trial.runtime().read(&path, ReadOptions::text()).await?;
    expect_eq("the content", output.text(), Some("same"))
}

async fn dot_dot_within_the_workspace_is_resolved(trial: &Trial<'_>) -> Checked {
    trial.put("sub/file", "same").await?;
    let output = read(trial, "sub/../sub/./file", ReadOptions::text()).await?;
    expect_eq("the content", output.text(), Some("same"))
}

async fn a_link_is_followed(trial: &Trial<'_>) -> Checked {
    trial
        .ok("mkdir sub; printf same >sub/file; ln -s sub/file link; ln -s sub dir")
        .await?;
    for name in ["link", "dir/file"] {
        let output = read(trial, name, ReadOptions::text()).await?;
        expect_eq("the content", output.text(), Some("same"))?;
        expect_eq("the kind", output.meta.kind, FileKind::File)?;
    }
    Ok(())
}

async fn the_description_of_a_file_is_right(trial: &Trial<'_>) -> Checked {
    trial.ok("printf 12345 >file; chmod 640 file").await?;
    let meta = read(trial, "file", ReadOptions::default()).await?.meta;
    expect_eq("the kind", meta.kind, FileKind::File)?;
    expect_eq("the size", meta.size_bytes, 5)?;
    ensure!(
        meta.path.is_absolute() && meta.path.file_name() == Some("file"),
        "the path is {}",
        meta.path
    );
    ensure!(
        meta.mode.is_none_or(|mode| mode & 0o7777 == 0o640),
        "the mode is {:?}",
        meta.mode
    );
    Ok(())
}

async fn text_is_read_exactly(trial: &Trial<'_>) -> Checked {
    for content in [
        "",
        "\n",
        "one",
        "one\n",
        "é漢🦀\n\n",
        "a\tb\n c \nno end",
        "\u{c}x\u{1b}[m",
    ] {
        trial.put("file", content).await?;
        let found = text(trial, "file", ReadOptions::text()).await?;
        expect_eq("the text", found.text.as_str(), content)?;
        expect_eq(
            "the lines",
            found.total_lines,
            content.lines().count() as u64,
        )?;
        expect_eq("the encoding", found.encoding.as_str(), "UTF-8")?;
    }
    Ok(())
}

async fn lines_of_a_text_are_exact(trial: &Trial<'_>) -> Checked {
    trial.put("file", "one\ntwo\nthree\nfour").await?;
    for (first, last, wanted) in [
        (1, Some(1), "one\n"),
        (2, Some(3), "two\nthree\n"),
        (3, None, "three\nfour"),
        (4, Some(4), "four"),
        (2, Some(99), "two\nthree\nfour"),
    ] {
        let found = text(trial, "file", ReadOptions::text().lines(first, last)).await?;
        expect_eq(
            &format!("lines {first} to {last:?}"),
            found.text.as_str(),
            wanted,
        )?;
        expect_eq("the first line", found.first_line, first)?;
        expect_eq("the lines of the file", found.total_lines, 4)?;
    }
    Ok(())
}

async fn lines_past_the_end_are_none(trial: &Trial<'_>) -> Checked {
    trial.put("file", "one\ntwo\n").await?;
    let options = ReadOptions::text().lines(3, Some(5));
    match trial.runtime().read(&trial.path("file")?, options).await {
        // Whether an empty range is an answer or a mistake is left to the runtime.
        Ok(output) => expect_eq("the text", output.text(), Some("")),
        refused => expect_kind("lines past the end", refused, ErrorKind::InvalidInput).map(drop),
    }
}

async fn line_ends_are_reported_and_kept(trial: &Trial<'_>) -> Checked {
    for (content, wanted) in [
        ("a\nb\n", LineEnding::Lf),
        ("a\r\nb\r\n", LineEnding::CrLf),
        ("a\r\nb\n", LineEnding::Mixed),
    ] {
        trial.put("file", content).await?;
        let found = text(trial, "file", ReadOptions::text()).await?;
        expect_eq("the text", found.text.as_str(), content)?;
        expect_eq("the line ends", found.line_ending, wanted)?;
    }
    Ok(())
}

async fn a_utf_8_byte_order_mark_is_reported_and_not_part_of_the_text(
    trial: &Trial<'_>,
) -> Checked {
    trial.put("file", "\u{feff}one\n").await?;
    let found = text(trial, "file", ReadOptions::text()).await?;
    expect_eq("the text", found.text.as_str(), "one\n")?;
    expect_eq("the byte-order mark", found.byte_order_mark, true)
}

async fn utf_16_with_a_byte_order_mark_is_decoded(trial: &Trial<'_>) -> Checked {
    let units = "\u{feff}né 漢🦀\r\n".encode_utf16();
    let little: Vec<u8> = units.clone().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = units.flat_map(u16::to_be_bytes).collect();
    for (bytes, encoding) in [(little, "UTF-16LE"), (big, "UTF-16BE")] {
        trial.put("file", bytes).await?;
        let found = text(trial, "file", ReadOptions::text()).await?;
        expect_eq("the text", found.text.as_str(), "né 漢🦀\r\n")?;
        expect_eq("the encoding", found.encoding.as_str(), encoding)?;
        expect_eq("the byte-order mark", found.byte_order_mark, true)?;
    }
    Ok(())
}

async fn a_named_encoding_is_decoded(trial: &Trial<'_>) -> Checked {
    trial.put("file", &b"caf\xe9 \x80\n"[..]).await?;
    let form = ReadAs::Encoded("windows-1252".to_owned());
    let found = text(trial, "file", ReadOptions::default().form(form)).await?;
    expect_eq("the text", found.text.as_str(), "café €\n")?;
    expect_eq("the encoding", found.encoding.as_str(), "windows-1252")
}

async fn an_unknown_encoding_is_invalid(trial: &Trial<'_>) -> Checked {
    trial.put("file", "x").await?;
    let form = ReadAs::Encoded("no-such-encoding".to_owned());
    let options = ReadOptions::default().form(form);
    let read = trial.runtime().read(&trial.path("file")?, options).await;
    expect_kind("read", read, ErrorKind::InvalidInput).map(drop)
}

async fn a_binary_file_is_no_text(trial: &Trial<'_>) -> Checked {
    let bytes: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\xff\xfe\0\x80";
    trial.put("file", bytes).await?;
    let read = trial
        .runtime()
        .read(&trial.path("file")?, ReadOptions::text())
        .await;
    expect_names(
        &expect_kind("read as text", read, ErrorKind::InvalidInput)?,
        "file",
    )?;
    expect_bytes("as bytes", &trial.get("file").await?, bytes)
}

async fn a_missing_file_is_not_found_and_named(trial: &Trial<'_>) -> Checked {
    trial.ok("ln -s nowhere dangling").await?;
    for name in ["missing", "no/such/dir/missing", "dangling"] {
        let read = trial
            .runtime()
            .read(&trial.path(name)?, ReadOptions::default())
            .await;
        expect_names(&expect_kind("read", read, ErrorKind::NotFound)?, name)?;
    }
    Ok(())
}

async fn a_directory_is_no_file(trial: &Trial<'_>) -> Checked {
    for path in [trial.path("")?, SandboxPath::workspace()] {
        let read = trial.runtime().read(&path, ReadOptions::default()).await;
        expect_kind("read", read, ErrorKind::IsADirectory)?;
    }
    Ok(())
}

async fn a_path_through_a_file_is_not_a_directory(trial: &Trial<'_>) -> Checked {
    trial.put("file", "x").await?;
    let read = trial
        .runtime()
        .read(&trial.path("file/below")?, ReadOptions::default())
        .await;
    expect_names(
        &expect_kind("read", read, ErrorKind::NotADirectory)?,
        "file/below",
    )
}

async fn a_named_pipe_is_refused(trial: &Trial<'_>) -> Checked {
    trial.gate("pipe").await?;
    let read = trial
        .runtime()
        .read(&trial.path("pipe")?, ReadOptions::default())
        .await;
    ensure!(read.is_err(), "a named pipe is read as {read:?}");
    Ok(())
}

async fn more_than_the_limit_is_too_large(trial: &Trial<'_>) -> Checked {
    trial.put("file", "0123456789").await?;
    let path = trial.path("file")?;
    for form in [ReadAs::Bytes, ReadAs::Text] {
        let options = ReadOptions::default().form(form).max_bytes(9);
        let read = trial.runtime().read(&path, options.clone()).await;
        expect_names(&expect_kind("read", read, ErrorKind::TooLarge)?, "10")?;
        trial.runtime().read(&path, options.max_bytes(10)).await?;
    }
    let options = ReadOptions::default().max_bytes(4).range(2..5);
    let output = read(trial, "file", options).await?;
    expect_eq(
        "a range below the limit",
        output.bytes().map(|b| &b[..]),
        Some(&b"234"[..]),
    )
}

async fn a_stream_gives_the_same_bytes(trial: &Trial<'_>) -> Checked {
    let bytes: Bytes = (0..=250u8).cycle().take(20_000_000).collect();
    trial.put("file", bytes.clone()).await?;
    let options = ReadOptions::default().max_bytes(64 << 20);
    let path = trial.path("file")?;
    let (meta, stream) = trial.runtime().read_stream(&path, options).await?;
    expect_eq("the size", meta.size_bytes, 20_000_000)?;
    expect_bytes("the stream", &collect(stream).await?, &bytes)
}

async fn a_stream_of_a_missing_file_is_not_found(trial: &Trial<'_>) -> Checked {
    let path = trial.path("missing")?;
    let read = trial
        .runtime()
        .read_stream(&path, ReadOptions::default())
        .await;
    expect_names(
        &expect_kind("read_stream", read, ErrorKind::NotFound)?,
        "missing",
    )
}

async fn a_path_out_of_the_workspace_is_refused(trial: &Trial<'_>) -> Checked {
    for path in [
        "/etc/passwd",
        "..",
        "../../../../../../../../etc/passwd",
        "/",
    ] {
        let read = trial
            .runtime()
            .read(&SandboxPath::new(path)?, ReadOptions::default())
            .await;
        expect_kind(path, read, ErrorKind::InvalidInput)?;
    }
    let path = trial.path("../../../../../../../../../etc/passwd")?;
    let read = trial.runtime().read(&path, ReadOptions::default()).await;
    expect_kind("from below", read, ErrorKind::InvalidInput).map(drop)
}

async fn a_link_out_of_the_workspace_is_refused(trial: &Trial<'_>) -> Checked {
    trial
        .ok("ln -s /etc/passwd absolute; ln -s /etc dir; ln -s ../../.. up; ln -s dir chain")
        .await?;
    for name in ["absolute", "dir/passwd", "chain/passwd", "up"] {
        let read = trial
            .runtime()
            .read(&trial.path(name)?, ReadOptions::default())
            .await;
        let kinds = [ErrorKind::InvalidInput, ErrorKind::Denied];
        expect_one_of(name, read, &kinds)?;
    }
    Ok(())
}
