//! What the pipeline tells about itself.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use onsale_domain::decide::Refusal;
use tokio::time::Instant;

pub(super) struct Metrics {
    /// Commands in a batch.
    pub(super) batch_commands: Histogram,
    /// Messages that wait in a lane.
    pub(super) queue_depth: Gauge,
    /// Commands refused because the queue was full.
    pub(super) overloaded: Counter,
    commits: Counter,
    load: Histogram,
    decide: Histogram,
    write: Histogram,
    commit: Histogram,
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
            commits: counter!("onsale_sale_commits_total"),
            load: stage("load"),
            decide: stage("decide"),
            write: stage("write"),
            commit: stage("commit"),
        }
    }

    pub(super) fn refused(&self, refusal: &Refusal) {
        counter!("onsale_sale_refusals_total", "reason" => refusal.reason(), "by" => "pipeline").increment(1);
    }

    pub(super) fn refused_at_gate(&self, refusal: &Refusal) {
        counter!("onsale_sale_refusals_total", "reason" => refusal.reason(), "by" => "gate").increment(1);
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
