//! The local runtime passes every check of the conformance suite.

#![cfg(all(feature = "local", feature = "conformance", target_os = "linux"))]

use oh_runtime::LocalRuntime;
use oh_runtime::conformance::{self, Options};

#[tokio::test(flavor = "multi_thread")]
async fn the_local_runtime_conforms() {
    let dir = tempfile::tempdir().unwrap();
    // Shown by `cargo test -- --nocapture`, and when the test hangs.
    let mut options = Options::default()
        .parallel(4)
        .on_check(|check| println!("{check}"));
    // For work on one family: `OH_CONFORMANCE=session cargo test --test conformance`.
    if let Ok(text) = std::env::var("OH_CONFORMANCE") {
        options = options.only(text);
    }
    let start = || LocalRuntime::builder(dir.path()).start();
    let report = conformance::run(start, &options).await;
    println!("{}", report.to_string().lines().last().unwrap_or_default());
    assert!(report.is_green(), "{report}");
}
