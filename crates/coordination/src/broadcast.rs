//! Nodes in one process tell each other what has changed.

use std::{
    collections::HashSet,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use onsale_domain::offer::Offer;
use onsale_engine::ports::Broadcast;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The most offers that wait to be told or to be heard of; what is beyond is found by looking.
pub(crate) const OFFERS_MAX: usize = 4_096;

/// Offers that something has been said of, each once.
#[derive(Default)]
pub(crate) struct Gathered {
    offers: Mutex<HashSet<Offer>>,
    more: Notify,
}

impl Gathered {
    pub(crate) fn add(&self, offers: impl IntoIterator<Item = Offer>) {
        let mut gathered = self.offers.lock();
        for offer in offers {
            if gathered.len() < OFFERS_MAX && gathered.insert(offer) {
                self.more.notify_one();
            }
        }
    }

    pub(crate) fn take(&self) -> HashSet<Offer> {
        std::mem::take(&mut *self.offers.lock())
    }

    /// Waits until there are some.
    pub(crate) async fn wait(&self) -> HashSet<Offer> {
        loop {
            let more = self.more.notified();
            let offers = self.take();
            if !offers.is_empty() {
                return offers;
            }
            more.await;
        }
    }
}

/// Something that has been said, once however often it was.
#[derive(Default)]
pub(crate) struct Said {
    is_said: AtomicBool,
    more: Notify,
}

impl Said {
    pub(crate) fn say(&self) {
        if !self.is_said.swap(true, Ordering::AcqRel) {
            self.more.notify_one();
        }
    }

    pub(crate) fn take(&self) -> bool {
        self.is_said.swap(false, Ordering::AcqRel)
    }

    /// Waits until it is said. One who gives up waiting takes nothing away.
    pub(crate) async fn wait(&self) {
        while !self.take() {
            self.more.notified().await;
        }
    }
}

/// One of the nodes in a process.
#[derive(Default)]
pub struct LocalBroadcast {
    nodes: Arc<Mutex<Vec<Weak<Heard>>>>,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    offers: Gathered,
    accounts: Said,
}

impl LocalBroadcast {
    /// So many nodes that hear each other.
    #[must_use]
    pub fn nodes(count: usize) -> Vec<Self> {
        let nodes: Arc<Mutex<Vec<Weak<Heard>>>> = Arc::default();
        let node = || {
            let heard = Arc::new(Heard::default());
            nodes.lock().push(Arc::downgrade(&heard));
            Self { nodes: nodes.clone(), heard }
        };
        (0..count).map(|_| node()).collect()
    }

    fn others(&self) -> Vec<Arc<Heard>> {
        let nodes = self.nodes.lock();
        nodes.iter().filter_map(Weak::upgrade).filter(|node| !Arc::ptr_eq(node, &self.heard)).collect()
    }
}

#[async_trait]
impl Broadcast for LocalBroadcast {
    fn tell(&self, offer: Offer) {
        self.others().iter().for_each(|node| node.offers.add([offer]));
    }

    async fn heard(&self) -> HashSet<Offer> {
        self.heard.offers.wait().await
    }

    fn tell_accounts(&self) {
        self.others().iter().for_each(|node| node.accounts.say());
    }

    async fn heard_accounts(&self) {
        self.heard.accounts.wait().await;
    }

    fn works(&self) -> bool {
        true
    }
}
