//! What the pipeline tells about itself.

use std::collections::HashMap;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use onsale_domain::decide::Refusal;
use parking_lot::RwLock;
use tokio::time::Instant;

pub(super) struct Metrics {
    /// Commands in a batch.
    pub(super) batch_commands: Histogram,
    /// Messages that wait in a lane.
    pub(super) queue_depth: Gauge,
    /// Commands refused because the queue was full.
    pub(super) overloaded: Counter,
    /// Batches decided again because another writer was first.
    pub(super) retries: Counter,
    by_gate: Refusals,
    by_pipeline: Refusals,
    commits: Counter,
    load: Histogram,
    decide: Histogram,
    write: Histogram,
    commit: Histogram,
}

/// Refused commands by reason. In a rush nearly every request is refused, so a counter is looked
/// up by name only the first time.
struct Refusals {
    by: &'static str,
    counters: RwLock<HashMap<&'static str, Counter>>,
}

impl Refusals {
    fn new(by: &'static str) -> Self {
        Self { by, counters: RwLock::default() }
    }

    fn count(&self, refusal: &Refusal) {
        let reason = refusal.reason();
        if let Some(counter) = self.counters.read().get(reason) {
            counter.increment(1);
            return;
        }
        let counter = counter!("onsale_sale_refusals_total", "reason" => reason, "by" => self.by);
        counter.increment(1);
        self.counters.write().insert(reason, counter);
    }
}

/// When a stage of a batch began.
pub(super) struct Stage(Instant);

impl Metrics {
    pub(super) fn new() -> Self {
        let stage = |name: &'static str| histogram!("onsale_sale_batch_stage_seconds", "stage" => name);
        Self {
            batch_commands: histogram!("onsale_sale_batch_commands"),
            queue_depth: gauge!("onsale_sale_queue_depth"),
            overloaded: counter!("onsale_sale_overloaded_total"),
            retries: counter!("onsale_sale_retries_total"),
            by_gate: Refusals::new("gate"),
            by_pipeline: Refusals::new("pipeline"),
            commits: counter!("onsale_sale_commits_total"),
            load: stage("load"),
            decide: stage("decide"),
            write: stage("write"),
            commit: stage("commit"),
        }
    }

    pub(super) fn refused(&self, refusal: &Refusal) {
        self.by_pipeline.count(refusal);
    }

    pub(super) fn refused_at_gate(&self, refusal: &Refusal) {
        self.by_gate.count(refusal);
    }

    pub(super) fn stage(&self) -> Stage {
        Stage(Instant::now())
    }

    pub(super) fn load_seconds(&self, stage: Stage) -> Stage {
        stage.end(&self.load)
    }

    pub(super) fn decide_seconds(&self, stage: Stage) -> Stage {
        stage.end(&self.decide)
    }

    pub(super) fn write_seconds(&self, stage: Stage) -> Stage {
        stage.end(&self.write)
    }

    pub(super) fn commit_seconds(&self, stage: Stage) {
        stage.end(&self.commit);
        self.commits.increment(1);
    }
}

impl Stage {
    fn end(self, histogram: &Histogram) -> Self {
        let now = Instant::now();
        histogram.record(now.duration_since(self.0));
        Self(now)
    }
}
