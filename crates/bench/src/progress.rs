//! What is being done, for whoever waits.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on a terminal; nothing elsewhere.
pub(crate) struct Progress {
    bar: ProgressBar,
    style: ProgressStyle,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let style = |template| ProgressStyle::with_template(template).expect("the template is well-formed");
        let bar = ProgressBar::new_spinner().with_style(style("{spinner} {elapsed_precise} {msg}"));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, style: style("  filling the database {wide_bar} {human_pos}/{human_len} {eta}") }
    }

    /// Begins another kind of work.
    pub(crate) fn work(&self, name: &str) {
        self.bar.set_prefix(name.to_owned());
        self.bar.set_message(format!("{name}: setting up"));
    }

    /// Begins another round.
    pub(crate) fn round(&self, contender: &str, round: u32, rounds: u32) {
        let work = self.bar.prefix();
        self.bar.set_message(format!("{work}: {contender}, round {} of {rounds}", round + 1));
    }

    /// A bar for filling a database with orders.
    pub(crate) fn fill(&self, orders: u32) -> ProgressBar {
        ProgressBar::new(orders.into()).with_style(self.style.clone())
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
