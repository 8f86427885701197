//! Finding files and lines.

use oh_core::{
    Capability, Case, ErrorKind, GlobQuery, GrepOutput, GrepQuery, IgnoreRules, ListOptions,
    PatternKind,
};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{Checked, ensure, expect_eq, expect_kind, expect_names};
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::ListGlobGrep;

pub(super) const CHECKS: &[Check] = &[
    check!(glob_matches_patterns).needs(GLOB),
    check!(glob_respects_ignore_files_and_hidden_entries).needs(GLOB),
    check!(glob_says_when_its_limit_left_some_out).needs(GLOB),
    check!(glob_gives_the_newest_first).needs(GLOB),
    check!(a_bad_glob_is_invalid).needs(GLOB),
    check!(glob_below_nothing_is_not_found).needs(GLOB),
    check!(grep_finds_lines_in_order).needs(GREP),
    check!(grep_reads_a_pattern_as_asked).needs(GREP),
    check!(grep_shows_lines_around_a_match).needs(GREP),
    check!(grep_skips_binary_files).needs(GREP),
    check!(grep_respects_ignore_files_and_globs).needs(GREP),
    check!(grep_says_when_its_limit_left_some_out).needs(GREP),
    check!(grep_cuts_long_lines).needs(GREP),
    check!(grep_searches_a_single_file).needs(GREP),
    check!(a_bad_expression_is_invalid).needs(GREP),
    check!(searches_do_not_follow_links_in_circles).needs(&[
        Capability::List,
        Capability::Glob,
        Capability::Grep,
    ]),
];

const GLOB: &[Capability] = &[Capability::Glob];
const GREP: &[Capability] = &[Capability::Grep];

async fn glob(trial: &Trial<'_>, query: GlobQuery) -> Checked<Vec<String>> {
    let output = trial.runtime().glob(query.root(trial.path("")?)).await?;
    ensure!(!output.truncated, "a short answer is said to be truncated");
    let mut names: Vec<_> = output.paths.iter().map(|path| trial.below(path)).collect();
    names.sort();
    Ok(names)
}

async fn glob_matches_patterns(trial: &Trial<'_>) -> Checked {
    for name in [
        "a.rs",
        "b.txt",
        "src/c.rs",
        "src/deep/d.rs",
        "src/deep/e.toml",
        "é x.rs",
    ] {
        trial.put(name, "").await?;
    }
    for (pattern, wanted) in [
        ("*.rs", &["a.rs", "src/c.rs", "src/deep/d.rs", "é x.rs"][..]),
        ("**/*.toml", &["src/deep/e.toml"]),
        ("src/*.rs", &["src/c.rs"]),
        ("src/**/*.rs", &["src/c.rs", "src/deep/d.rs"]),
        (
            "?.{rs,txt}",
            &["a.rs", "b.txt", "src/c.rs", "src/deep/d.rs"],
        ),
        ("[ab].*", &["a.rs", "b.txt"]),
        ("none*", &[]),
    ] {
        let found = glob(trial, GlobQuery::new(pattern)).await?;
        let wanted: Vec<_> = wanted.iter().map(|name| (*name).to_owned()).collect();
        expect_eq(pattern, found, wanted)?;
    }
    Ok(())
}

async fn glob_respects_ignore_files_and_hidden_entries(trial: &Trial<'_>) -> Checked {
    for name in ["seen.rs", "target/built.rs", ".hidden/x.rs", ".dot.rs"] {
        trial.put(name, "").await?;
    }
    trial.put(".ignore", "target/\n").await?;
    expect_eq(
        "by default",
        glob(trial, GlobQuery::new("*.rs")).await?,
        vec!["seen.rs".into()],
    )?;
    let all = glob(trial, GlobQuery::new("*.rs").ignore(IgnoreRules::Off)).await?;
    let wanted = [".dot.rs", ".hidden/x.rs", "seen.rs", "target/built.rs"].map(str::to_owned);
    expect_eq("without rules", all, wanted.to_vec())
}

async fn glob_says_when_its_limit_left_some_out(trial: &Trial<'_>) -> Checked {
    trial
        .ok("for i in 1 2 3 4 5 6 7 8 9; do : >f$i; done")
        .await?;
    for (limit, count) in [(4, 4), (9, 9)] {
        let query = GlobQuery::new("f*").root(trial.path("")?).limit(limit);
        let output = trial.runtime().glob(query).await?;
        expect_eq("the number of paths", output.paths.len(), count)?;
        expect_eq("truncated", output.truncated, limit < 9)?;
    }
    Ok(())
}

