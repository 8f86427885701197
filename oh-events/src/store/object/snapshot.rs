//! The snapshot of a log.

use bytes::{BufMut, Bytes, BytesMut};
use oh_core::{ErrorKind, EventId, Result};

use crate::store::Snapshot;

use super::shared::Shared;

/// Sizes of the next id and of the checksum, which stand before the data.
const PREFIX_BYTES: usize = 8 + 4;

pub(super) async fn save(shared: &Shared, snapshot: &Snapshot) -> Result<()> {
    let mut body = BytesMut::with_capacity(PREFIX_BYTES + snapshot.data.len());
    body.put_u64(snapshot.next.0);
    body.put_u32(crc32fast::hash(&snapshot.data));
    body.put_slice(&snapshot.data);
    let key = shared.names.snapshot();
    shared
        .client
        .put("save snapshot", &key, body.freeze())
        .await
}

/// A snapshot that is damaged counts as none.
pub(super) async fn load(shared: &Shared) -> Result<Option<Snapshot>> {
    let key = shared.names.snapshot();
    match shared.client.get("read snapshot", &key).await {
        Ok(body) => Ok(parse(&body)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(body: &Bytes) -> Option<Snapshot> {
    let (next, rest) = body.split_first_chunk::<8>()?;
    let (crc, _) = rest.split_first_chunk::<4>()?;
    let data = body.slice(PREFIX_BYTES..);
    (crc32fast::hash(&data) == u32::from_be_bytes(*crc))
        .then(|| Snapshot::new(EventId(u64::from_be_bytes(*next)), data))
}
