//! Webhooks: who has subscribed to what.

use std::sync::Arc;

use onsale_domain::{
    ids::{ShowId, UserId, WebhookId},
    time::Timestamp,
};
use onsale_engine::ports::{NewWebhook, Store, StoreError, Webhook};

fn new_webhook(owner: i64) -> NewWebhook {
    NewWebhook {
        owner: UserId(owner),
        url: "https://example.com/hook?x=\"é\"".to_owned(),
        event_types: vec!["onsale.order.paid.v1".to_owned(), "b".to_owned()],
        shows: vec![ShowId(7), ShowId(i64::MAX)],
        secret: "whsec_first".to_owned(),
        created_at: Timestamp(5),
    }
}

pub async fn a_webhook_read_back_is_the_one_written(store: Arc<dyn Store>) {
    let new = new_webhook(3);
    let id = store.add_webhook(&new).await.unwrap();
    let mut expected = Webhook {
        id,
        owner: new.owner,
        url: new.url.clone(),
        event_types: new.event_types.clone(),
        shows: new.shows.clone(),
        active: true,
        secret: new.secret.clone(),
        previous_secret: None,
        created_at: new.created_at,
    };
    assert_eq!(store.webhook(id).await.unwrap().as_ref(), Some(&expected));
    expected.url = "https://example.org/".to_owned();
    (expected.event_types, expected.shows, expected.active) = (Vec::new(), Vec::new(), false);
    store.change_webhook(&expected).await.unwrap();
    // Changing it to what it is is not a failure.
    store.change_webhook(&expected).await.unwrap();
    assert_eq!(store.webhook(id).await.unwrap(), Some(expected));
}

pub async fn a_webhook_that_is_not_there_is_missing(store: Arc<dyn Store>) {
    let id = store.add_webhook(&new_webhook(3)).await.unwrap();
    let webhook = store.webhook(id).await.unwrap().unwrap();
    assert!(store.remove_webhook(id).await.unwrap());
    assert!(!store.remove_webhook(id).await.unwrap());
    assert_eq!(store.webhook(id).await.unwrap(), None);
    let refused = store.change_webhook(&webhook).await;
    assert!(matches!(refused, Err(StoreError::Missing("webhook"))), "{refused:?}");
}

pub async fn webhooks_are_listed_by_owner_and_if_active(store: Arc<dyn Store>) {
    let mut ids = Vec::new();
    for owner in [1, 2, 1] {
        ids.push(store.add_webhook(&new_webhook(owner)).await.unwrap());
    }
    let listed = async |owner: Option<i64>, after: Option<WebhookId>, limit| {
        let found = store.webhooks(owner.map(UserId), after, limit).await.unwrap();
        found.into_iter().map(|webhook| webhook.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(None, None, 10).await, ids);
    assert_eq!(listed(Some(1), None, 10).await, [ids[0], ids[2]]);
    assert_eq!(listed(Some(1), Some(ids[0]), 10).await, [ids[2]]);
    assert_eq!(listed(None, None, 2).await, ids[..2]);
    let first = store.webhook(ids[0]).await.unwrap().unwrap();
    store.change_webhook(&Webhook { active: false, ..first }).await.unwrap();
    let active = store.active_webhooks(10).await.unwrap();
    assert_eq!(active.into_iter().map(|webhook| webhook.id).collect::<Vec<_>>(), ids[1..]);
}

pub async fn a_secret_is_rotated_by_one_alone(store: Arc<dyn Store>) {
    let id = store.add_webhook(&new_webhook(3)).await.unwrap();
    store.rotate_webhook(id, "whsec_first", "whsec_second", Timestamp(9)).await.unwrap();
    let rotated = store.webhook(id).await.unwrap().unwrap();
    assert_eq!(rotated.secret, "whsec_second");
    assert_eq!(rotated.previous_secret, Some(("whsec_first".to_owned(), Timestamp(9))));
    let refused = store.rotate_webhook(id, "whsec_first", "whsec_third", Timestamp(9)).await;
    assert!(matches!(refused, Err(StoreError::Rejected(_))), "{refused:?}");
    assert_eq!(rotated.secrets_at(Timestamp(8)), ["whsec_second", "whsec_first"]);
    assert_eq!(rotated.secrets_at(Timestamp(9)), ["whsec_second"]);
    // Who changes something else does not bring the old secret back.
    store.change_webhook(&Webhook { secret: "whsec_first".to_owned(), ..rotated.clone() }).await.unwrap();
    assert_eq!(store.webhook(id).await.unwrap(), Some(rotated));
}
