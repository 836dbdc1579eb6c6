//! What deliveries tell about themselves.

use metrics::{counter, gauge};
use onsale_domain::time::Timestamp;
use onsale_engine::ports::{AttemptOutcome, Channel, DeliveryBacklog};

const KINDS: [&str; 2] = ["webhook", "notification"];

const fn kind(channel: Channel) -> &'static str {
    match channel {
        Channel::Webhook(_) => KINDS[0],
        Channel::Notifications => KINDS[1],
    }
}

/// Counts an attempt.
pub(super) fn count(channel: Channel, outcome: AttemptOutcome) {
    let outcome = match outcome {
        AttemptOutcome::Delivered => "delivered",
        AttemptOutcome::Dropped => "dropped",
        AttemptOutcome::Retry(_) => "failed",
        AttemptOutcome::Parked => "parked",
    };
    counter!("onsale_delivery_attempts_total", "kind" => kind(channel), "outcome" => outcome).increment(1);
}

/// Tells how much waits.
pub(super) fn tell(backlogs: &[DeliveryBacklog], now: Timestamp) {
    for name in KINDS {
        let of_kind = || backlogs.iter().filter(|backlog| kind(backlog.channel) == name);
        let waiting: u64 = of_kind().map(|backlog| backlog.waiting).sum();
        let parked: u64 = of_kind().map(|backlog| backlog.parked).sum();
        let oldest = of_kind().filter_map(|backlog| backlog.oldest_since).min();
        // What is to be delivered later is not late.
        let oldest_ms = oldest.map_or(0, |since| now.since_ms(since).max(0));
        gauge!("onsale_deliveries_waiting", "kind" => name).set(waiting as f64);
        gauge!("onsale_deliveries_parked", "kind" => name).set(parked as f64);
        gauge!("onsale_delivery_oldest_seconds", "kind" => name).set(oldest_ms as f64 / 1_000.0);
    }
}
