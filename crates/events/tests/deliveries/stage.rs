//! A store with an organiser and their show, a clock that stands still, and who delivers.

use std::{sync::Arc, time::Duration};

use onsale_domain::{
    catalogue::{ShowDetails, ShowKind},
    ids::{SessionId, ShowId, UserId},
    money::Currency,
    time::Timestamp,
    user::Role,
};
use onsale_engine::{
    accounts::Caller,
    clock::ManualClock,
    ids::RandomIds,
    ports::{
        AccountStore as _, CatalogueStore as _, Channel, Delivery, DeliveryState, NewUser, Store, UserChange,
        Webhook,
    },
    webhooks::{TargetPolicy, WebhookDetails, WebhookSettings, Webhooks},
};
use onsale_events::{
    Consumer as _, Event, EventType,
    deliveries::{Carriers, Courier, CourierSettings, Wake},
    webhooks::{Judged, Lookup, SystemLookup, WebhookConsumer, WebhookSender},
};
use onsale_store::{SqlStore, StoreOptions};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::sleep;

/// When every test begins.
pub(crate) const START: Timestamp = Timestamp(1_795_255_200_000);

/// The longest that a request may take.
const TIMEOUT: Duration = Duration::from_millis(1_500);

pub(crate) struct Stage {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) webhooks: Webhooks,
    pub(crate) organiser: Caller,
    pub(crate) consumer: WebhookConsumer,
    pub(crate) policy: TargetPolicy,
    wake: Wake,
    _folder: TempDir,
}

fn new_user(name: &str, role: Role) -> NewUser {
    NewUser {
        email: format!("{name}@example.com"),
        name: name.to_owned(),
        role,
        password_hash: String::new(),
        created_at: START,
    }
}

/// Loopback by http is allowed, where the receivers are.
pub(crate) fn loopback() -> TargetPolicy {
    let allow_networks = vec!["127.0.0.0/8".parse().unwrap()];
    TargetPolicy { allow_http: true, ports: Vec::new(), allow_networks }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with_policy(loopback()).await
    }

    pub(crate) async fn with_policy(policy: TargetPolicy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = SqlStore::file_url(&folder.path().join("onsale.db")).unwrap();
        let store = SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.unwrap();
        let user = store.add_user(new_user("mina", Role::Organiser)).await.unwrap().id;
        let show = ShowDetails::new(ShowKind::Movie, "범죄도시");
        assert_eq!(store.add_show(show, Some(user)).await.unwrap(), ShowId(1));
        let store: Arc<dyn Store> = Arc::new(store);
        let clock = Arc::new(ManualClock::new(START));
        let event_types = EventType::KNOWN.iter().map(|known| known.as_str().to_owned()).collect();
        let settings = WebhookSettings { target: policy.clone(), event_types };
        let webhooks = Webhooks::new(store.clone(), clock.clone(), Arc::new(RandomIds::default()), settings);
        let wake = Wake::default();
        let consumer = WebhookConsumer::new(store.clone(), clock.clone(), wake.clone());
        let organiser = Caller { user, role: Role::Organiser, session: SessionId(Default::default()) };
        Self { store, clock, webhooks, organiser, consumer, policy, wake, _folder: folder }
    }

    /// Sends everybody everything.
    pub(crate) fn without_owners(self) -> Self {
        Self { consumer: self.consumer.without_owners(), ..self }
    }

    /// Another account.
    pub(crate) async fn account(&self, name: &str, role: Role) -> UserId {
        self.store.add_user(new_user(name, role)).await.unwrap().id
    }

    /// Subscribes to everything at an address.
    pub(crate) async fn subscribe(&self, url: &str) -> Webhook {
        let details = WebhookDetails { url: url.to_owned(), event_types: Vec::new(), shows: Vec::new() };
        self.webhooks.add(self.organiser, details).await.expect("the address may be subscribed")
    }

    pub(crate) fn courier(&self) -> Courier {
        self.courier_with(Arc::new(SystemLookup), Judged::AtTheConnection, settings())
    }

    pub(crate) fn courier_with(
        &self,
        lookup: Arc<dyn Lookup>,
        judged: Judged,
        settings: CourierSettings,
    ) -> Courier {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let sender = WebhookSender::new(store, clock, self.policy.clone(), TIMEOUT, lookup, judged);
        let sender = Arc::new(sender.expect("the client is set up"));
        self.courier_of(Carriers { webhooks: Some(sender), notifications: None }, settings)
    }

    pub(crate) fn courier_of(&self, carriers: Carriers, settings: CourierSettings) -> Courier {
        let ids = Arc::new(RandomIds::default());
        Courier::start(self.store.clone(), self.clock.clone(), ids, carriers, self.wake.clone(), settings)
    }

    /// Consumes events as a relay does.
    pub(crate) async fn consume(&self, events: &[Event]) {
        for event in events {
            self.consumer.consume(event).await.expect("it is consumed");
        }
        self.consumer.flush().await.expect("what was consumed is written");
    }

    pub(crate) async fn deliveries(&self, webhook: &Webhook) -> Vec<Delivery> {
        self.store.deliveries(Channel::Webhook(webhook.id), None, None, 1_000).await.unwrap()
    }

    /// The one delivery of a webhook, once it is as wanted.
    pub(crate) async fn wait_for(&self, webhook: &Webhook, wanted: impl Fn(&Delivery) -> bool) -> Delivery {
        self.wait_on(Channel::Webhook(webhook.id), wanted).await
    }

    pub(crate) async fn wait_on(&self, channel: Channel, wanted: impl Fn(&Delivery) -> bool) -> Delivery {
        let mut last = Vec::new();
        for _ in 0..3_000 {
            last = self.store.deliveries(channel, None, None, 1_000).await.unwrap();
            if let Some(delivery) = last.first().filter(|delivery| wanted(delivery)) {
                return delivery.clone();
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("the newest delivery never became as wanted: {last:?}");
    }

    /// Waits until nothing waits.
    pub(crate) async fn drained(&self, webhook: &Webhook) {
        let channel = Channel::Webhook(webhook.id);
        for _ in 0..6_000 {
            let waiting =
                self.store.deliveries(channel, Some(DeliveryState::Waiting), None, 1).await.unwrap();
            if waiting.is_empty() {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("deliveries still wait: {:?}", self.deliveries(webhook).await);
    }

    pub(crate) async fn make(&self, user: UserId, role: Role) {
        let change = UserChange { role: Some(role), ..UserChange::default() };
        self.store.change_user(user, change).await.unwrap().expect("the account is there");
    }
}

/// Looks often, so that tests need not wait.
pub(crate) fn settings() -> CourierSettings {
    CourierSettings {
        poll: Duration::from_millis(10),
        attempt_max: Duration::from_secs(5),
        ..CourierSettings::default()
    }
}

/// Long enough for a courier to look several times.
pub(crate) async fn a_few_looks() {
    sleep(Duration::from_millis(250)).await;
}

/// Change number `version` of an order, about a show.
pub(crate) fn event(order: &str, version: u32) -> Event {
    Event {
        id: format!("{order}.{version}"),
        event_type: EventType::OrderPaid,
        source: "/onsale".to_owned(),
        subject: order.to_owned(),
        key: order.to_owned(),
        time: START,
        data: json!({"orderId": order, "version": version, "showId": 1, "title": "범죄도시"}),
    }
}
