//! The performances in memory.

use std::{collections::HashMap, sync::Arc};

use onsale_domain::{ids::PerformanceId, time::Timestamp};
use parking_lot::RwLock;

use super::view::PerformanceView;

/// The most performances in memory. Beyond it, those that nobody uses are dropped, the least
/// recently used first; a performance in use is never dropped.
const VIEWS_MAX: usize = 2_048;

/// The performances in memory.
#[derive(Default)]
pub(super) struct Views {
    by_id: RwLock<HashMap<PerformanceId, Arc<PerformanceView>>>,
}

impl Views {
    pub(super) fn get(&self, performance: PerformanceId) -> Option<Arc<PerformanceView>> {
        self.by_id.read().get(&performance).cloned()
    }

    /// The performances that have been used since then.
    pub(super) fn used_since(&self, since: Timestamp) -> Vec<(PerformanceId, Arc<PerformanceView>)> {
        let by_id = self.by_id.read();
        let used = by_id.iter().filter(|(_, view)| view.last_used_ms() >= since.0);
        used.map(|(id, view)| (*id, view.clone())).collect()
    }

    pub(super) fn insert(
        &self,
        performance: PerformanceId,
        view: PerformanceView,
        now: Timestamp,
    ) -> Arc<PerformanceView> {
        let view = Arc::new(view);
        view.touch(now);
        let mut by_id = self.by_id.write();
        if by_id.len() >= VIEWS_MAX {
            make_room(&mut by_id);
        }
        by_id.insert(performance, view.clone());
        view
    }
}

/// Drops the less recently used half of the views that nobody uses, so that this is rare.
fn make_room(by_id: &mut HashMap<PerformanceId, Arc<PerformanceView>>) {
    let mut idle: Vec<_> = by_id
        .iter()
        .filter(|(_, view)| Arc::strong_count(view) == 1)
        .map(|(id, view)| (view.last_used_ms(), *id))
        .collect();
    idle.sort_unstable();
    for (_, id) in idle.iter().take(idle.len().div_ceil(2)) {
        by_id.remove(id);
    }
}
