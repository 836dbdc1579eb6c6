//! What the buyers were answered, and whether it is so.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use tokio::time::sleep;

use crate::client::{Caller, With};

/// What each buyer starts with, and what a seat and a unit cost.
pub(super) const POINTS: i64 = 10_000;
pub(super) const PRICE: i64 = 1_000;

const AGAIN_AFTER: Duration = Duration::from_millis(200);
const ATTEMPTS_MAX: usize = 100;

/// How an order stands, as its buyer was told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// 201 for the hold.
    Held,
    /// 201 for the payment.
    Paid,
    /// 200 for giving it back.
    Cancelled,
    /// 409: the hold had ended before it was paid.
    Expired,
}

/// A buyer, and everything they were answered.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) login: String,
    /// Of orders for seats.
    pub(super) told: BTreeMap<String, Told>,
    /// Of orders for units.
    pub(super) told_units: BTreeMap<String, Told>,
    /// What they noticed themselves.
    pub(super) wrong: Vec<String>,
}

impl Account {
    /// Somebody who has not bought anything yet.
    pub(super) const fn new(login: String) -> Self {
        Self { login, told: BTreeMap::new(), told_units: BTreeMap::new(), wrong: Vec::new() }
    }

    /// How many seats are theirs.
    pub(super) fn seats(&self) -> usize {
        paid(&self.told)
    }

    /// How many units are theirs.
    pub(super) fn units(&self) -> usize {
        paid(&self.told_units)
    }

    /// One of the orders for seats that are paid.
    pub(super) fn paid_order(&self) -> Option<&str> {
        self.told.iter().find(|(_, told)| **told == Told::Paid).map(|(order, _)| order.as_str())
    }

    /// Everything that is not as the buyer was told.
    pub(super) async fn check(&self, calls: &Caller) -> Vec<String> {
        let mut wrong = self.wrong.clone();
        let seats = self.ask(calls, "/api/v1/reservations?size=100").await;
        wrong.extend(differences(&self.told, &seats["reservations"], "reservationId"));
        let units = self.ask(calls, "/api/order?size=100").await;
        wrong.extend(differences(&self.told_units, &units["data"], "orderId"));
        let points = self.ask(calls, "/api/v1/users/me/points").await;
        let wanted = POINTS - PRICE * i64::try_from(self.seats() + self.units()).expect("few");
        if points["balance"] != wanted {
            wrong.push(format!("{} points are left, {wanted} should be", points["balance"]));
        }
        wrong
    }

    async fn ask(&self, calls: &Caller, path: &str) -> Value {
        let with = With { login: Some(&self.login), ..With::default() };
        for _ in 0..ATTEMPTS_MAX {
            match calls.get(path, with).await {
                Some(answer) if answer.status == 200 => return answer.body,
                // A busy node sheds those who only look.
                _ => sleep(AGAIN_AFTER).await,
            }
        }
        panic!("{path} was not answered in {ATTEMPTS_MAX} attempts");
    }
}

fn paid(told: &BTreeMap<String, Told>) -> usize {
    told.values().filter(|told| **told == Told::Paid).count()
}

/// Where orders as they stand are not as was told.
fn differences(told: &BTreeMap<String, Told>, orders: &Value, id: &str) -> Vec<String> {
    let orders = orders.as_array().expect("a list");
    let orders: BTreeMap<&str, &str> =
        orders.iter().map(|order| (text(&order[id]), text(&order["status"]))).collect();
    let mut wrong = Vec::new();
    for (order, told) in told {
        let fine: &[&str] = match told {
            Told::Held | Told::Expired => &["held", "expired"],
            Told::Paid => &["paid"],
            Told::Cancelled => &["cancelled"],
        };
        let stands = orders.get(order.as_str()).copied().unwrap_or("gone");
        if !fine.contains(&stands) {
            wrong.push(format!("{order} was answered {told:?} and is {stands}"));
        }
    }
    // Every request was repeated until it was answered, so nothing else can have happened.
    for order in orders.keys().filter(|order| !told.contains_key(**order)) {
        wrong.push(format!("{order} was never answered and exists"));
    }
    wrong
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
