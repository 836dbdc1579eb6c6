//! Commands that wait until what they are about has been read.
//!
//! A large hall with its claims takes longer to read than many batches take to commit. So a lane does not read it
//! itself: it puts the commands about it aside, has it read on the threads that serve requests, and goes on with
//! everybody else's. That happens at an offer's first use, and when a batch finds that an organiser has changed
//! its terms.
//!
//! # Invariants
//! - All commands of an offer wait together, in the order in which they came.
//! - No batch changes an offer while it is brought into memory, for all its commands of this node wait. What other
//!   nodes change meanwhile is found by its version, as ever.
//! - A reading always ends with a report, also if it panics or its runtime is shut down.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use onsale_domain::offer::Offer;
use tokio::{
    runtime::Handle,
    sync::mpsc,
    time::{Instant, sleep},
};

use super::{
    Message,
    attempt::{PATIENCE, PAUSE},
};
use crate::{
    ports::StoreError,
    sales::{SaleError, Shared, item_view::ItemView, other_nodes, view::PerformanceView},
};

/// Messages that a lane has put aside.
pub(super) struct Waiting {
    messages: HashMap<Offer, VecDeque<Message>>,
    count: usize,
    /// Where the readings go on.
    runtime: Handle,
    reports: mpsc::UnboundedReceiver<Report>,
    reporting: mpsc::UnboundedSender<Report>,
}

/// The end of a reading.
pub(super) struct Report {
    pub(super) offer: Offer,
    /// The reason for which it cannot be read. An offer that is not there has been read: as missing.
    pub(super) failed: Option<String>,
}

impl Waiting {
    /// Nothing yet. Readings go on on this runtime.
    pub(super) fn new(runtime: Handle) -> Self {
        let (reporting, reports) = mpsc::unbounded_channel();
        Self { messages: HashMap::new(), count: 0, runtime, reports, reporting }
    }

    /// How many messages wait.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Whether an offer is being read.
    pub(super) fn is_reading(&self, offer: Offer) -> bool {
        self.messages.contains_key(&offer)
    }

    /// Puts a message aside and has its offer read, if it is not being read already.
    pub(super) fn add(&mut self, shared: &Arc<Shared>, offer: Offer, message: Message) {
        let waiting = self.messages.entry(offer).or_insert_with(|| {
            let reading = Reading::begin(offer, self.reporting.clone());
            let shared = shared.clone();
            self.runtime.spawn(async move { reading.end(read_patiently(&shared, offer).await) });
            VecDeque::new()
        });
        waiting.push_back(message);
        self.count += 1;
    }

    /// The next report. There is one for each offer that is being read.
    pub(super) async fn report(&mut self) -> Report {
        self.reports.recv().await.expect("a sender is kept beside the receiver")
    }

    /// Takes the messages that have waited for an offer.
    pub(super) fn take(&mut self, offer: Offer) -> VecDeque<Message> {
        let messages = self.messages.remove(&offer).unwrap_or_default();
        self.count -= messages.len();
        messages
    }
}

/// A reading under way; reports when it is dropped.
struct Reading {
    offer: Offer,
    failed: Option<String>,
    to: mpsc::UnboundedSender<Report>,
}

impl Reading {
    fn begin(offer: Offer, to: mpsc::UnboundedSender<Report>) -> Self {
        Self { offer, failed: Some("the reading was given up".to_owned()), to }
    }

    fn end(mut self, failed: Option<String>) {
        self.failed = failed;
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // A lane that has gone has nobody waiting.
        let _ = self.to.send(Report { offer: self.offer, failed: self.failed.take() });
    }
}

/// Reads an offer, waiting for a database that is not there; the reason why it cannot.
async fn read_patiently(shared: &Shared, offer: Offer) -> Option<String> {
    let until = Instant::now() + PATIENCE;
    loop {
        match read(shared, offer).await {
            Err(SaleError::Unavailable(StoreError::Unavailable(_))) if Instant::now() < until => {
                sleep(PAUSE).await;
            }
            Err(SaleError::Unavailable(error)) => return Some(error.to_string()),
            Ok(()) | Err(_) => return None,
        }
    }
}

/// Brings an offer into memory, or up to date there.
async fn read(shared: &Shared, offer: Offer) -> Result<(), SaleError> {
    match offer {
        Offer::Performance(id) if shared.performances.get(id).is_none() => {
            let now = shared.clock.now();
            let view = PerformanceView::read(&*shared.store, id).await?;
            shared.performances.insert(id, view, now);
        }
        Offer::Item(id) if shared.items.get(id).is_none() => {
            let now = shared.clock.now();
            let view = ItemView::read(&*shared.store, id, now).await?;
            shared.items.insert(id, view, now);
        }
        _ => other_nodes::read_anew(shared, offer).await?,
    }
    Ok(())
}