async fn glob_gives_the_newest_first(trial: &Trial<'_>) -> Checked {
    let script = "touch -t 202001010000 old; touch -t 202201010000 new; touch -t 202101010000 mid";
    trial.ok(script).await?;
    let query = GlobQuery::new("*").root(trial.path("")?);
    let paths = trial.runtime().glob(query).await?.paths;
    let found: Vec<_> = paths.iter().map(|path| trial.below(path)).collect();
    expect_eq(
        "the order",
        found,
        ["new", "mid", "old"].map(str::to_owned).to_vec(),
    )
}

async fn a_bad_glob_is_invalid(trial: &Trial<'_>) -> Checked {
    for pattern in ["[", "{a", "a[b"] {
        let found = trial.runtime().glob(GlobQuery::new(pattern)).await;
        expect_names(
            &expect_kind(pattern, found, ErrorKind::InvalidInput)?,
            pattern,
        )?;
    }
    Ok(())
}

async fn glob_below_nothing_is_not_found(trial: &Trial<'_>) -> Checked {
    let query = GlobQuery::new("*").root(trial.path("missing")?);
    let found = trial.runtime().glob(query).await;
    expect_names(&expect_kind("glob", found, ErrorKind::NotFound)?, "missing")
}

async fn grep(trial: &Trial<'_>, query: GrepQuery) -> Checked<GrepOutput> {
    Ok(trial.runtime().grep(query.root(trial.path("")?)).await?)
}

/// Matches as `path:line:text`, context as `path-line-text`.
fn lines(trial: &Trial<'_>, output: &GrepOutput) -> Vec<String> {
    let line = |line: &oh_core::GrepLine| {
        let sign = if line.is_match { ':' } else { '-' };
        format!(
            "{}{sign}{}{sign}{}",
            trial.below(&line.path),
            line.line,
            line.text
        )
    };
    output.lines.iter().map(line).collect()
}

async fn expect_grep(trial: &Trial<'_>, query: GrepQuery, wanted: &[&str]) -> Checked {
    let what = format!("{:?}", query.pattern);
    let output = grep(trial, query).await?;
    let wanted: Vec<_> = wanted.iter().map(|line| (*line).to_owned()).collect();
    expect_eq(&what, lines(trial, &output), wanted)
}

async fn grep_finds_lines_in_order(trial: &Trial<'_>) -> Checked {
    trial.put("b", "x\nneedle one\r\ny\nneedle two").await?;
    trial.put("a", "no\nneedle é\n").await?;
    trial.put("dir/c", "a needle in it\n").await?;
    let wanted = [
        "a:2:needle é",
        "b:2:needle one",
        "b:4:needle two",
        "dir/c:1:a needle in it",
    ];
    let found = grep(trial, GrepQuery::new("needle")).await?;
    let found: Vec<_> = lines(trial, &found)
        .iter()
        .map(|l| l.trim_end().to_owned())
        .collect();
    expect_eq("the lines", found, wanted.map(str::to_owned).to_vec())
}

async fn grep_reads_a_pattern_as_asked(trial: &Trial<'_>) -> Checked {
    trial.put("a", "a.c\nabc\nABC\na+c\n").await?;
    expect_grep(
        trial,
        GrepQuery::new("a.c"),
        &["a:1:a.c", "a:2:abc", "a:4:a+c"],
    )
    .await?;
    let fixed = GrepQuery::new("a.c").kind(PatternKind::Fixed);
    expect_grep(trial, fixed, &["a:1:a.c"]).await?;
    let folded = GrepQuery::new("^abc$").case(Case::Insensitive);
    expect_grep(trial, folded, &["a:2:abc", "a:3:ABC"]).await?;
    expect_grep(trial, GrepQuery::new("zzz"), &[]).await
}

async fn grep_shows_lines_around_a_match(trial: &Trial<'_>) -> Checked {
    trial.put("a", "1\n2\nneedle\n4\n5\n").await?;
    let query = GrepQuery::new("needle").context(1);
    expect_grep(trial, query, &["a-2-2", "a:3:needle", "a-4-4"]).await
}

