use std::time::{Duration, SystemTime};

use oh_core::{
    Case, ErrorKind, GlobQuery, GrepOutput, GrepQuery, IgnoreRules, PatternKind, SandboxPath,
};

use super::fixture::{Fixture, assert_refused, fixture, path};

fn short<'a>(f: &Fixture, path: &'a SandboxPath) -> &'a str {
    let start = f.workspace.to_str().unwrap();
    path.as_str()
        .strip_prefix(start)
        .unwrap()
        .trim_start_matches('/')
}

async fn glob(f: &Fixture, query: GlobQuery) -> Vec<String> {
    let output = f.files.glob(query).await.unwrap();
    let mut paths: Vec<_> = output
        .paths
        .iter()
        .map(|p| short(f, p).to_owned())
        .collect();
    paths.sort();
    paths
}

async fn grep(f: &Fixture, query: GrepQuery) -> Vec<String> {
    shown(f, &f.files.grep(query).await.unwrap())
}

fn shown(f: &Fixture, output: &GrepOutput) -> Vec<String> {
    let lines = output.lines.iter().map(|line| {
        let mark = if line.is_match { ':' } else { '-' };
        format!(
            "{}{mark}{}{mark}{}",
            short(f, &line.path),
            line.line,
            line.text
        )
    });
    lines.collect()
}

#[tokio::test]
async fn patterns_match_names_at_any_depth_and_paths_with_a_slash() {
    let f = fixture();
    for name in ["a.rs", "src/b.rs", "src/deep/c.rs", "src/d.txt", "x[1].rs"] {
        f.put(name, "x");
    }
    f.link("a.rs", "link.rs");
    f.link("src", "dir-link");
    for (pattern, expected) in [
        (
            "*.rs",
            &["a.rs", "link.rs", "src/b.rs", "src/deep/c.rs", "x[1].rs"][..],
        ),
        ("src/*.rs", &["src/b.rs"]),
        ("src/**/*.rs", &["src/b.rs", "src/deep/c.rs"]),
        ("**/deep/*", &["src/deep/c.rs"]),
        ("./src/*.{rs,txt}", &["src/b.rs", "src/d.txt"]),
        ("[ab].rs", &["a.rs", "src/b.rs"]),
        ("?.txt", &["src/d.txt"]),
        ("x\\[1\\].rs", &["x[1].rs"]),
        ("src", &[]),
    ] {
        assert_eq!(
            glob(&f, GlobQuery::new(pattern)).await,
            expected,
            "{pattern}"
        );
    }
    let below = GlobQuery::new("*.rs").root(path("src/deep"));
    assert_eq!(glob(&f, below).await, ["src/deep/c.rs"]);
}

#[tokio::test]
async fn the_newest_files_come_first_and_a_limit_keeps_them() {
    let f = fixture();
    let now = SystemTime::now();
    for (name, age) in [("old", 30), ("new", 10), ("middle", 20)] {
        let file = f.put(name, "x");
        let file = std::fs::File::open(file).unwrap();
        file.set_modified(now - Duration::from_secs(age)).unwrap();
    }
    let output = f.files.glob(GlobQuery::new("*").limit(2)).await.unwrap();
    let names: Vec<_> = output.paths.iter().map(|p| short(&f, p)).collect();
    assert_eq!(names, ["new", "middle"]);
    assert!(output.truncated);
    let all = f.files.glob(GlobQuery::new("*").limit(3)).await.unwrap();
    assert!(!all.truncated);
}

#[tokio::test]
async fn ignore_files_count_without_a_repository_and_below_their_directory() {
    let f = fixture();
    f.put(".gitignore", "target/\n*.log\n/only-top\n");
    f.put("sub/.ignore", "!keep.log\nown\n");
    for name in [
        "target/a",
        "sub/target/b",
        "x.log",
        "sub/keep.log",
        "sub/own",
        "own",
        "only-top",
        "sub/only-top",
        ".hidden",
        "seen",
    ] {
        f.put(name, "needle");
    }
    let visible = ["own", "seen", "sub/keep.log", "sub/only-top"];
    assert_eq!(glob(&f, GlobQuery::new("*")).await, visible);
    let lines = grep(&f, GrepQuery::new("needle")).await;
    assert_eq!(lines, visible.map(|name| format!("{name}:1:needle")));
    // The rules of the workspace count for a search that begins below.
    let below = GlobQuery::new("*").root(path("sub"));
    assert_eq!(glob(&f, below).await, ["sub/keep.log", "sub/only-top"]);
    // What is named outright is searched.
    let target = GlobQuery::new("*").root(path("target"));
    assert_eq!(glob(&f, target).await, ["target/a"]);
    let all = GlobQuery::new("*").ignore(IgnoreRules::Off);
    assert_eq!(glob(&f, all).await.len(), 12);
    let file = GrepQuery::new("needle").root(path("x.log"));
    assert_eq!(grep(&f, file).await, ["x.log:1:needle"]);
}

#[tokio::test]
async fn an_ignore_file_that_is_a_pipe_or_leads_out_holds_nothing_up() {
    let f = fixture();
    f.put("file", "needle");
    f.link("/dev/zero", ".gitignore");
    let made = std::process::Command::new("mkfifo")
        .arg(f.workspace.join(".ignore"))
        .status();
    assert!(made.unwrap().success());
    assert_eq!(grep(&f, GrepQuery::new("needle")).await, ["file:1:needle"]);
}

