//! Where webhooks do not go, whatever a name stands for and wherever a receiver points.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use onsale_engine::{
    ports::{DeliveryState, Webhook},
    webhooks::{TargetPolicy, WebhookDetails},
};
use onsale_events::{
    deliveries::Courier,
    webhooks::{Judged, Lookup, SystemLookup},
};
use parking_lot::Mutex;

use crate::{
    receiver::{Answer, Receiver},
    stage::{Stage, event, loopback, settings},
};

/// A name server that gives each answer once and the last one for ever.
struct Names(Mutex<VecDeque<Vec<IpAddr>>>);

impl Names {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(answers.iter().map(parse).collect())))
    }
}

#[async_trait]
impl Lookup for Names {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        assert_eq!(host, "receiver.example");
        let mut answers = self.0.lock();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Ok(answer.unwrap_or_default())
    }
}

/// Only this address is allowed.
fn only(address: &str) -> TargetPolicy {
    TargetPolicy { allow_networks: vec![address.parse().unwrap()], ..loopback() }
}

/// A receiver that may be called, and one on the same port that must not be.
async fn allowed_and_forbidden(stage: &Stage) -> (Receiver, Receiver) {
    loop {
        let allowed = Receiver::start_on("127.0.0.2:0".parse().unwrap(), stage.clock.clone()).await;
        let address = SocketAddr::new("127.0.0.1".parse().unwrap(), allowed.address.port());
        // Somebody else may have the port there.
        if std::net::TcpListener::bind(address).is_ok() {
            return (allowed, Receiver::start_on(address, stage.clock.clone()).await);
        }
    }
}

async fn deliver(stage: &Stage, webhook: &Webhook, courier: &Courier) -> onsale_engine::ports::Delivery {
    stage.consume(&[event("a", 1)]).await;
    let delivery = stage.wait_for(webhook, |delivery| delivery.attempts == 1).await;
    courier.stop().await;
    delivery
}

#[tokio::test]
async fn names_that_stand_for_private_addresses_are_not_called() {
    let addresses: &[&[&str]] = &[
        &["127.0.0.1"],
        &["127.0.0.1", "127.0.0.1"],
        &["::1"],
        &["10.0.0.1"],
        &["169.254.169.254"],
        &["100.64.0.1"],
        &["fd00::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["224.0.0.1"],
    ];
    for answer in addresses {
        let policy = TargetPolicy { allow_networks: Vec::new(), ..loopback() };
        let stage = Stage::with_policy(policy).await;
        let victim = Receiver::start(stage.clock.clone()).await;
        let webhook = stage.subscribe(&victim.url_of("receiver.example")).await;
        let courier = stage.courier_with(Names::new(&[*answer]), Judged::AtTheConnection, settings());
        let delivery = deliver(&stage, &webhook, &courier).await;
        assert_eq!((delivery.state, delivery.answer_status), (DeliveryState::Waiting, None));
        assert!(delivery.answer.unwrap().contains("is not a public address"), "{answer:?}");
        assert_eq!(victim.count(), 0, "{answer:?}");
    }
}

/// The control of the one above: where loopback is allowed, the same name does arrive.
#[tokio::test]
async fn a_name_that_may_be_called_is() {
    let stage = Stage::new().await;
    let receiver = Receiver::start(stage.clock.clone()).await;
    assert_eq!(receiver.ip().to_string(), "127.0.0.1");
    let webhook = stage.subscribe(&receiver.url_of("receiver.example")).await;
    let courier = stage.courier_with(Names::new(&[&["127.0.0.1"]]), Judged::AtTheConnection, settings());
    assert_eq!(deliver(&stage, &webhook, &courier).await.state, DeliveryState::Delivered);
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn a_name_that_changes_after_it_was_judged_is_called_where_it_was_judged() {
    let stage = Stage::with_policy(only("127.0.0.2")).await;
    let (allowed, forbidden) = allowed_and_forbidden(&stage).await;
    let webhook = stage.subscribe(&allowed.url_of("receiver.example")).await;
    let names = Names::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let courier = stage.courier_with(names, Judged::AtTheConnection, settings());
    assert_eq!(deliver(&stage, &webhook, &courier).await.state, DeliveryState::Delivered);
    assert_eq!((allowed.count(), forbidden.count()), (1, 0));
}

#[tokio::test]
async fn a_name_that_changes_before_the_next_connection_is_refused_then() {
    let stage = Stage::with_policy(only("127.0.0.2")).await;
    let (allowed, forbidden) = allowed_and_forbidden(&stage).await;
    let webhook = stage.subscribe(&allowed.url_of("receiver.example")).await;
    let names = Names::new(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let courier = stage.courier_with(names, Judged::AtTheConnection, settings());
    let delivery = deliver(&stage, &webhook, &courier).await;
    assert_eq!(delivery.state, DeliveryState::Waiting);
    assert_eq!((allowed.count(), forbidden.count()), (0, 0));
}

/// The negative control: judged on a look-up of its own, a name that changes in between leads inside.
#[tokio::test]
async fn without_pinning_a_name_that_changes_leads_inside() {
    let stage = Stage::with_policy(only("127.0.0.2")).await;
    let (allowed, forbidden) = allowed_and_forbidden(&stage).await;
    let webhook = stage.subscribe(&allowed.url_of("receiver.example")).await;
    let names = Names::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let courier = stage.courier_with(names, Judged::Before, settings());
    deliver(&stage, &webhook, &courier).await;
    assert_eq!((allowed.count(), forbidden.count()), (0, 1));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let stage = Stage::with_policy(only("127.0.0.2")).await;
    let (allowed, forbidden) = allowed_and_forbidden(&stage).await;
    allowed.answer([Answer::Redirect(forbidden.url())]);
    let webhook = stage.subscribe(&allowed.url()).await;
    let delivery = deliver(&stage, &webhook, &stage.courier()).await;
    assert_eq!((delivery.state, delivery.answer_status), (DeliveryState::Waiting, Some(307)));
    assert!(delivery.answer.unwrap().contains("redirects are not followed"));
    assert_eq!((allowed.count(), forbidden.count()), (1, 0));
    // It could have been: somebody who follows arrives there.
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
    client.post(allowed.url()).body("x").send().await.unwrap();
    assert_eq!(forbidden.count(), 1);
}

/// An address that was subscribed while it was allowed is not called once it is not any more.
#[tokio::test]
async fn the_policy_of_now_counts() {
    let mut stage = Stage::new().await;
    let receiver = Receiver::start(stage.clock.clone()).await;
    let webhook = stage.subscribe(&receiver.url()).await;
    stage.policy = TargetPolicy { allow_networks: Vec::new(), ..loopback() };
    let courier = stage.courier_with(Arc::new(SystemLookup), Judged::AtTheConnection, settings());
    let delivery = deliver(&stage, &webhook, &courier).await;
    assert!(delivery.answer.unwrap().contains("is not a public address"));
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn addresses_inside_cannot_be_subscribed() {
    let stage = Stage::with_policy(TargetPolicy::default()).await;
    for url in ["https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/", "http://example.com/"] {
        let details = WebhookDetails { url: url.to_owned(), event_types: Vec::new(), shows: Vec::new() };
        let refused = stage.webhooks.add(stage.organiser, details).await.unwrap_err();
        assert!(refused.to_string().starts_with("url: "), "{refused}");
    }
}
