//! Everything a server had answered by a point of its log, and whether a disk still has it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use serde_json::Value;

use crate::disk::Disk;

/// Everything that was promised to somebody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    /// Orders by their ids, and whether they are paid.
    pub(crate) orders: BTreeMap<String, bool>,
    /// Names of pictures.
    pub(crate) pictures: BTreeSet<String>,
    /// Whether somebody has a token that is signed with the key in the folder.
    pub(crate) has_token: bool,
}

impl Answers {
    /// Takes in what is sent.
    pub(crate) fn hear(&mut self, sent: &[u8]) {
        let Some(body) = sent.windows(4).position(|window| window == b"\r\n\r\n") else { return };
        let (head, body) = sent.split_at(body + 4);
        if !head.starts_with(b"HTTP/1.1 20") {
            return;
        }
        if let Ok(body) = serde_json::from_slice(body) {
            self.take_in(&body);
        }
    }

    fn take_in(&mut self, body: &Value) {
        match body {
            Value::Array(parts) => parts.iter().for_each(|part| self.take_in(part)),
            Value::Object(parts) => {
                self.has_token |= parts.contains_key("accessToken");
                if let (Some(order), Some(status)) =
                    (parts.get("reservationId").and_then(Value::as_str), parts.get("status"))
                {
                    let is_paid = status == "paid" || status == "completed";
                    *self.orders.entry(order.to_owned()).or_default() |= is_paid;
                }
                parts.values().for_each(|part| self.take_in(part));
            }
            Value::String(text) => {
                if let Some(name) = text.strip_prefix("/media/") {
                    self.pictures.insert(name.to_owned());
                }
            }
            _ => {}
        }
    }

    /// The answers that a data folder has lost. `disk` knows what files should have been.
    pub(crate) async fn lost(&self, data: &Path, disk: &Disk, data_was: &Path) -> Vec<String> {
        let mut lost = Vec::new();
        let kept = orders(&data.join("onsale.db")).await;
        for (order, is_paid) in &self.orders {
            match kept.get(order) {
                None => lost.push(format!("order {order}")),
                Some(false) if *is_paid => lost.push(format!("payment of {order}")),
                Some(_) => {}
            }
        }
        let pictures = self.pictures.iter().map(|name| format!("media/{name}"));
        let key = self.has_token.then(|| "signing.key".to_owned());
        for file in pictures.chain(key) {
            if fs::read(data.join(&file)).ok() != disk.bytes(&data_was.join(&file)) {
                lost.push(file);
            }
        }
        lost
    }
}

/// The orders in a database, and whether each is paid. None, if there is no such database.
async fn orders(file: &Path) -> BTreeMap<String, bool> {
    if !file.exists() {
        return BTreeMap::new();
    }
    let database = Database::connect(format!("sqlite:{}", file.display())).await.expect("it opens");
    let select = "SELECT lower(hex(orders.id)), payments.order_id IS NOT NULL FROM orders
                  LEFT JOIN payments ON payments.order_id = orders.id";
    let rows = database.query_all_raw(Statement::from_string(DbBackend::Sqlite, select)).await;
    // Without its tables it is empty.
    let rows = rows.unwrap_or_default();
    let orders = rows.iter().map(|row| {
        let id: String = row.try_get_by_index(0).expect("an id");
        let is_paid: bool = row.try_get_by_index(1).expect("a flag");
        (with_dashes(&id), is_paid)
    });
    let orders = orders.collect();
    database.close().await.expect("it closes");
    orders
}

fn with_dashes(id: &str) -> String {
    format!("{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..])
}
