//! Who is still there: two generations of a "seen" bit a place.
//!
//! Whoever asks is marked in the current generation. When a generation is as old as the stated
//! time, the one before it is forgotten. So a place counts as seen for at least that time after
//! its visitor last asked, and for less than twice that time. Forgetting touches a few bits per
//! place once in that time; nothing else depends on how many wait.

use super::{
    Draw, Place, Ticket,
    arrivals::Arrivals,
    bits::{Bits, WORD_BITS, words},
};
use crate::time::Timestamp;

/// How many places of a cohort that has not been seen since the opening are looked up in one
/// go, so that a tick stays short: about 30 ms when all are gone.
const LOOKUPS_MAX: u32 = 100_000;

/// How many words of numbers given up before the opening are looked through in one go, and how many of
/// these numbers get their places marked.
const WORDS_MAX: u32 = 10_000;
const GIVEN_UP_MAX: u32 = 20_000;

/// From how many places on a share is measured.
const MEASURED_MIN: u32 = 100;

/// How many of those in line are really there, and how they become fewer. Measured on those who
/// came at least two generations ago, because most who leave do so soon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Survival {
    /// The share of places whose visitor is there.
    pub(super) share: f64,
    /// The share of those there that leaves in a second, less those who come back.
    pub(super) leaving_per_second: f64,
    /// For how long they have been in line, on average, in seconds.
    pub(super) age_s: f64,
}

impl Survival {
    /// This share is there, and it is not known who will leave.
    pub(super) fn without_age(share: f64) -> Self {
        Self { share, leaving_per_second: 0.0, age_s: 1.0 }
    }
}

/// Who was seen, and who has had a turn.
#[derive(Clone, Debug)]
pub(super) struct Presence {
    current: Bits,
    previous: Bits,
    /// Those of the cohort seen before the opening, by ticket: their generation is `previous`.
    cohort: Option<Bits>,
    /// Places whose turn has come, or which were given up. Before the opening nobody has a place: these
    /// are the numbers that were given up.
    taken: Bits,
    /// Numbers given up before the opening whose places are not marked as taken yet.
    given_up: Option<GivenUp>,
    rotated_at: Timestamp,
    unseen_ms: i64,
    /// How many places there were at the last rotations, the latest first.
    tails: [u32; 3],
    arrivals: Arrivals,
    survival: Option<Survival>,
}

/// Numbers given up before the opening. Their places are known since, and are marked a part at a time.
#[derive(Clone, Debug)]
struct GivenUp {
    numbers: Bits,
    /// Words below this one have been gone through.
    word: u32,
    words: u32,
}

/// Where a search for the next visitor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// At this place is one.
    Present(u32),
    /// There is none before this place.
    NoneBefore(u32),
}

impl Presence {
    pub(super) fn new(unseen_ms: i64, now: Timestamp) -> Self {
        Self {
            current: Bits::default(),
            previous: Bits::default(),
            cohort: None,
            taken: Bits::default(),
            given_up: None,
            rotated_at: now,
            unseen_ms,
            tails: [0; 3],
            arrivals: Arrivals::new(now),
            survival: None,
        }
    }

    /// The clock has been set.
    pub(super) fn clock_set(&mut self, by_ms: i64) {
        self.rotated_at = self.rotated_at.plus_ms(by_ms);
        self.arrivals.clock_set(by_ms);
    }

    /// After a restart nobody has been seen yet: those that wait count as seen now.
    pub(super) fn presume(&mut self, from: u32, to: u32) {
        self.previous.set_range(from, to);
    }

    pub(super) fn set_unseen_ms(&mut self, unseen_ms: i64) {
        self.unseen_ms = unseen_ms;
    }

    /// Marks that whoever has this place is there. `index` is a ticket before the opening.
    pub(super) fn seen(&mut self, index: u32) {
        self.current.set(index);
    }

    /// Whoever has this place is not there, whatever was seen.
    pub(super) fn forget(&mut self, place: Place) {
        self.current.clear(place.0);
        self.previous.clear(place.0);
    }

    pub(super) fn take(&mut self, place: Place) {
        self.taken.set(place.0);
    }

    /// Before the opening: the number is given up for good, and its place will be stepped over.
    pub(super) fn give_up(&mut self, ticket: Ticket) {
        self.forget(Place(ticket.0));
        self.taken.set(ticket.0);
    }

    /// Whether a number was given up before the opening. `before_opening` says whether this is before it.
    pub(super) fn is_given_up(&self, ticket: Ticket, before_opening: bool) -> bool {
        match &self.given_up {
            Some(given_up) => given_up.numbers.get(ticket.0),
            None => before_opening && self.taken.get(ticket.0),
        }
    }

    /// Marks the places of some numbers that were given up before the opening, so that these take no
    /// memory of their own any more.
    pub(super) fn settle_given_up(&mut self, draw: &Draw) {
        let Some(given_up) = &mut self.given_up else { return };
        let mut marked = 0;
        let end = given_up.words.min(given_up.word.saturating_add(WORDS_MAX));
        while given_up.word < end && marked < GIVEN_UP_MAX {
            let mut numbers = given_up.numbers.word(given_up.word);
            while numbers != 0 {
                let number = given_up.word * WORD_BITS + numbers.trailing_zeros();
                self.taken.set(draw.place(Ticket(number)).0);
                numbers &= numbers - 1;
                marked += 1;
            }
            given_up.word += 1;
        }
        if given_up.word == given_up.words {
            self.given_up = None;
        }
    }

