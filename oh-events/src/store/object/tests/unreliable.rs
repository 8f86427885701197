//! A storage that does what tests ask of it.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::object_store::memory::InMemory;
use ::object_store::path::Path;
use ::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use tokio::sync::Notify;

/// What happens to calls that write an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is created, but the answer gets lost.
    AnswerLost,
    /// Nothing arrives, and no answer comes.
    CallLost,
    /// The storage refuses.
    Refused,
    /// The call hangs, and is heard when it is let go.
    Delayed,
}

#[derive(Debug, Default)]
pub(super) struct Unreliable {
    inner: Arc<InMemory>,
    faults: Mutex<Vec<(&'static str, Fault, usize)>>,
    hidden: Mutex<Option<&'static str>>,
    calls: Mutex<usize>,
    held: Notify,
    freed: Arc<Notify>,
    keeps_all: Mutex<bool>,
    /// What the lengths of calls are drawn from, once they take time.
    dawdle: Arc<Mutex<Option<u64>>>,
}

impl Unreliable {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The next calls that write an object with this in its name meet a fault.
    pub(super) fn meet(&self, part: &'static str, fault: Fault, times: usize) {
        self.faults.lock().unwrap().push((part, fault, times));
    }

    /// Faults that were not met are forgotten.
    pub(super) fn clear(&self) {
        self.faults.lock().unwrap().clear();
    }

    /// Leaves objects out of listings.
    pub(super) fn hide(&self, part: Option<&'static str>) {
        *self.hidden.lock().unwrap() = part;
    }

    /// Fails to delete.
    pub(super) fn keep_all(&self, keep: bool) {
        *self.keeps_all.lock().unwrap() = keep;
    }

    /// Number of calls since the last time.
    pub(super) fn take_calls(&self) -> usize {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// Waits until a call hangs.
    pub(super) async fn held(&self) {
        self.held.notified().await;
    }

    /// Lets a call that hangs be heard.
    pub(super) fn free(&self) {
        self.freed.notify_one();
    }

    /// Names of the objects with this in their name.
    pub(super) async fn names(&self, part: &str) -> Vec<String> {
        let all: Vec<ObjectMeta> = self.inner.list(None).try_collect().await.unwrap();
        let mut names: Vec<String> = all
            .into_iter()
            .map(|meta| meta.location.to_string())
            .filter(|name| name.contains(part))
            .collect();
        names.sort();
        names
    }

    /// Overwrites bytes of the object with this in its name.
    pub(super) async fn damage(&self, part: &str, text: &str) {
        let name = self.names(part).await.remove(0);
        let path = Path::parse(name).unwrap();
        let body = self.inner.get(&path).await.unwrap().bytes().await.unwrap();
        let at = body
            .windows(text.len())
            .position(|window| window == text.as_bytes())
            .unwrap();
        let mut body = body.to_vec();
        body[at..at + text.len()].fill(b'#');
        self.inner.put(&path, body.into()).await.unwrap();
    }

    /// From now on calls take a while until they are heard, and until they are answered; a few of
    /// them take much longer than the others.
    pub(super) fn dawdle(&self, seed: u64) {
        *self.dawdle.lock().unwrap() = Some(seed);
    }

    /// Takes time.
    fn while_away(&self) -> impl Future<Output = ()> + Send + use<> {
        let dawdle = Arc::clone(&self.dawdle);
        async move {
            let millis = dawdle.lock().unwrap().as_mut().map(|state| {
                *state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let drawn = *state >> 33;
                let most = if drawn.is_multiple_of(16) { 500 } else { 5 };
                drawn / 16 % most
            });
            if let Some(millis) = millis {
                tokio::time::sleep(Duration::from_millis(millis)).await;
            }
        }
    }

    fn count(&self) {
        *self.calls.lock().unwrap() += 1;
    }

    fn fault(&self, name: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let at = faults
            .iter()
            .position(|(part, _, times)| *times > 0 && name.contains(part))?;
        faults[at].2 -= 1;
        Some(faults[at].1)
    }

    fn is_hidden(&self, name: &Path) -> bool {
        let hidden = self.hidden.lock().unwrap();
        hidden.is_some_and(|part| name.as_ref().contains(part))
    }

    fn failure() -> Error {
        Error::Generic {
            store: "test",
            source: std::io::Error::from(std::io::ErrorKind::ConnectionReset).into(),
        }
    }
}

impl fmt::Display for Unreliable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unreliable")
    }
}

#[async_trait]
impl ObjectStore for Unreliable {
    async fn put_opts(
        &self,
        name: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.count();
        match self.fault(name.as_ref()) {
            None => {
                self.while_away().await;
                let put = self.inner.put_opts(name, payload, options).await;
                self.while_away().await;
                put
            }
            Some(Fault::AnswerLost) => {
                self.inner.put_opts(name, payload, options).await?;
                Err(Self::failure())
            }
            Some(Fault::CallLost) => Err(Self::failure()),
            Some(Fault::Refused) => Err(Error::PermissionDenied {
                path: name.to_string(),
                source: "<Code>AccessDenied</Code>".into(),
            }),
            Some(Fault::Delayed) => {
                let (inner, freed) = (Arc::clone(&self.inner), Arc::clone(&self.freed));
                let name = name.clone();
                self.held.notify_one();
                // It is under way, whether or not someone still waits for the answer.
                tokio::spawn(async move {
                    freed.notified().await;
                    inner.put_opts(&name, payload, options).await
                })
                .await
                .unwrap()
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        name: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(name, options).await
    }

    async fn get_opts(&self, name: &Path, options: GetOptions) -> Result<GetResult> {
        self.count();
        self.while_away().await;
        let found = self.inner.get_opts(name, options).await;
        self.while_away().await;
        found
    }

    async fn get_ranges(&self, name: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.count();
        self.inner.get_ranges(name, ranges).await
    }

    fn delete_stream(
        &self,
        names: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.count();
        if *self.keeps_all.lock().unwrap() {
            return names.map(|_| Err(Self::failure())).boxed();
        }
        let (pause, inner) = (self.while_away(), Arc::clone(&self.inner));
        futures_util::stream::once(async move {
            pause.await;
            inner.delete_stream(names)
        })
        .flatten()
        .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.count();
        let hidden = *self.hidden.lock().unwrap();
        let (before, after) = (self.while_away(), self.while_away());
        let (inner, prefix) = (Arc::clone(&self.inner), prefix.cloned());
        futures_util::stream::once(async move {
            before.await;
            let listed: Vec<_> = inner.list(prefix.as_ref()).collect().await;
            after.await;
            futures_util::stream::iter(listed)
        })
        .flatten()
        .try_filter(move |meta| {
            let shown = hidden.is_none_or(|part| !meta.location.as_ref().contains(part));
            futures_util::future::ready(shown)
        })
        .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.count();
        let mut listed = self.inner.list_with_delimiter(prefix).await?;
        listed
            .objects
            .retain(|meta| !self.is_hidden(&meta.location));
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.count();
        self.inner.copy_opts(from, to, options).await
    }
}
