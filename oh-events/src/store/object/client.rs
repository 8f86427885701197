//! Calls of an object storage, with a limit of time and, where that is safe, another try.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use ::object_store::path::Path;
use ::object_store::prefix::PrefixStore;
use ::object_store::{
    Error as Failure, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutPayload,
};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use oh_core::{Error, ErrorKind, Result};

use super::failure::{timed_out, translate};

/// How many calls of one operation run at a time.
pub(super) const AT_ONCE: usize = 16;

/// How often a call that can be repeated is made.
const TRIES: u32 = 4;

/// Makes a call that does no harm if it is made twice, until its error says that this is no use.
macro_rules! repeat {
    ($call:expr) => {{
        let mut tries = 1;
        loop {
            match $call.await {
                Err(error) if error.is_retryable() && tries < TRIES => {
                    tokio::time::sleep(pause(tries)).await;
                    tries += 1;
                }
                result => break result,
            }
        }
    }};
}

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Client {
    store: Arc<dyn ObjectStore>,
    timeout: Duration,
}

/// An object as a listing shows it.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) bytes: u64,
    /// When the storage says that it was written, in milliseconds.
    pub(super) modified: i64,
}

impl Listed {
    /// The part of the key after the last slash.
    pub(super) fn name(&self) -> &str {
        self.key
            .rsplit_once('/')
            .map_or(self.key.as_str(), |(_, name)| name)
    }
}

impl From<ObjectMeta> for Listed {
    fn from(meta: ObjectMeta) -> Self {
        Self {
            bytes: meta.size,
            modified: meta.last_modified.timestamp_millis(),
            key: meta.location.into(),
        }
    }
}

impl Client {
    pub(super) fn new(store: Arc<dyn ObjectStore>, timeout: Duration) -> Self {
        Self { store, timeout }
    }

    /// Puts a folder before all names.
    pub(super) fn below(&mut self, folder: &str) {
        self.store = Arc::new(PrefixStore::new(Arc::clone(&self.store), folder));
    }

    pub(super) fn timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    pub(super) async fn get(&self, operation: &'static str, key: &str) -> Result<Bytes> {
        let path = path(operation, key)?;
        repeat!(self.once(operation, key, async {
            self.store.get(&path).await?.bytes().await
        }))
    }

