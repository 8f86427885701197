//! Removing a session.

use oh_core::{Error, ErrorKind, Result, SessionId};

use super::client::Client;
use super::index::Entry;
use super::names::{self, Names};

const OPERATION: &str = "remove session";

/// How often objects are looked for that someone still wrote.
const LOOKS: usize = 4;

/// Marks the session as one that is being removed, deletes its objects, then the mark. Several can
/// do this at a time, and one of them can be late: by then the session can have begun anew.
pub(super) async fn remove(client: &Client, session: &SessionId, entry: &Entry) -> Result<()> {
    let marked = Entry {
        removing: true,
        ..entry.clone()
    };
    if !entry.removing {
        marked.replace(client, OPERATION, session).await?;
    }
    let folder = Names::new(session, &entry.incarnation);
    for _ in 0..LOOKS {
        let left = client.list(OPERATION, folder.all()).await?;
        if left.is_empty() {
            return match Entry::load(client, OPERATION, session).await? {
                Some(there) if there.incarnation == entry.incarnation => {
                    client.delete(OPERATION, vec![names::index(session)]).await
                }
                _ => Ok(()),
            };
        }
        let keys = left.into_iter().map(|object| object.key).collect();
        client.delete(OPERATION, keys).await?;
    }
    Err(Error::new(ErrorKind::Conflict, OPERATION)
        .with_object(session.as_str())
        .with_detail("someone still writes into the session; remove it again"))
}
