//! One buyer: arrives, waits in line, looks for a seat, holds it, and pays, gives it back, or forgets it.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IteratorRandom};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    ledger::{Account, Told, text},
    timeline::{Seen, Timeline},
};
use crate::client::{Answer, Caller, With};

const SEATS: &str = "/api/v1/reservations";
const LINE: &str = "/api/v1/queue/tokens";
/// How often somebody in line asks, at least.
const POLL_MAX: Duration = Duration::from_secs(2);
/// How long somebody whose request was not answered waits before they repeat it.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// How long somebody waits who is told that it is not possible now, and not when it will be.
const UNSAID_RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long somebody who finds no free seat, or is too late for one, waits before they look again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(400);
/// After so many attempts at one request something is wrong.
const ATTEMPTS_MAX: usize = 600;

/// What all buyers know.
pub(super) struct Stage {
    pub(super) performance: Value,
    /// What is sold beside it, by the unit.
    pub(super) item: Value,
    /// Whether there is a waiting room in front of it.
    pub(super) room: bool,
    /// Seat ids by ordinal.
    pub(super) seats: Vec<i64>,
    pub(super) timeline: Timeline,
}

/// What a buyer does with a seat.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Intent {
    Pay,
    Forget,
    GiveBack,
}

impl Intent {
    /// Of ten buyers seven pay, two forget what they hold, and one gives it back.
    const fn of(number: usize) -> Self {
        match number % 10 {
            0 | 3 => Self::Forget,
            5 => Self::GiveBack,
            _ => Self::Pay,
        }
    }
}

/// See the module.
pub(super) struct Buyer {
    number: usize,
    pub(super) account: Account,
    stage: Arc<Stage>,
    calls: Caller,
    /// What the waiting room has given them.
    token: Option<String>,
}

impl Buyer {
    pub(super) const fn new(number: usize, account: Account, stage: Arc<Stage>, calls: Caller) -> Self {
        Self { number, account, stage, calls, token: None }
    }

    /// Calls one node from now on, past the proxy.
    pub(super) fn call_only(&mut self, calls: Caller) {
        self.calls = calls;
    }

    /// Everything they were answered, when nothing is left to be had.
    pub(super) async fn buy(mut self, arrives: Duration) -> Account {
        let stage = self.stage.clone();
        stage.timeline.wait_until(arrives).await;
        let mut random = StdRng::seed_from_u64(self.number as u64);
        self.wait_in_line().await;
        if self.number.is_multiple_of(2) {
            self.buy_unit().await;
        }
        for attempt in 0.. {
            let Some(seat) = self.look(&mut random).await else { break };
            let Some(order) = self.hold(seat, attempt).await else {
                sleep(LOOK_AGAIN_AFTER).await;
                continue;
            };
            sleep(Duration::from_millis(random.random_range(50..1_500))).await;
            let done = match Intent::of(self.number) {
                Intent::Forget => true,
                Intent::GiveBack => self.give_back(&order).await,
                Intent::Pay => self.pay(&order).await,
            };
            if done {
                break;
            }
        }
        self.account
    }

