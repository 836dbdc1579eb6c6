//! From what nodes said at two moments to what happened in between.

use std::collections::BTreeMap;

use super::{
    samples::{Histogram, Samples},
    scrape::{Node, Room, Scrape},
};

const REQUESTS: &str = "onsale_http_requests_total";
const DURATIONS: &str = "onsale_http_request_duration_seconds";
const HOLDS: [(&str, &str); 2] = [("method", "POST"), ("route", "/api/v1/reservations")];
const PAYMENTS: [(&str, &str); 2] = [("method", "POST"), ("route", "/api/v1/payments")];

/// The fleet, as it was in the last period.
#[derive(Clone, Debug)]
pub(super) struct Fleet {
    /// By node: its name, its state, and its figures if it answered twice.
    pub(super) nodes: Vec<(String, State, Option<Figures>)>,
    /// All nodes together.
    pub(super) total: Figures,
    pub(super) rooms: BTreeMap<u64, Room>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    /// It answers that it should not be sent requests: it leaves, or its database is away.
    Unready,
    Silent,
}

/// What happened in a period, a second.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    pub(super) requests: f64,
    pub(super) holds: f64,
    pub(super) payments: f64,
    pub(super) refused: f64,
    pub(super) failed: f64,
    /// Commands that wait, now.
    pub(super) queue: f64,
    commands: f64,
    batches: f64,
    latencies: Histogram,
}

impl Fleet {
    pub(super) fn new(nodes: &[Node], before: &[Option<Scrape>], now: &[Option<Scrape>]) -> Self {
        let mut fleet = Self { nodes: Vec::new(), total: Figures::default(), rooms: BTreeMap::new() };
        for ((node, before), now) in nodes.iter().zip(before).zip(now) {
            let state = match now {
                None => State::Silent,
                Some(Scrape { ready: false, .. }) => State::Unready,
                Some(_) => State::Ready,
            };
            let figures =
                before.as_ref().zip(now.as_ref()).map(|(before, now)| Figures::between(before, now));
            if let Some(figures) = &figures {
                fleet.total.add(figures);
            }
            if let Some(now) = now {
                fleet.rooms.extend(now.rooms.clone());
            }
            fleet.nodes.push((node.name.clone(), state, figures));
        }
        fleet
    }

    /// How many nodes answer.
    pub(super) fn answering(&self) -> usize {
        self.nodes.iter().filter(|(_, state, _)| *state != State::Silent).count()
    }

    pub(super) fn ready(&self) -> usize {
        self.nodes.iter().filter(|(_, state, _)| *state == State::Ready).count()
    }
}

impl Figures {
    fn between(before: &Scrape, now: &Scrape) -> Self {
        let seconds = now.at.duration_since(before.at).as_secs_f64().max(f64::MIN_POSITIVE);
        let (before, now) = (&before.samples, &now.samples);
        let more = |name: &str, labels: &[(&str, &str)]| {
            // A node that has been started again counts from zero.
            let more = now.sum(name, labels) - before.sum(name, labels);
            if more < 0.0 { now.sum(name, labels) } else { more }
        };
        let rate = |name: &str, labels: &[(&str, &str)]| more(name, labels) / seconds;
        let created = |route: [(&'static str, &'static str); 2]| {
            rate(REQUESTS, &[route[0], route[1], ("status", "201")])
        };
        let failed = ["500", "502", "503", "504"].map(|status| rate(REQUESTS, &[("status", status)]));
        let mut latencies = Histogram::default();
        latencies.add(DURATIONS, &HOLDS, before, now);
        latencies.add(DURATIONS, &PAYMENTS, before, now);
        Self {
            requests: rate(REQUESTS, &[]),
            holds: created(HOLDS),
            payments: created(PAYMENTS),
            refused: rate("onsale_sale_refusals_total", &[]),
            failed: failed.iter().sum(),
            queue: queue(now),
            commands: more("onsale_sale_batch_commands_sum", &[]),
            batches: more("onsale_sale_batch_commands_count", &[]),
            latencies,
        }
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.holds += other.holds;
        self.payments += other.payments;
        self.refused += other.refused;
        self.failed += other.failed;
        self.queue += other.queue;
        self.commands += other.commands;
        self.batches += other.batches;
        self.latencies.merge(&other.latencies);
    }

    /// Commands in a transaction, on average. None if there was none.
    pub(super) fn batch(&self) -> Option<f64> {
        (self.batches > 0.0).then(|| self.commands / self.batches)
    }

    /// What this share of holds and payments did not take longer than, in milliseconds. None if there
    /// was none.
    pub(super) fn latency_ms(&self, share: f64) -> Option<f64> {
        self.latencies.quantile(share).map(|seconds| seconds * 1e3)
    }
}

fn queue(now: &Samples) -> f64 {
    now.sum("onsale_sale_queue_depth", &[])
}