#[tokio::test]
async fn lines_come_sorted_with_their_numbers() {
    let f = fixture();
    f.put("b", "one\nneedle\nthree\n");
    f.put("a/x", "needle");
    f.put("a.txt", "no\r\nneedle\r\n");
    f.put("binary", b"needle\n\0\n");
    f.put("utf16", b"\xff\xfen\0e\0e\0d\0l\0e\0");
    f.link("b", "link");
    let expected = [
        "a.txt:2:needle",
        "a/x:1:needle",
        "b:2:needle",
        "utf16:1:needle",
    ];
    assert_eq!(grep(&f, GrepQuery::new("^needle$")).await, expected);
    let only = GrepQuery::new("needle").glob("*.txt").glob("a/*");
    assert_eq!(grep(&f, only).await, expected[..2]);
    let upper = GrepQuery::new("NEEDLE")
        .case(Case::Insensitive)
        .root(path("a"));
    assert_eq!(grep(&f, upper).await, ["a/x:1:needle"]);
    assert!(grep(&f, GrepQuery::new("NEEDLE")).await.is_empty());
}

#[tokio::test]
async fn a_fixed_text_is_no_expression() {
    let f = fixture();
    f.put("file", "a.b\naxb\n(\n");
    let fixed = |text: &str| GrepQuery::new(text).kind(PatternKind::Fixed);
    assert_eq!(grep(&f, fixed("a.b")).await, ["file:1:a.b"]);
    assert_eq!(grep(&f, fixed("(")).await, ["file:3:("]);
    assert_eq!(grep(&f, GrepQuery::new("a.b")).await.len(), 2);
}

#[tokio::test]
async fn context_comes_with_the_matches_that_are_given() {
    let f = fixture();
    f.put("file", "1\n2\nx3\n4\n5\n6\n7\nx8\n9\n");
    let query = GrepQuery::new("x").context(1);
    let all = grep(&f, query.clone()).await;
    let expected = [
        "file-2-2",
        "file:3:x3",
        "file-4-4",
        "file-7-7",
        "file:8:x8",
        "file-9-9",
    ];
    assert_eq!(all, expected);
    let output = f.files.grep(query.clone().limit(1)).await.unwrap();
    assert_eq!(shown(&f, &output), expected[..3]);
    assert!(output.truncated);
    let output = f.files.grep(query.limit(2)).await.unwrap();
    assert_eq!((output.lines.len(), output.truncated), (6, false));
}

#[tokio::test]
async fn long_lines_are_cut_between_characters() {
    let f = fixture();
    f.put("file", "ééé needle");
    for (max, text, cut) in [
        (3, "é", true),
        (4, "éé", true),
        (0, "", true),
        (13, "ééé needle", false),
    ] {
        let query = GrepQuery::new("needle").max_line_bytes(max);
        let output = f.files.grep(query).await.unwrap();
        assert_eq!(
            (output.lines[0].text.as_str(), output.lines[0].cut),
            (text, cut)
        );
    }
}

#[tokio::test]
async fn malformed_queries_are_refused_with_a_reason() {
    let f = fixture();
    f.put("file", "x");
    f.link(&f.outside, "out");
    for pattern in ["[a", "{a", "", "a\0b", "/abs", "../x", "a/../b", "a\\"] {
        let error = f.files.glob(GlobQuery::new(pattern)).await;
        let error = assert_refused(error, ErrorKind::InvalidInput);
        assert!(
            error.detail().is_some_and(|detail| detail.len() > 10),
            "{error}"
        );
        let query = GrepQuery::new("x").glob(pattern);
        assert_refused(f.files.grep(query).await, ErrorKind::InvalidInput);
    }
    for pattern in ["(", "[z-a]", "a{99999999}", "x\ny"] {
        let error = f.files.grep(GrepQuery::new(pattern)).await;
        let error = assert_refused(error, ErrorKind::InvalidInput);
        assert!(
            error.detail().is_some_and(|detail| detail.len() > 10),
            "{error}"
        );
    }
    for (root, kind) in [
        ("missing", ErrorKind::NotFound),
        ("out", ErrorKind::InvalidInput),
        ("../outside", ErrorKind::InvalidInput),
    ] {
        assert_refused(
            f.files.glob(GlobQuery::new("*").root(path(root))).await,
            kind,
        );
        assert_refused(
            f.files.grep(GrepQuery::new("x").root(path(root))).await,
            kind,
        );
    }
    let file = GlobQuery::new("*").root(path("file"));
    assert_refused(f.files.glob(file).await, ErrorKind::NotADirectory);
}

#[tokio::test]
async fn context_without_end_is_cut_and_said_to_be() {
    let f = fixture();
    let line = format!("{}\n", "x".repeat(1500));
    f.put("file", format!("needle\n{}", line.repeat(60_000)));
    let mut query = GrepQuery::new("needle");
    query.context = u32::MAX;
    let output = f.files.grep(query).await.unwrap();
    let bytes: usize = output.lines.iter().map(|line| line.text.len()).sum();
    assert!(output.truncated && bytes < 70 << 20, "{bytes}");
    assert!(output.lines[0].is_match);
}

#[tokio::test]
async fn a_search_that_nobody_waits_for_ends_within_a_file() {
    use crate::local::file::job::Stop;
    let f = fixture();
    f.put("file", "needle\n");
    let stop = Stop::default();
    let query = GrepQuery::new("needle").root(path("file"));
    let volume = &f.files.volume;
    assert_eq!(volume.grep(&query, &stop).unwrap().lines.len(), 1);
    stop.set();
    assert_eq!(volume.grep(&query, &stop).unwrap().lines.len(), 0);
}