    /// Joins the waiting room, if there is one, and returns when it has let them in. Their place must
    /// never change.
    pub(super) async fn wait_in_line(&mut self) {
        if !self.stage.room {
            return;
        }
        self.token = None;
        let body = json!({"performanceId": self.stage.performance});
        let mut answer = self.until_answered(Method::POST, LINE, None, Some(&body)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let mut place = None;
        loop {
            self.token = Some(text(&answer.body["token"]).to_owned());
            if answer.body["status"] == "active" {
                return;
            }
            if let Some(now) = answer.body["place"].as_u64() {
                let before = *place.get_or_insert(now);
                if before != now {
                    self.account.wrong.push(format!("place {before} in line became {now}"));
                    place = Some(now);
                }
            }
            let poll_after = answer.body["pollAfterMs"].as_u64().map_or(POLL_MAX, Duration::from_millis);
            sleep(poll_after.min(POLL_MAX)).await;
            answer = self.until_answered(Method::GET, &format!("{LINE}/me"), None, None).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }

    /// Repeats a request of the sale; whoever was inside too long joins again.
    async fn inside(
        &mut self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Answer {
        loop {
            let answer = self.until_answered(method.clone(), path, key, body).await;
            if let Some(pass) = &answer.pass {
                self.token = Some(pass.clone());
            }
            if answer.status != 403 || answer.body["type"] != "/problems/invalid-queue-token" {
                return answer;
            }
            self.wait_in_line().await;
        }
    }

    /// A unit of the item, ordered and paid, if any is left.
    async fn buy_unit(&mut self) {
        let body = json!({"itemNumber": self.stage.item, "count": 1});
        let answer = self.until_answered(Method::POST, "/api/order", Some("unit"), Some(&body)).await;
        let order = match (answer.status, text(&answer.body["type"])) {
            (200, _) => text(&answer.body["data"]).to_owned(),
            (409, "/problems/sold-out") => return,
            _ => panic!("an unexpected answer to an order: {answer:?}"),
        };
        self.account.told_units.insert(order.clone(), Told::Held);
        let (path, key) = (format!("/api/order/{order}"), format!("pay {order}"));
        let answer = self.until_answered(Method::POST, &path, Some(&key), None).await;
        let told = match (answer.status, text(&answer.body["type"])) {
            (200, _) => Told::Paid,
            (409, "/problems/hold-expired") => Told::Expired,
            _ => panic!("an unexpected answer to a payment: {answer:?}"),
        };
        self.account.told_units.insert(order, told);
    }

    /// A free seat. None when all are sold.
    async fn look(&mut self, random: &mut StdRng) -> Option<i64> {
        let path = format!("/api/v1/performances/{}/availability", self.stage.performance);
        loop {
            let answer = self.inside(Method::GET, &path, None, None).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let taken = BASE64_STANDARD.decode(text(&answer.body["bitmap"])).expect("base64");
            let free = |ordinal: &usize| taken[ordinal / 8] >> (ordinal % 8) & 1 == 0;
            if let Some(ordinal) = (0..self.stage.seats.len()).filter(free).choose(random) {
                return Some(self.stage.seats[ordinal]);
            }
            if answer.body["counts"]["sold"] == self.stage.seats.len() {
                return None;
            }
            sleep(LOOK_AGAIN_AFTER).await;
        }
    }

    /// An order for the seat. None if somebody else was faster.
    pub(super) async fn hold(&mut self, seat: i64, attempt: usize) -> Option<String> {
        let body = json!({"performanceId": self.stage.performance, "seatIds": [seat]});
        let key = format!("hold {attempt}");
        let answer = self.inside(Method::POST, SEATS, Some(&key), Some(&body)).await;
        match answer.status {
            201 => {
                self.stage.timeline.saw(Seen::Held);
                let order = text(&answer.body["reservationId"]).to_owned();
                self.account.told.insert(order.clone(), Told::Held);
                Some(order)
            }
            409 if text(&answer.body["type"]).starts_with("/problems/seat-") => {
                self.stage.timeline.saw(Seen::Taken);
                None
            }
            _ => panic!("an unexpected answer to a hold: {answer:?}"),
        }
    }

    /// Whether it is theirs. Not, if the hold ended before they could pay.
    async fn pay(&mut self, order: &str) -> bool {
        let body = json!({"reservationId": order});
        let key = format!("pay {order}");
        let answer = self.inside(Method::POST, "/api/v1/payments", Some(&key), Some(&body)).await;
        let (told, seen) = match (answer.status, text(&answer.body["type"])) {
            (201, _) => (Told::Paid, Some(Seen::Paid)),
            (409, "/problems/hold-expired") => (Told::Expired, None),
            _ => panic!("an unexpected answer to a payment: {answer:?}"),
        };
        self.account.told.insert(order.to_owned(), told);
        seen.inspect(|seen| self.stage.timeline.saw(*seen)).is_some()
    }

    async fn give_back(&mut self, order: &str) -> bool {
        let answer = self.until_answered(Method::DELETE, &format!("{SEATS}/{order}"), None, None).await;
        let told = match (answer.status, text(&answer.body["type"])) {
            (200, _) => Told::Cancelled,
            (409, "/problems/hold-expired") => Told::Expired,
            _ => panic!("an unexpected answer to giving back: {answer:?}"),
        };
        self.account.told.insert(order.to_owned(), told);
        true
    }

    /// Repeats a request, always with the same key, until the answer is not "not now".
    async fn until_answered(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Answer {
        let with = With { login: Some(&self.account.login), key, pass: self.token.as_deref() };
        for _ in 0..ATTEMPTS_MAX {
            let answer = self.calls.call(method.clone(), path, with, body).await;
            let status = answer.as_ref().map_or(0, |answer| answer.status);
            let retry_after = answer.as_ref().and_then(|answer| answer.retry_after);
            match answer {
                Some(answer) if status < 500 => return answer,
                _ => self.stage.timeline.saw(Seen::NotNow(status)),
            }
            // Those who are told to come back later do, not all at the same moment.
            let spread = Duration::from_millis(self.number as u64 * 7 % 500);
            // The proxy's own 503 says nothing.
            let told = retry_after.or((status == 503).then_some(UNSAID_RETRY_AFTER));
            sleep(told.map_or(AGAIN_AFTER, |told| told + spread)).await;
        }
        panic!("{path} was not answered in {ATTEMPTS_MAX} attempts");
    }
}