    /// Reads a range; what lies after the end of the object is left out.
    pub(super) async fn get_range(
        &self,
        operation: &'static str,
        key: &str,
        range: Range<u64>,
    ) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let path = path(operation, key)?;
        repeat!(self.once(operation, key, async {
            let range = Some(GetRange::Bounded(range.clone()));
            let options = GetOptions::default().with_range(range);
            self.store.get_opts(&path, options).await?.bytes().await
        }))
    }

    /// Writes an object, over one that is there.
    pub(super) async fn put(&self, operation: &'static str, key: &str, body: Bytes) -> Result<()> {
        let path = path(operation, key)?;
        repeat!(self.once(operation, key, async {
            let payload = PutPayload::from_bytes(body.clone());
            self.store.put(&path, payload).await.map(drop)
        }))
    }

    /// Tries once to create an object. [`settle`](super::settle) makes sense of the answer.
    pub(super) async fn create(
        &self,
        operation: &'static str,
        key: &str,
        body: Bytes,
    ) -> Result<()> {
        let path = path(operation, key)?;
        let payload = PutPayload::from_bytes(body);
        let call = async {
            let created = self.store.put_opts(&path, payload, PutMode::Create.into());
            created.await.map(drop)
        };
        self.once(operation, key, call).await
    }

    /// When the storage says that an object was written, in milliseconds.
    pub(super) async fn modified(&self, operation: &'static str, key: &str) -> Result<i64> {
        let path = path(operation, key)?;
        let meta = repeat!(self.once(operation, key, self.store.head(&path)))?;
        Ok(meta.last_modified.timestamp_millis())
    }

    /// Lists everything below a folder, in the order of the names.
    pub(super) async fn list(&self, operation: &'static str, folder: &str) -> Result<Vec<Listed>> {
        self.list_after(operation, folder, None).await
    }

    /// Lists what is below a folder and after a name.
    pub(super) async fn list_after(
        &self,
        operation: &'static str,
        folder: &str,
        after: Option<&str>,
    ) -> Result<Vec<Listed>> {
        let prefix = path(operation, folder)?;
        let after = after.map(|after| path(operation, after)).transpose()?;
        let mut all = repeat!(self.list_once(operation, folder, &prefix, after.as_ref()))?;
        all.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(all)
    }

    /// A listing has as many pages as it needs: each of them has the time of a call.
    async fn list_once(
        &self,
        operation: &'static str,
        folder: &str,
        prefix: &Path,
        after: Option<&Path>,
    ) -> Result<Vec<Listed>> {
        let pages = match after {
            None => self.store.list(Some(prefix)),
            Some(after) => self.store.list_with_offset(Some(prefix), after),
        };
        let mut pages = pages.ready_chunks(1000);
        let mut all = Vec::new();
        loop {
            match tokio::time::timeout(self.timeout, pages.next()).await {
                Err(_) => return Err(timed_out(operation, folder)),
                Ok(None) => return Ok(all),
                Ok(Some(page)) => {
                    for meta in page {
                        match meta {
                            Ok(meta) => all.push(Listed::from(meta)),
                            // A folder that is not there is empty; a file can vanish meanwhile.
                            Err(Failure::NotFound { .. }) => {}
                            Err(failure) => return Err(translate(operation, folder, &failure)),
                        }
                    }
                }
            }
        }
    }

    /// Deletes objects; those that are not there count as deleted.
    pub(super) async fn delete(&self, operation: &'static str, keys: Vec<String>) -> Result<()> {
        let Some(first) = keys.first().cloned() else {
            return Ok(());
        };
        let paths: Vec<Path> = keys
            .iter()
            .map(|key| path(operation, key))
            .collect::<Result<_>>()?;
        repeat!(self.delete_once(operation, &first, &paths))
    }

    async fn delete_once(
        &self,
        operation: &'static str,
        first: &str,
        paths: &[Path],
    ) -> Result<()> {
        let paths = stream::iter(paths.to_vec()).map(Ok).boxed();
        let mut deleted = self.store.delete_stream(paths);
        loop {
            match tokio::time::timeout(self.timeout, deleted.next()).await {
                Err(_) => return Err(timed_out(operation, first)),
                Ok(None) => return Ok(()),
                Ok(Some(Ok(_) | Err(Failure::NotFound { .. }))) => {}
                Ok(Some(Err(failure))) => return Err(translate(operation, first, &failure)),
            }
        }
    }

    /// Copies objects, each over what is there.
    pub(super) async fn copy(
        &self,
        operation: &'static str,
        pairs: Vec<(String, String)>,
    ) -> Result<()> {
        let copies: Vec<_> = pairs
            .into_iter()
            .map(|(from, to)| self.copy_one(operation, from, to))
            .collect();
        stream::iter(copies)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn copy_one(&self, operation: &'static str, from: String, to: String) -> Result<()> {
        let (source, target) = (path(operation, &from)?, path(operation, &to)?);
        repeat!(self.once(operation, &from, self.store.copy(&source, &target)))
    }

    async fn once<T>(
        &self,
        operation: &'static str,
        key: &str,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(result) => result.map_err(|failure| translate(operation, key, &failure)),
            Err(_) => Err(timed_out(operation, key)),
        }
    }
}

/// How long to wait after a number of tries: 50 ms, doubled each time, 5 s at most.
pub(super) fn pause(tries: u32) -> Duration {
    Duration::from_millis(25 << tries.clamp(1, 8)).min(Duration::from_secs(5))
}

fn path(operation: &'static str, key: &str) -> Result<Path> {
    Path::parse(key).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, operation)
            .with_object(key)
            .with_detail(error.to_string())
    })
}

impl fmt::Debug for Client {
    /// Without the settings of the storage, which can hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("store", &self.store.to_string())
            .finish_non_exhaustive()
    }
}
