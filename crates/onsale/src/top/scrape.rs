//! Asking one node.

use std::{collections::BTreeMap, time::Duration};

use onsale_engine::secret::without_secrets;
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use tokio::time::Instant;

use super::samples::Samples;
use crate::failure::Failure;

/// How long a node may take; it is shown as silent after that.
const PATIENCE: Duration = Duration::from_secs(3);
/// The most rooms whose documents are asked for at each node.
const ROOMS_MAX: usize = 20;

pub(super) fn client() -> Client {
    Client::builder().timeout(PATIENCE).build().expect("nothing unusual is asked of it")
}

/// A node and how it is called on the screen.
#[derive(Clone, Debug)]
pub(super) struct Node {
    url: Url,
    pub(super) name: String,
}

/// What a node said at one moment.
#[derive(Clone, Debug)]
pub(super) struct Scrape {
    pub(super) at: Instant,
    pub(super) ready: bool,
    pub(super) samples: Samples,
    pub(super) rooms: BTreeMap<u64, Room>,
}

/// A waiting room as its public document has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Room {
    pub(super) phase: String,
    pub(super) tail: u32,
    pub(super) cursor: u32,
    pub(super) inside: u32,
    pub(super) called: u32,
    pub(super) admissions_per_second: Option<f64>,
    pub(super) no_show_percent: u32,
}

impl Node {
    pub(super) fn parse(url: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            Failure::Usage(format!("`{}`: {why}; a node is given as http://HOST:PORT", without_secrets(url)))
        };
        let parsed = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
        if parsed.scheme() != "http" {
            return Err(wrong("nodes speak plain HTTP"));
        }
        let host = parsed.host_str().ok_or_else(|| wrong("no host"))?;
        let name = parsed.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Ok(Self { name, url: parsed })
    }

    /// None if it does not answer.
    pub(super) async fn scrape(&self, client: &Client) -> Option<Scrape> {
        let get = async |path: &str| client.get(self.url.join(path).ok()?).send().await.ok();
        let (ready, metrics) = tokio::join!(get("/readyz"), get("/metrics"));
        let ready = ready?.status() == StatusCode::OK;
        let samples = Samples::parse(&metrics?.error_for_status().ok()?.text().await.ok()?);
        let at = Instant::now();
        let ids =
            samples.of("onsale_room_waiting", &[]).filter_map(|sample| sample.label("room")?.parse().ok());
        let mut rooms = BTreeMap::new();
        for id in ids.take(ROOMS_MAX).collect::<Vec<u64>>() {
            let Some(answer) = get(&format!("/api/v1/queue/rooms/{id}")).await else { continue };
            // Another node may run it by now.
            if let Ok(room) = answer.json().await {
                rooms.insert(id, room);
            }
        }
        Some(Scrape { at, ready, samples, rooms })
    }
}
