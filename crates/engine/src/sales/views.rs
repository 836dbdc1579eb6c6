//! The offers in memory.

use std::{
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use hashbrown::HashMap;
use onsale_domain::time::Timestamp;
use parking_lot::RwLock;

/// The most offers of a kind in memory. Beyond it, those that nobody uses are dropped, the least
/// recently used first; an offer in use is never dropped.
const VIEWS_MAX: usize = 2_048;

/// Something kept in memory as long as it is used.
pub(super) trait InMemory {
    /// When it was used last.
    fn last_used_ms(&self) -> &AtomicI64;

    fn touch(&self, now: Timestamp) {
        self.last_used_ms().store(now.0, Ordering::Relaxed);
    }
}

/// The offers of one kind in memory.
pub(super) struct Views<Id, View> {
    by_id: RwLock<HashMap<Id, Arc<View>>>,
}

impl<Id, View> Default for Views<Id, View> {
    fn default() -> Self {
        Self { by_id: RwLock::default() }
    }
}

impl<Id: Copy + Eq + Hash, View: InMemory> Views<Id, View> {
    pub(super) fn get(&self, id: Id) -> Option<Arc<View>> {
        self.by_id.read().get(&id).cloned()
    }

    /// Those that have been used since then.
    pub(super) fn used_since(&self, since: Timestamp) -> Vec<(Id, Arc<View>)> {
        let by_id = self.by_id.read();
        let used = by_id.iter().filter(|(_, view)| last_used(view) >= since.0);
        used.map(|(id, view)| (*id, view.clone())).collect()
    }

    pub(super) fn insert(&self, id: Id, view: View, now: Timestamp) -> Arc<View> {
        let view = Arc::new(view);
        view.touch(now);
        let mut by_id = self.by_id.write();
        if by_id.len() >= VIEWS_MAX {
            make_room(&mut by_id);
        }
        by_id.insert(id, view.clone());
        view
    }
}

fn last_used<View: InMemory>(view: &Arc<View>) -> i64 {
    view.last_used_ms().load(Ordering::Relaxed)
}

/// Drops the less recently used half of the views that nobody uses, so that this is rare.
fn make_room<Id: Copy + Eq + Hash, View: InMemory>(by_id: &mut HashMap<Id, Arc<View>>) {
    let mut idle: Vec<_> = by_id
        .iter()
        .filter(|(_, view)| Arc::strong_count(view) == 1)
        .map(|(id, view)| (last_used(view), *id))
        .collect();
    idle.sort_unstable_by_key(|(last_used_ms, _)| *last_used_ms);
    for (_, id) in idle.iter().take(idle.len().div_ceil(2)) {
        by_id.remove(id);
    }
}
