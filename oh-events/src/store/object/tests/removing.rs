//! Sessions that are removed while others open them.

use std::time::Duration;

use oh_core::ErrorKind;

use super::unreliable::Fault;
use super::*;
use crate::store::object::client::Client;
use crate::store::object::index::Entry;
use crate::store::object::remove;

#[tokio::test]
async fn a_session_that_is_removed_while_it_is_opened_is_not_written() {
    let storage = Unreliable::new();
    let first = open(&store(&storage)).await;
    append(&*first, 3, "a").await;
    first.close().await.unwrap();
    storage.meet("/writer/", Fault::Delayed, 1);
    let slow = store(&storage);
    let slow = tokio::spawn(async move { slow.open(&session(), Writer::new("slow")).await });
    storage.held().await;
    store(&storage).remove(&session()).await.unwrap();
    storage.free();
    let error = slow.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");

    let anew = open(&store(&storage)).await;
    append(&*anew, 2, "b").await;
    let viewer = store(&storage).view(&session()).await.unwrap();
    assert_eq!(all(&*viewer).await, texts(0..2, "b"));
}

#[tokio::test]
async fn a_removal_that_ends_late_leaves_the_session_that_was_begun_anew() {
    const OPERATION: &str = "test";
    let storage = Unreliable::new();
    let client = Client::new(Arc::clone(&storage) as _, Duration::from_secs(9));
    drop(open(&store(&storage)).await);
    let removed = Entry::load(&client, OPERATION, &session()).await.unwrap();
    let removed = Entry {
        removing: true,
        ..removed.unwrap()
    };
    removed
        .replace(&client, OPERATION, &session())
        .await
        .unwrap();
    // Whoever opens it ends the removal, and begins anew before the one who began it goes on.
    let anew = open(&store(&storage)).await;
    append(&*anew, 2, "b").await;
    remove::remove(&client, &session(), &removed).await.unwrap();
    let viewer = store(&storage).view(&session()).await.unwrap();
    assert_eq!(all(&*viewer).await, texts(0..2, "b"));
}
