//! What buyers are told, through a mail server that listens on a port of its own.

use std::sync::Arc;

use onsale_contract::sale::stage::{self, Setup};
use onsale_domain::{
    ids::UserId,
    order::{Order, OrderStatus},
    time::Timestamp,
    user::Role,
};
use onsale_engine::{
    clock::{Clock as _, ManualClock},
    events::order_data,
    ids::RandomIds,
    ports::{Channel, Delivery, DeliveryState, NewUser, OutboxOrder, Store, UnlessLastAdmin},
};
use onsale_events::{
    Consumer as _, Event, EventType,
    deliveries::{Carriers, Courier, Wake},
    notifications::{
        Language, LogNotifier, NotificationConsumer, NotificationSender, Notifier, SmtpNotifier,
    },
};
use onsale_store::{SqlStore, StoreOptions};
use tempfile::TempDir;
use tokio::time::{Duration, sleep};

use crate::{
    smtp::{Mail, MailServer},
    stage::{a_few_looks, settings},
};

const REMINDER_MS: i64 = 60_000;

struct Shop {
    sale: stage::Stage,
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    buyer: UserId,
    consumer: NotificationConsumer,
    wake: Wake,
    mail: MailServer,
    _folder: TempDir,
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = SqlStore::file_url(&folder.path().join("onsale.db")).unwrap();
        let options = StoreOptions::new(onsale_domain::money::Currency::KRW);
        let store: Arc<dyn Store> = Arc::new(SqlStore::open(&url, &options).await.unwrap());
        let (sale, clock) = stage::Stage::frozen(store.clone(), Setup::default()).await;
        let buyer = NewUser {
            email: "buyer@example.com".to_owned(),
            name: "민지".to_owned(),
            role: Role::User,
            password_hash: String::new(),
            created_at: clock.now(),
        };
        let buyer = store.add_user(buyer).await.unwrap().id;
        sale.fund(buyer, 1_000_000).await;
        let wake = Wake::default();
        let consumer = NotificationConsumer::new(store.clone(), clock.clone(), wake.clone(), REMINDER_MS);
        let mail = MailServer::start().await;
        Self { sale, store, clock, buyer, consumer, wake, mail, _folder: folder }
    }

    fn courier(&self, language: Language) -> Courier {
        let notifier = SmtpNotifier::new(&self.mail.url(), "Onsale <tickets@onsale.example>").unwrap();
        self.courier_with(Arc::new(notifier), language)
    }

    fn courier_with(&self, notifier: Arc<dyn Notifier>, language: Language) -> Courier {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let sender = NotificationSender::new(store, clock, notifier, language);
        let carriers = Carriers { webhooks: None, notifications: Some(Arc::new(sender)) };
        let (store, clock) = (self.store.clone(), self.clock.clone());
        Courier::start(store, clock, Arc::new(RandomIds::default()), carriers, self.wake.clone(), settings())
    }

    async fn hold(&self) -> Order {
        let (performance, seats) = (self.sale.performance, vec![self.sale.seats[0]]);
        let held = self.sale.engine.sales.hold(self.buyer, None, performance, seats).await;
        let order = held.expect("the seat is free").order;
        self.tell(&order).await;
        order
    }

    /// Consumes the event of an order as it is now.
    async fn tell(&self, order: &Order) {
        let event_type = match order.status {
            OrderStatus::Held => EventType::OrderHeld,
            OrderStatus::Paid => EventType::OrderPaid,
            OrderStatus::Expired => EventType::OrderExpired,
            OrderStatus::Cancelled => EventType::OrderCancelled,
        };
        let of = OutboxOrder { order: order.clone(), version: order.version, show: None, payment: None };
        let event = Event {
            id: format!("{}.{}", order.id, order.version),
            event_type,
            source: "/onsale".to_owned(),
            subject: order.id.to_string(),
            key: order.id.to_string(),
            time: self.clock.now(),
            data: order_data(&of, order.status),
        };
        // At least once.
        for _ in 0..2 {
            self.consumer.consume(&event).await.unwrap();
            self.consumer.flush().await.unwrap();
        }
    }

    async fn order(&self, order: &Order) -> Order {
        self.store.order(order.id).await.unwrap().expect("it is there")
    }

    async fn mails(&self, count: usize) -> Vec<Mail> {
        for _ in 0..3_000 {
            if self.mail.mails().len() >= count {
                a_few_looks().await;
                assert_eq!(self.mail.mails().len(), count, "each message is sent once");
                return self.mail.mails();
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("{} mails came, not {count}", self.mail.mails().len());
    }

    /// The newest notification, once it is as wanted.
    async fn wait_for(&self, wanted: impl Fn(&Delivery) -> bool) -> Delivery {
        for _ in 0..3_000 {
            let found = self.store.deliveries(Channel::Notifications, None, None, 1).await.unwrap().pop();
            if let Some(found) = found.filter(|found| wanted(found)) {
                return found;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("the notification never became as wanted");
    }
}

#[tokio::test]
async fn a_buyer_is_reminded_before_the_hold_ends_and_told_of_payment_and_cancellation() {
    let shop = Shop::open().await;
    let order = shop.hold().await;
    let courier = shop.courier(Language::Korean);
    let remind_at = order.expires_at.plus_ms(-REMINDER_MS);
    shop.clock.set(remind_at.plus_ms(-1));
    a_few_looks().await;
    assert_eq!(shop.mail.mails().len(), 0, "not before its time");
    shop.clock.set(remind_at);
    let reminder = shop.mails(1).await.remove(0);
    assert_eq!(reminder.to, ["buyer@example.com"]);
    assert_eq!(reminder.from, "tickets@onsale.example");
    assert_eq!(reminder.header("Message-ID"), format!("<{}.1@onsale.example>", order.id));
    assert!(
        reminder.text().contains("민지님") && reminder.text().contains("유지됩니다"),
        "{}",
        reminder.text()
    );
    assert!(reminder.text().contains(&order.id.to_string()));

    shop.sale.engine.sales.pay(shop.buyer, None, order.id).await.expect("it is paid");
    shop.tell(&shop.order(&order).await).await;
    assert!(shop.mails(2).await[1].text().contains("결제가 완료되었습니다"));
    courier.stop().await;

    let courier = shop.courier(Language::English);
    shop.sale.engine.sales.cancel(shop.buyer, order.id).await.expect("it is cancelled");
    shop.tell(&shop.order(&order).await).await;
    let cancelled = shop.mails(3).await.remove(2);
    assert!(cancelled.header("Subject").starts_with("Cancelled: "), "{}", cancelled.data);
    assert!(cancelled.text().contains("was cancelled"));
    courier.stop().await;
}

#[tokio::test]
async fn who_has_paid_is_not_reminded() {
    let shop = Shop::open().await;
    let order = shop.hold().await;
    shop.sale.engine.sales.pay(shop.buyer, None, order.id).await.expect("it is paid");
    shop.clock.set(order.expires_at.plus_ms(-REMINDER_MS));
    let courier = shop.courier(Language::English);
    let dropped = shop.wait_for(|delivery| delivery.state == DeliveryState::Dropped).await;
    assert_eq!(dropped.answer.as_deref(), Some("the hold is over"));
    assert_eq!(shop.mail.mails().len(), 0);
    courier.stop().await;
}

#[tokio::test]
async fn a_reminder_that_comes_too_late_is_dropped() {
    let shop = Shop::open().await;
    let order = shop.hold().await;
    shop.clock.set(order.expires_at);
    let courier = shop.courier(Language::English);
    shop.wait_for(|delivery| delivery.state == DeliveryState::Dropped).await;
    assert_eq!(shop.mail.mails().len(), 0);
    courier.stop().await;
}

/// Pays an order, and tells of it.
async fn pay(shop: &Shop) -> Timestamp {
    let order = shop.hold().await;
    shop.sale.engine.sales.pay(shop.buyer, None, order.id).await.expect("it is paid");
    shop.tell(&shop.order(&order).await).await;
    shop.clock.now()
}

#[tokio::test]
async fn what_the_mail_server_cannot_take_now_is_tried_again() {
    let shop = Shop::open().await;
    shop.mail.answer_recipients(Some("451 later"));
    let paid_at = pay(&shop).await;
    let courier = shop.courier(Language::English);
    let waiting = shop.wait_for(|delivery| delivery.attempts == 1).await;
    assert_eq!(waiting.state, DeliveryState::Waiting);
    assert!(waiting.due_at > paid_at && shop.mail.mails().is_empty());
    shop.mail.answer_recipients(None);
    shop.clock.set(waiting.due_at);
    shop.wait_for(|delivery| delivery.state == DeliveryState::Delivered).await;
    assert_eq!(shop.mail.mails().len(), 1);
    courier.stop().await;
}

#[tokio::test]
async fn what_the_mail_server_will_never_take_is_parked_at_once() {
    let shop = Shop::open().await;
    shop.mail.answer_recipients(Some("550 no such mailbox"));
    pay(&shop).await;
    let courier = shop.courier(Language::English);
    let parked = shop.wait_for(|delivery| delivery.state == DeliveryState::Parked).await;
    assert!(parked.attempts == 1 && parked.answer.unwrap().contains("no such mailbox"));
    courier.stop().await;
}

#[tokio::test]
async fn a_mail_server_that_is_down_is_waited_for() {
    let shop = Shop::open().await;
    pay(&shop).await;
    let notifier = SmtpNotifier::new("smtp://127.0.0.1:1", "tickets@onsale.example").unwrap();
    let courier = shop.courier_with(Arc::new(notifier), Language::English);
    let waiting = shop.wait_for(|delivery| delivery.attempts == 1).await;
    assert_eq!(waiting.state, DeliveryState::Waiting);
    courier.stop().await;
}

#[tokio::test]
async fn a_closed_account_is_told_nothing() {
    let shop = Shop::open().await;
    let now = pay(&shop).await;
    assert!(matches!(shop.store.close_user(shop.buyer, now).await.unwrap(), UnlessLastAdmin::Done(_)));
    let courier = shop.courier(Language::English);
    let dropped = shop.wait_for(|delivery| delivery.state == DeliveryState::Dropped).await;
    assert_eq!(dropped.answer.as_deref(), Some("the account was closed"));
    courier.stop().await;
}

#[tokio::test]
async fn the_log_takes_everything() {
    let shop = Shop::open().await;
    pay(&shop).await;
    let courier = shop.courier_with(Arc::new(LogNotifier), Language::English);
    shop.wait_for(|delivery| delivery.state == DeliveryState::Delivered).await;
    courier.stop().await;
}
