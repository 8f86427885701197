use std::os::unix::fs::PermissionsExt;

use async_trait::async_trait;
use oh_core::{
    Body, ByteStream, Command, CopyOptions, CopySummary, Descriptor, Error, ErrorKind, FileMeta,
    Follow, Process, ReadOptions, ReadOutput, Result, Runtime, RuntimeId, RuntimeStatus,
    SandboxPath, WriteOptions,
};

use super::{download, upload};
use crate::local::file::{FileScope, LocalFiles};

/// A runtime that only has files.
#[derive(Debug)]
struct FilesOnly {
    descriptor: Descriptor,
    files: LocalFiles,
}

#[async_trait]
impl Runtime for FilesOnly {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn spawn(&self, _: Command, _: Follow) -> Result<Process> {
        Err(Error::unsupported("spawn"))
    }

    async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<ReadOutput> {
        self.files.read(path, options).await
    }

    async fn write(&self, path: &SandboxPath, body: Body, o: WriteOptions) -> Result<FileMeta> {
        self.files.write(path, body, o).await
    }

    async fn copy_to(
        &self,
        source: ByteStream,
        target: &SandboxPath,
        options: CopyOptions,
    ) -> Result<CopySummary> {
        self.files.copy_to(source, target, options).await
    }

    async fn copy_from(&self, source: &SandboxPath, options: CopyOptions) -> Result<ByteStream> {
        self.files.copy_from(source, options).await
    }

    fn status(&self) -> RuntimeStatus {
        RuntimeStatus::Ready
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

fn runtime() -> (FilesOnly, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let files = LocalFiles::open(dir.path(), FileScope::Workspace).unwrap();
    let workspace = files.workspace().clone();
    let descriptor = Descriptor::new("files", RuntimeId::new("files"), workspace);
    (FilesOnly { descriptor, files }, dir)
}

fn path(text: &str) -> SandboxPath {
    SandboxPath::new(text).unwrap()
}

#[tokio::test]
async fn a_directory_of_the_host_goes_up_and_comes_down_again() {
    let (runtime, workspace) = runtime();
    let host = tempfile::tempdir().unwrap();
    let tree = host.path().join("tree");
    std::fs::create_dir_all(tree.join("empty")).unwrap();
    std::fs::write(tree.join("script"), "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(tree.join("script"), PermissionsExt::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("script", tree.join("link")).unwrap();
    let up = upload(&runtime, &tree, &path("project")).await.unwrap();
    assert_eq!((up.files, up.directories, up.symlinks), (1, 1, 1));
    assert!(workspace.path().join("project/empty").is_dir());
    let down = download(&runtime, &path("project"), host.path().join("new/back"))
        .await
        .unwrap();
    assert_eq!(down, up);
    let script = host.path().join("new/back/link").metadata().unwrap();
    assert_eq!(script.permissions().mode() & 0o777, 0o755);
}

#[tokio::test]
async fn one_file_goes_up_under_its_new_name_and_down_under_its_own() {
    let (runtime, workspace) = runtime();
    let host = tempfile::tempdir().unwrap();
    let file = host.path().join("tool");
    std::fs::write(&file, "tool").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    for (target, at) in [
        ("renamed", "renamed"),
        ("deep/dir/renamed", "deep/dir/renamed"),
    ] {
        upload(&runtime, &file, &path(target)).await.unwrap();
        let meta = workspace.path().join(at).metadata().unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o755);
    }
    download(&runtime, &path("renamed"), host.path().join("back"))
        .await
        .unwrap();
    assert_eq!(
        std::fs::read(host.path().join("back/renamed")).unwrap(),
        b"tool"
    );
}

#[tokio::test]
async fn what_cannot_be_copied_is_a_typed_error() {
    let (runtime, workspace) = runtime();
    let host = tempfile::tempdir().unwrap();
    let file = host.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let refused = |result: Result<CopySummary>, kind| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.object().is_some(), "{error}");
    };
    let missing = host.path().join("missing");
    refused(
        upload(&runtime, &missing, &path("x")).await,
        ErrorKind::NotFound,
    );
    refused(
        upload(&runtime, &file, &path(".")).await,
        ErrorKind::IsADirectory,
    );
    refused(
        upload(&runtime, &file, &path("../x")).await,
        ErrorKind::InvalidInput,
    );
    refused(
        download(&runtime, &path("missing"), host.path()).await,
        ErrorKind::NotFound,
    );
    std::fs::write(workspace.path().join("here"), "x").unwrap();
    refused(
        download(&runtime, &path("here"), &file).await,
        ErrorKind::NotADirectory,
    );
    refused(
        download(&runtime, &path("here"), file.join("x")).await,
        ErrorKind::NotADirectory,
    );
}
