//! A small disk of memory, in a mount namespace of its own: it is gone with the process, however
//! that ends.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const INSIDE: &str = "OH_EVENTS_INSIDE_OWN_MOUNTS";

/// Printed once the namespace is there: what fails afterwards is the test.
const MARK: &str = "in a mount namespace";

/// A file system of a given size.
pub(crate) struct SmallDisk(TempDir);

/// Runs the body of a test in a process with mounts of its own. Where there can be none, the test
/// is skipped; in CI that is a failure.
pub(crate) fn with_own_mounts(test: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        println!("{MARK}");
        return body();
    }
    let program = std::env::current_exe().unwrap();
    let ended = Command::new("unshare")
        .args(["--mount", "--map-root-user"])
        .arg(program)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output();
    let missing = match ended {
        Ok(output) => {
            let (out, err) = (
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr),
            );
            if out.contains(MARK) {
                assert!(output.status.success(), "{out}\n{err}");
                return;
            }
            format!("a mount namespace cannot be made: {err}")
        }
        Err(error) => format!("`unshare` cannot be run: {error}"),
    };
    let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!is_ci, "{missing}");
    println!("skipped, because {missing}");
}

impl SmallDisk {
    /// Mounts one that holds so many pages of 4 KiB and so many files and folders.
    pub(crate) fn mount(pages: u64, files: u64) -> Self {
        let place = tempfile::tempdir().unwrap();
        let options = format!("size={},nr_inodes={}", pages * 4096, files + 1);
        run(
            "mount",
            &["-t", "tmpfs", "-o", &options, "tmpfs"],
            place.path(),
        );
        Self(place)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that there is, but for so many pages.
    pub(crate) fn fill(&self, free_pages: u64) -> Filler {
        let path = self.path().join("filler");
        let mut file = File::create(&path).unwrap();
        let page = [1; 4096];
        let mut taken = 0;
        loop {
            match file.write_all(&page) {
                Ok(()) => taken += 1,
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
        file.set_len(4096 * u64::saturating_sub(taken, free_pages))
            .unwrap();
        Filler(path)
    }

    pub(crate) fn make_read_only(&self) {
        run("mount", &["-o", "remount,ro"], self.path());
    }

    pub(crate) fn make_writable(&self) {
        run("mount", &["-o", "remount,rw"], self.path());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["--lazy"], self.path());
    }
}

/// The room is taken as long as this lives.
pub(crate) struct Filler(PathBuf);

impl Drop for Filler {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn run(program: &str, arguments: &[&str], place: &Path) {
    let status = Command::new(program)
        .args(arguments)
        .arg(place)
        .status()
        .unwrap();
    assert!(
        status.success(),
        "{program} {arguments:?} {}",
        place.display()
    );
}
