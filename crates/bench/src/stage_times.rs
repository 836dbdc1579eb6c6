//! Where the sale pipeline's time goes, by its own metrics.

use metrics_exporter_prometheus::PrometheusHandle;

/// Sums over all batches since the program started, or between two such moments.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StageTimes {
    /// Batches.
    pub(crate) batches: f64,
    /// Commands in them.
    pub(crate) commands: f64,
    /// Seconds in load, decide, write and commit.
    pub(crate) seconds: [f64; 4],
}

impl StageTimes {
    /// The stages by name; the commit waits for the flush.
    pub(crate) const NAMES: [&'static str; 4] = ["load", "decide", "write", "commit"];

    /// Reads them as of now.
    pub(crate) fn read(metrics: &PrometheusHandle) -> Self {
        let text = metrics.render();
        let value = |name: &str| -> f64 {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
                .unwrap_or(0.0)
        };
        Self {
            batches: value("onsale_sale_batch_commands_count"),
            commands: value("onsale_sale_batch_commands_sum"),
            seconds: Self::NAMES
                .map(|stage| value(&format!("onsale_sale_batch_stage_seconds_sum{{stage=\"{stage}\"}}"))),
        }
    }

    /// What has been added since an earlier moment.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            batches: self.batches - before.batches,
            commands: self.commands - before.commands,
            seconds: std::array::from_fn(|stage| self.seconds[stage] - before.seconds[stage]),
        }
    }

    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            batches: self.batches + other.batches,
            commands: self.commands + other.commands,
            seconds: std::array::from_fn(|stage| self.seconds[stage] + other.seconds[stage]),
        }
    }
}
