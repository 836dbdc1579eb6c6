//! Rules that a log alone shows to be kept or broken, without any disk being rebuilt.

use std::path::Path;

use crate::{disk::Disk, log::Event};

/// The words that a server prints when it begins to answer.
const LISTENING: &str = "listening on";

/// Every name that was made or removed is on disk before a server says that it listens: the names that
/// are not, by the log of each life of the server.
pub(crate) fn names_not_kept(root: &Path, lives: &[Vec<Event>]) -> Vec<String> {
    let (mut disk, mut broken) = (Disk::new(root), Vec::new());
    for life in lives {
        disk.forget_syncs();
        for event in life {
            if matches!(event, Event::Say(said) if said.contains(LISTENING)) {
                broken.extend(disk.names_under_way(u64::MAX));
            }
            disk.apply(event);
        }
    }
    broken
}

/// Nothing is sent before all that the process had written that was killed before is on disk: what was not
/// when something was sent.
pub(crate) fn sent_too_early(root: &Path, lives: &[Vec<Event>]) -> Vec<String> {
    let (mut disk, mut broken) = (Disk::new(root), Vec::new());
    for life in lives {
        disk.forget_syncs();
        let begun = disk.now() + 1;
        for event in life {
            if matches!(event, Event::Send(_)) {
                broken.extend(disk.bytes_under_way(begun));
                broken.extend(disk.names_under_way(begun));
            }
            disk.apply(event);
        }
    }
    broken
}

/// The events without the syncs of which `is_dropped` says so; it is told which life they are from, and
/// whether the server listened already.
pub(crate) fn without_syncs(
    lives: &[Vec<Event>],
    is_dropped: impl Fn(usize, bool) -> bool,
) -> Vec<Vec<Event>> {
    let without = lives.iter().enumerate().map(|(life, events)| {
        let mut listens = false;
        let kept = events.iter().filter(|event| {
            listens |= matches!(event, Event::Say(said) if said.contains(LISTENING));
            !(matches!(event, Event::SyncBegin(_) | Event::SyncEnd(_)) && is_dropped(life, listens))
        });
        kept.cloned().collect()
    });
    without.collect()
}
