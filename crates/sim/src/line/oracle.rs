//! Watches a room without looking into it: what it promised against what visitors saw.

use std::collections::{BTreeSet, VecDeque};

use onsale_domain::line::{Draw, Mode, Place, RoomSettings, Ticket};

use super::{
    Prediction, TICK_MS,
    crowd::{Plan, Stay},
};

/// How many broken promises are told in full.
const TOLD_MAX: usize = 20;

/// Where a visitor is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Called,
    Inside,
    Over,
}

/// All about a visitor.
pub(super) struct Visitor {
    pub(super) plan: Plan,
    pub(super) stay: Option<Stay>,
    pub(super) state: State,
    /// The tick at which they last asked.
    pub(super) seen_at: u32,
    /// What they were told first after the opening, if anything.
    pub(super) first: Option<Told>,
    /// What they were told at one of their questions, any as likely.
    pub(super) any: Option<Told>,
    /// How many times they were told.
    pub(super) times: u16,
}

/// A wait as it was told.
#[derive(Clone, Copy)]
pub(super) struct Told {
    pub(super) predicted_ms: u32,
    /// The range's half width, in percent.
    pub(super) spread: u8,
    /// The open time.
    pub(super) at_ms: u32,
}

impl Told {
    /// The prediction that it turned out to be, for somebody who was let in now.
    pub(super) fn turned_out(self, open_ms: u32) -> Prediction {
        let Self { predicted_ms, spread, at_ms } = self;
        Prediction { at_ms, predicted_ms, actual_ms: open_ms - at_ms, spread }
    }
}

impl Visitor {
    pub(super) fn new(plan: Plan, now: u32) -> Self {
        Self { plan, stay: None, state: State::Waiting, seen_at: now, first: None, any: None, times: 0 }
    }
}

/// The promises and how they are kept.
pub(super) struct Oracle {
    settings: RoomSettings,
    pub(super) visitors: Vec<Visitor>,
    /// Places below the cursor whose visitors are back and wait to be called.
    returned: BTreeSet<Place>,
    cursor: u32,
    /// (tick at which the pass ends, visitor), in that order.
    passes: VecDeque<(u32, u32)>,
    inside: u32,
    pub(super) inside_max: u32,
    pub(super) returned_called: u32,
    pub(super) broken: u64,
    pub(super) told: Vec<String>,
}

impl Oracle {
    pub(super) fn new(settings: RoomSettings) -> Self {
        Self {
            settings,
            visitors: Vec::new(),
            returned: BTreeSet::new(),
            cursor: 0,
            passes: VecDeque::new(),
            inside: 0,
            inside_max: 0,
            returned_called: 0,
            broken: 0,
            told: Vec::new(),
        }
    }

    pub(super) fn broken(&mut self, what: impl FnOnce() -> String) {
        self.broken += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(what());
        }
    }

    fn visitor(&self, place: Place, draw: &Draw) -> &Visitor {
        &self.visitors[draw.ticket(place).0 as usize]
    }

    /// Whether the visitor of a place is waiting and was there within the stated time.
    fn is_live(&self, place: Place, draw: &Draw, now: u32) -> bool {
        let visitor = self.visitor(place, draw);
        let unseen_ms = i64::from(now - visitor.seen_at) * TICK_MS;
        visitor.state == State::Waiting && unseen_ms < self.settings.unseen_ms
    }

    /// Somebody who waits has asked.
    pub(super) fn asked(&mut self, ticket: Ticket, place: Place, now: u32) {
        self.visitors[ticket.0 as usize].seen_at = now;
        if place.0 < self.cursor {
            self.returned.insert(place);
        }
    }

    /// The room has called these, in this order, and moved its cursor: nobody may have been called
    /// before a live earlier place.
    pub(super) fn called(&mut self, called: &[Place], cursor: u32, draw: &Draw, now: u32) {
        for place in called {
            while let Some(first) = self.returned.first().copied()
                && first < *place
            {
                self.returned.pop_first();
                if self.is_live(first, draw, now) {
                    self.broken(|| format!("tick {now}: {place:?} was called before {first:?}, who is back"));
                }
            }
            if place.0 < self.cursor {
                self.returned.remove(place);
                self.returned_called += 1;
            } else {
                self.skipped(self.cursor, place.0, draw, now);
                self.cursor = place.0 + 1;
            }
            let visitor = &mut self.visitors[draw.ticket(*place).0 as usize];
            if std::mem::replace(&mut visitor.state, State::Called) != State::Waiting {
                self.broken(|| format!("tick {now}: {place:?} was called and was not waiting"));
            }
        }
        self.skipped(self.cursor, cursor, draw, now);
        self.cursor = cursor;
    }

    fn skipped(&mut self, from: u32, to: u32, draw: &Draw, now: u32) {
        for place in (from..to).map(Place) {
            if self.is_live(place, draw, now) {
                self.broken(|| format!("tick {now}: {place:?} was stepped over, though there"));
            }
        }
    }

    /// Somebody called has gone in; the pass is good until a tick.
    pub(super) fn entered(&mut self, ticket: Ticket, until: u32, now: u32) {
        self.end_passes(now);
        let visitor = &mut self.visitors[ticket.0 as usize];
        if std::mem::replace(&mut visitor.state, State::Inside) != State::Called {
            self.broken(|| format!("tick {now}: {ticket} entered and was not called"));
        }
        self.passes.push_back((until, ticket.0));
        self.inside += 1;
        self.inside_max = self.inside_max.max(self.inside);
        if let Mode::BankWindow { inside_max } = self.settings.mode
            && self.inside > inside_max
        {
            let inside = self.inside;
            self.broken(|| format!("tick {now}: {inside} were inside, {inside_max} may be"));
        }
    }

    /// Somebody has come out.
    pub(super) fn over(&mut self, ticket: u32) {
        let visitor = &mut self.visitors[ticket as usize];
        if std::mem::replace(&mut visitor.state, State::Over) == State::Inside {
            self.inside -= 1;
        }
    }

    /// Ends the passes whose time is up.
    pub(super) fn end_passes(&mut self, now: u32) {
        while let Some((until, visitor)) = self.passes.front().copied()
            && until <= now
        {
            self.passes.pop_front();
            if self.visitors[visitor as usize].state == State::Inside {
                self.over(visitor);
            }
        }
    }

    /// A turn was not taken: back in line, once they are.
    pub(super) fn lapsed(&mut self, ticket: u32) {
        self.visitors[ticket as usize].state = State::Waiting;
    }
}
