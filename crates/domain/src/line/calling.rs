//! Whose turn it is: the lowest place whose visitor is there and has had none.

use super::{Phase, Place, Room, no_shows::Next};
use crate::time::Timestamp;

impl Room {
    /// Calls as many as the gate allows, those who came back first.
    pub(super) fn call(&mut self) {
        if self.record.phase != Phase::Open {
            return;
        }
        let turns = self.turns.len().saturating_add(self.presumed.count);
        let may = self.gate.available(self.now, self.idle, turns);
        let mut called = 0;
        while called < may {
            let Some(place) = self.next_returned().or_else(|| self.next_in_line()) else { break };
            self.call_place(place);
            called += 1;
        }
        self.gate.spend(called);
        self.idle = self.cursor == self.tail && self.returned_from.is_none();
    }

    /// A slot has become free: where slots are counted, the next in line has it at once.
    pub(super) fn pass_on(&mut self) {
        if self.gate.counts_slots() {
            self.call();
        }
    }

    fn call_place(&mut self, place: Place) {
        let until = if self.guards.no_shows {
            self.now.plus_ms(self.record.settings.claim_ms)
        } else {
            Timestamp(i64::MAX)
        };
        self.presence.take(place);
        self.turns.call(place, until);
        self.changes(place);
        self.calls += 1;
        self.tick.called.push(place);
    }

    /// The lowest place below the cursor whose visitor came back.
    fn next_returned(&mut self) -> Option<Place> {
        match self.presence.next_seen(self.returned_from?, self.cursor) {
            Next::Present(place) => {
                self.returned_from = Some(place + 1);
                Some(Place(place))
            }
            Next::NoneBefore(_) => {
                self.returned_from = None;
                None
            }
        }
    }

    /// The next place from the cursor on whose visitor is there, as far as places are recorded.
    fn next_in_line(&mut self) -> Option<Place> {
        let to = self.tail.min(self.record.cursor);
        let next = if self.guards.no_shows {
            self.presence.next(self.cursor, to, &self.draw)
        } else if self.cursor < to {
            Next::Present(self.cursor)
        } else {
            Next::NoneBefore(to)
        };
        let (place, cursor) = match next {
            Next::Present(place) => (Some(Place(place)), place + 1),
            Next::NoneBefore(end) => (None, end.max(self.cursor)),
        };
        let passed = cursor - self.cursor;
        self.tick.stepped_over += if place.is_some() { passed - 1 } else { passed };
        self.cursor = cursor;
        place
    }
}