async fn grep_skips_binary_files(trial: &Trial<'_>) -> Checked {
    trial
        .put("binary", &b"needle\0\0\x01\x02needle\n"[..])
        .await?;
    trial.put("latin", &b"needle caf\xe9\n"[..]).await?;
    expect_grep(
        trial,
        GrepQuery::new("needle"),
        &["latin:1:needle caf\u{fffd}"],
    )
    .await
}

async fn grep_respects_ignore_files_and_globs(trial: &Trial<'_>) -> Checked {
    for name in ["a.rs", "b.txt", "target/c.rs", ".d.rs"] {
        trial.put(name, "needle\n").await?;
    }
    trial.put(".ignore", "target/\n").await?;
    expect_grep(
        trial,
        GrepQuery::new("needle"),
        &["a.rs:1:needle", "b.txt:1:needle"],
    )
    .await?;
    expect_grep(
        trial,
        GrepQuery::new("needle").glob("*.rs"),
        &["a.rs:1:needle"],
    )
    .await?;
    let all = GrepQuery::new("needle")
        .glob("*.rs")
        .ignore(IgnoreRules::Off);
    let wanted = [".d.rs:1:needle", "a.rs:1:needle", "target/c.rs:1:needle"];
    expect_grep(trial, all, &wanted).await
}

async fn grep_says_when_its_limit_left_some_out(trial: &Trial<'_>) -> Checked {
    trial.put("a", "needle\n".repeat(9)).await?;
    for limit in [4, 9] {
        let output = grep(trial, GrepQuery::new("needle").limit(limit)).await?;
        expect_eq("the number of lines", output.lines.len(), limit)?;
        expect_eq("truncated", output.truncated, limit < 9)?;
    }
    Ok(())
}

async fn grep_cuts_long_lines(trial: &Trial<'_>) -> Checked {
    trial
        .put("a", format!("needle {}\nneedle\n", "é".repeat(50_000)))
        .await?;
    let output = grep(trial, GrepQuery::new("needle").max_line_bytes(100)).await?;
    let cut: Vec<_> = output.lines.iter().map(|line| line.cut).collect();
    expect_eq("which lines are cut", cut, vec![true, false])?;
    let longest = output.lines.iter().map(|line| line.text.len()).max();
    ensure!(longest <= Some(100), "a line has {longest:?} bytes");
    Ok(())
}

async fn grep_searches_a_single_file(trial: &Trial<'_>) -> Checked {
    trial.put("a", "needle\n").await?;
    trial.put("b", "needle\n").await?;
    let output = trial
        .runtime()
        .grep(GrepQuery::new("needle").root(trial.path("b")?))
        .await?;
    expect_eq(
        "the lines",
        lines(trial, &output),
        vec!["b:1:needle".to_owned()],
    )
}

async fn a_bad_expression_is_invalid(trial: &Trial<'_>) -> Checked {
    for pattern in ["(", "[a", "*x", "a{2,1}"] {
        let found = trial.runtime().grep(GrepQuery::new(pattern)).await;
        expect_kind(pattern, found, ErrorKind::InvalidInput)?;
    }
    let query = GrepQuery::new("x").glob("[");
    let found = trial.runtime().grep(query).await;
    expect_kind("a bad glob", found, ErrorKind::InvalidInput)?;
    let query = GrepQuery::new("x").root(trial.path("missing")?);
    let found = trial.runtime().grep(query).await;
    expect_names(&expect_kind("grep", found, ErrorKind::NotFound)?, "missing")
}

async fn searches_do_not_follow_links_in_circles(trial: &Trial<'_>) -> Checked {
    trial.put("dir/file", "needle\n").await?;
    trial
        .ok("ln -s .. dir/up; ln -s dir other; ln -s / root")
        .await?;
    let query = GlobQuery::new("file").root(trial.path("")?);
    let output = trial.runtime().glob(query).await?;
    let found: Vec<_> = output.paths.iter().map(|path| trial.below(path)).collect();
    expect_eq("glob", found, vec!["dir/file".to_owned()])?;
    expect_grep(trial, GrepQuery::new("needle"), &["dir/file:1:needle"]).await?;
    let options = ListOptions::default().depth(20);
    let listing = trial.runtime().list(&trial.path("")?, options).await?;
    expect_eq("the number of entries", listing.entries.len(), 5)
}
