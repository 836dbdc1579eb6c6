//! A map that forgets.

use std::{
    collections::VecDeque,
    hash::{Hash, RandomState},
};

use hashbrown::HashMap;
use onsale_domain::time::Timestamp;

/// What a map keeps until some time. The default has been forgotten.
pub(crate) trait Fading: Default {
    /// From when on nothing of it matters any more.
    fn forgotten_at(&self) -> Timestamp;

    /// Until when it does not make room for others.
    fn kept_until(&self) -> Timestamp;
}

/// At most so many entries. What is forgotten goes first, then what came first; what must be kept
/// goes last.
pub(crate) struct Recent<K, V> {
    entries: HashMap<K, V, RandomState>,
    /// All keys, each once, roughly in the order in which they came.
    order: VecDeque<K>,
    entries_max: usize,
}

/// How many entries are looked at when a new one comes: more than one, so that what is forgotten
/// goes faster than new entries come.
const LOOKS: usize = 2;

/// How many are looked at if there is no room.
const LOOKS_MAX: usize = 16;

impl<K: Eq + Hash + Clone, V: Fading> Recent<K, V> {
    pub(crate) fn new(entries_max: usize) -> Self {
        Self { entries: HashMap::default(), order: VecDeque::new(), entries_max }
    }

    /// The entry of a key, a new one if there is none.
    pub(crate) fn entry(&mut self, key: &K, now: Timestamp) -> &mut V {
        if !self.entries.contains_key(key) {
            self.make_room(now);
            self.order.push_back(key.clone());
        }
        self.entries.entry_ref(key).or_default()
    }

    /// Forgets an entry. Whether there was one that mattered.
    pub(crate) fn forget(&mut self, key: &K, now: Timestamp) -> bool {
        match self.entries.get_mut(key) {
            Some(entry) => now < std::mem::take(entry).forgotten_at(),
            None => false,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    fn make_room(&mut self, now: Timestamp) {
        for look in 0..LOOKS_MAX {
            let full = self.entries.len() >= self.entries_max;
            if look >= LOOKS && !full {
                return;
            }
            let Some(key) = self.order.pop_front() else { return };
            let entry = &self.entries[&key];
            let forgotten = entry.forgotten_at() <= now;
            let last_look = look + 1 == LOOKS_MAX;
            if forgotten || full && (entry.kept_until() <= now || last_look) {
                self.entries.remove(&key);
            } else {
                self.order.push_back(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, PartialEq, Eq, Debug)]
    struct Entry {
        forgotten_at: Timestamp,
        kept_until: Timestamp,
    }

    impl Fading for Entry {
        fn forgotten_at(&self) -> Timestamp {
            self.forgotten_at
        }

        fn kept_until(&self) -> Timestamp {
            self.kept_until
        }
    }

    fn add(recent: &mut Recent<i64, Entry>, key: i64, now: i64, forgotten_at: i64, kept_until: i64) {
        *recent.entry(&key, Timestamp(now)) =
            Entry { forgotten_at: Timestamp(forgotten_at), kept_until: Timestamp(kept_until) };
    }

    #[test]
    fn there_are_never_more_than_the_bound_and_what_is_kept_stays() {
        let mut recent = Recent::new(100);
        for key in 0..10 {
            add(&mut recent, key, 0, 1_000_000, 1_000_000);
        }
        for key in 10..10_000 {
            add(&mut recent, key, 0, 1_000, 0);
            assert!(recent.entries.len() <= 100 && recent.entries.len() == recent.order.len());
        }
        assert!((0..10).all(|key| recent.entries.contains_key(&key)));
        assert!(recent.entries.contains_key(&9_999) && !recent.entries.contains_key(&11));
        // Also if all must be kept.
        for key in 10_000..20_000 {
            add(&mut recent, key, 0, 1_000_000, 1_000_000);
            assert!(recent.entries.len() <= 100);
        }
    }

    #[test]
    fn what_is_forgotten_makes_way_long_before_the_bound() {
        let mut recent = Recent::new(1_000_000);
        for key in 0..10_000 {
            add(&mut recent, key, key, key + 100, key + 100);
        }
        assert!(recent.entries.len() < 500, "{}", recent.entries.len());
        assert!(recent.forget(&9_999, Timestamp(9_999)) && !recent.forget(&9_999, Timestamp(9_999)));
        assert!(!recent.forget(&0, Timestamp(9_999)));
    }
}