    pub(super) fn give_back(&mut self, place: Place) {
        self.taken.clear(place.0);
    }

    pub(super) fn is_taken(&self, place: Place) -> bool {
        self.taken.get(place.0)
    }

    /// Lots are drawn: what was marked by ticket is looked up by place from now on. Tickets from
    /// the cohort up to `tail` were given out just now.
    pub(super) fn open(&mut self, cohort_size: u32, tail: u32, now: Timestamp) {
        let mut cohort = std::mem::take(&mut self.current);
        cohort.union(&std::mem::take(&mut self.previous));
        let numbers = std::mem::take(&mut self.taken);
        self.given_up = Some(GivenUp { numbers, word: 0, words: tail.div_ceil(WORD_BITS) });
        self.cohort = Some(cohort);
        self.current.set_range(cohort_size, tail);
        self.rotated_at = now;
        // Nobody's place is two generations old.
        self.tails = [cohort_size, 0, 0];
        self.arrivals.shuffle(cohort_size, now);
    }

    /// Forgets the generation before the last one, when it is time. True if it was. `from` and
    /// `tail` are the first and the last place in line.
    pub(super) fn rotate(&mut self, from: u32, tail: u32, now: Timestamp) -> bool {
        let age_ms = now.since_ms(self.rotated_at);
        if age_ms < self.unseen_ms {
            return false;
        }
        let missed = age_ms >= 2 * self.unseen_ms;
        if !missed {
            self.survival = self.measure(from, now).or(self.survival);
        }
        self.arrivals.note(tail, now);
        self.cohort = None;
        std::mem::swap(&mut self.current, &mut self.previous);
        self.current.clear_all();
        if missed {
            self.previous.clear_all();
        }
        self.rotated_at = now;
        self.tails = [tail, self.tails[0], self.tails[1]];
        true
    }

    /// Measures on those who were seen in the generation that ends now and in the one before it.
    fn measure(&self, from: u32, now: Timestamp) -> Option<Survival> {
        let [_, two_ago, three_ago] = self.tails;
        let places = two_ago.checked_sub(from).filter(|places| *places >= MEASURED_MIN)?;
        let share = f64::from(self.waiting(&self.current, from, two_ago).max(1)) / f64::from(places);
        // Of the same places twice, so that those who come back count, too; and of places that were
        // past their first generation the first time.
        let leaving = (three_ago.saturating_sub(from) >= MEASURED_MIN).then(|| {
            let before = self.waiting(&self.previous, from, three_ago).max(1);
            let there = self.waiting(&self.current, from, three_ago).max(1);
            (f64::from(before) / f64::from(there)).ln().max(0.0) * 1_000.0 / self.unseen_ms as f64
        });
        Some(Survival {
            share,
            leaving_per_second: leaving
                .or(self.survival.map(|survival| survival.leaving_per_second))
                .unwrap_or_default(),
            age_s: self.arrivals.age_s(from, two_ago, now),
        })
    }

    /// How many of these places are marked and have had no turn.
    fn waiting(&self, seen: &Bits, from: u32, to: u32) -> u32 {
        words(from, to)
            .map(|(word, mask)| (seen.word(word) & mask & !self.taken.word(word)).count_ones())
            .sum()
    }

    /// What was measured last.
    pub(super) fn survival(&self) -> Option<Survival> {
        self.survival
    }

    /// The first place from `from` on, before `to`, whose visitor is there and has had no turn.
    pub(super) fn next(&self, from: u32, to: u32, draw: &Draw) -> Next {
        let Some(cohort) = &self.cohort else { return self.next_seen(from, to) };
        let lookups = from.saturating_add(LOOKUPS_MAX).min(to);
        let looked_up = lookups.min(draw.cohort());
        for place in from..looked_up {
            let seen = self.current.get(place) || cohort.get(draw.ticket(Place(place)).0);
            if seen && !self.taken.get(place) {
                return Next::Present(place);
            }
        }
        if looked_up < draw.cohort().min(to) {
            return Next::NoneBefore(looked_up);
        }
        self.next_seen(from.max(looked_up), to)
    }

    /// As [`Presence::next`], among places whose own bits say so.
    pub(super) fn next_seen(&self, from: u32, to: u32) -> Next {
        let mut word = from / WORD_BITS;
        let mut mask = u64::MAX << (from % WORD_BITS);
        while u64::from(word) * u64::from(WORD_BITS) < u64::from(to) {
            let there = (self.current.word(word) | self.previous.word(word)) & !self.taken.word(word) & mask;
            if there != 0 {
                let place = word * WORD_BITS + there.trailing_zeros();
                return if place < to { Next::Present(place) } else { Next::NoneBefore(to) };
            }
            word += 1;
            mask = u64::MAX;
        }
        Next::NoneBefore(to)
    }

    pub(super) fn bytes(&self) -> usize {
        let cohort = self.cohort.as_ref().map_or(0, Bits::bytes);
        let given_up = self.given_up.as_ref().map_or(0, |given_up| given_up.numbers.bytes());
        given_up
            + self.current.bytes()
            + self.previous.bytes()
            + self.taken.bytes()
            + cohort
            + self.arrivals.bytes()
    }
}
