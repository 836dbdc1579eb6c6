//! A performance in memory: its terms and what everybody may see of its seats.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::AtomicI64},
};

use arc_swap::ArcSwap;
use hashbrown::HashSet;
use onsale_domain::{
    decide::Refusal,
    ids::{PerformanceId, SeatId, UserId},
    order::SeatStatus,
    sale::SaleTerms,
    time::Timestamp,
};
use parking_lot::RwLock;
use tokio::sync::broadcast;

use super::{SaleError, views::InMemory};
use crate::ports::{ClaimsSnapshot, Store};

/// How many of the latest changes a view remembers for those who come back.
const REMEMBERED_MAX: usize = 1_024;

/// How many seats these changes name at the most: whoever has missed more had better read all seats.
const REMEMBERED_SEATS_MAX: usize = 65_536;

/// How many changes a watcher may be behind before it has to start over.
const WATCHER_LAG_MAX: usize = 256;

/// A performance's terms and the status of its seats, kept up to date by the pipeline.
/// May be a moment behind the database; it may refuse, never grant.
pub struct PerformanceView {
    terms: ArcSwap<SaleTerms>,
    seats: RwLock<Seats>,
    /// Everybody who has ever had an order here. What somebody else asks for can be refused from
    /// memory; a buyer may be repeating a request whose answer got lost, which only the database
    /// can tell.
    buyers: RwLock<HashSet<UserId>>,
    changes: broadcast::Sender<Arc<SeatChanges>>,
    last_used_ms: AtomicI64,
}

/// How many seats there are of each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeatCounts {
    /// All seats of the hall.
    pub total: u32,
    /// Free.
    pub available: u32,
    /// In unpaid orders.
    pub held: u32,
    /// Paid for.
    pub sold: u32,
    /// Not for sale: locked, or of a category without a price.
    pub locked: u32,
}

/// All seats at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatSnapshot {
    /// The version of the seats.
    pub version: i64,
    /// The revision of the terms, which may take seats off sale too.
    pub revision: i64,
    /// The counts.
    pub counts: SeatCounts,
    /// One bit per seat ordinal, the lowest bit of the first byte first; 1 means not available.
    pub taken: Vec<u8>,
}

/// The seats that changed from one version to a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatChanges {
    /// The version they led to.
    pub version: i64,
    /// (ordinal, new status)
    pub seats: Vec<(u32, SeatStatus)>,
}

/// The seats by ordinal.
struct Seats {
    version: i64,
    /// The revision of the terms that the statuses were made with.
    revision: i64,
    statuses: Vec<SeatStatus>,
    /// The statuses that the claims alone make, whatever has a price.
    claimed: Vec<SeatStatus>,
    counts: SeatCounts,
    taken: Vec<u8>,
    remembered: VecDeque<Arc<SeatChanges>>,
    /// How many seats they name.
    remembered_seats: usize,
    /// The version before the oldest remembered change.
    remembered_after: i64,
}

impl PerformanceView {
    /// Reads a performance from the database.
    pub(super) async fn read(store: &dyn Store, performance: PerformanceId) -> Result<Self, SaleError> {
        let terms = store.sale_terms(performance).await?;
        let terms = terms.ok_or(Refusal::NoSuchPerformance(performance))?;
        // After the terms, as everything that is made of both.
        Ok(Self::new(terms, store.claims(performance).await?))
    }

    pub(super) fn new(terms: SaleTerms, claims: ClaimsSnapshot) -> Self {
        let seats = Seats::new(&terms, &claims);
        Self {
            terms: ArcSwap::from_pointee(terms),
            seats: RwLock::new(seats),
            buyers: RwLock::new(claims.buyers.into_iter().collect()),
            changes: broadcast::Sender::new(WATCHER_LAG_MAX),
            last_used_ms: AtomicI64::new(0),
        }
    }

    /// The terms of the sale.
    #[must_use]
    pub fn terms(&self) -> Arc<SaleTerms> {
        self.terms.load_full()
    }

    /// The version of the seats: rises with every batch that changes any.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.seats.read().version
    }

    /// Names the state of [`PerformanceView::snapshot`]: (terms revision, seat version).
    #[must_use]
    pub fn tag(&self) -> (i64, i64) {
        let seats = self.seats.read();
        (seats.revision, seats.version)
    }

    /// A seat's status; `Locked` also for a seat whose category has no price.
    #[must_use]
    pub fn status(&self, ordinal: u32) -> SeatStatus {
        self.seats.read().statuses.get(ordinal as usize).copied().unwrap_or(SeatStatus::Locked)
    }

    /// Every seat's status, by ordinal.
    #[must_use]
    pub fn statuses(&self) -> Vec<SeatStatus> {
        self.seats.read().statuses.clone()
    }

    /// All seats at one version.
    #[must_use]
    pub fn snapshot(&self) -> SeatSnapshot {
        let seats = self.seats.read();
        SeatSnapshot {
            version: seats.version,
            revision: seats.revision,
            counts: seats.counts,
            taken: seats.taken.clone(),
        }
    }

    /// The changes after `version`, oldest first, if they are still remembered, together with a
    /// receiver of all later ones; nothing is missed or given twice in between. If they are not
    /// remembered, read [`PerformanceView::snapshot`] afterwards and skip changes up to its version.
    #[must_use]
    pub fn watch(
        &self,
        version: i64,
    ) -> (Option<Vec<Arc<SeatChanges>>>, broadcast::Receiver<Arc<SeatChanges>>) {
        let seats = self.seats.read();
        let known = (seats.remembered_after..=seats.version).contains(&version);
        let missed = known
            .then(|| seats.remembered.iter().filter(|change| change.version > version).cloned().collect());
        (missed, self.changes.subscribe())
    }

    /// The gate: why a hold is certainly refused, if it is. `None` means that the pipeline decides.
    pub(super) fn refuses(&self, caller: UserId, wanted: &[SeatId], now: Timestamp) -> Option<Refusal> {
        let refusal = self.refusal(wanted, now)?;
        (!self.has_buyer(caller)).then_some(refusal)
    }

    /// Whether somebody has ever had an order here.
    pub(super) fn has_buyer(&self, user: UserId) -> bool {
        self.buyers.read().contains(&user)
    }

    /// Whether nobody has a claim on a seat, and it is for sale.
    pub(super) fn is_free(&self, seat: SeatId) -> bool {
        let ordinal = self.terms.load().seats.ordinal(seat);
        ordinal.is_some_and(|ordinal| self.status(ordinal) == SeatStatus::Available)
    }

    /// Whether a seat is certainly in no unpaid order.
    pub(super) fn is_not_held(&self, seat: SeatId) -> bool {
        let ordinal = self.terms.load().seats.ordinal(seat);
        ordinal.is_some_and(|ordinal| self.status(ordinal) != SeatStatus::Held)
    }

    /// A seat's status as its claim alone makes it: `Available` without one, whatever has a price. None if it
    /// is not a seat of this hall.
    pub(super) fn claimed(&self, seat: SeatId) -> Option<SeatStatus> {
        let ordinal = self.terms.load().seats.ordinal(seat)?;
        self.seats.read().claimed.get(ordinal as usize).copied()
    }

    fn refusal(&self, wanted: &[SeatId], now: Timestamp) -> Option<Refusal> {
        let terms = self.terms.load();
        if now < terms.on_sale_at {
            return Some(Refusal::NotOnSaleYet { on_sale_at: terms.on_sale_at });
        }
        let seats = self.seats.read();
        wanted.iter().find_map(|seat| {
            let ordinal = terms.seats.ordinal(*seat)?;
            match seats.statuses[ordinal as usize] {
                SeatStatus::Available => None,
                SeatStatus::Held => Some(Refusal::SeatHeld(*seat)),
                SeatStatus::Sold => Some(Refusal::SeatSold(*seat)),
                SeatStatus::Locked => Some(Refusal::SeatLocked(*seat)),
            }
        })
    }

    /// Takes over what a batch changed. `false` if changes in between are missing: reload.
    pub(super) fn apply(&self, version: i64, changed: &[(SeatId, SeatStatus)]) -> bool {
        let terms = self.terms.load();
        let mut seats = self.seats.write();
        if version != seats.version + 1 {
            return version <= seats.version;
        }
        let mut visibly = Vec::with_capacity(changed.len());
        for (seat, status) in changed {
            if let Some(ordinal) = terms.seats.ordinal(*seat) {
                seats.claimed[ordinal as usize] = *status;
                visibly.push((ordinal, visible(&terms, ordinal, *status)));
            }
        }
        self.announce(&mut seats, version, visibly);
        true
    }

    /// Takes over new terms alone, if no claim has changed since what is known: `stored` is (revision, version)
    /// as the database had them before it gave the terms, and an organiser's change raises both by one. So the
    /// claims, of which a large hall has many, need not be read again. Otherwise the terms are given back.
    pub(super) fn take_terms(&self, terms: SaleTerms, stored: (i64, i64)) -> Result<(), SaleTerms> {
        let mut seats = self.seats.write();
        let (changes, versions) = (stored.0 - seats.revision, stored.1 - seats.version);
        if terms.revision != stored.0 || changes != versions || changes < 0 {
            return Err(terms);
        }
        let ordinals = 0..count(seats.claimed.len());
        let changed = ordinals.filter_map(|ordinal| {
            let status = visible(&terms, ordinal, seats.claimed[ordinal as usize]);
            (status != seats.statuses[ordinal as usize]).then_some((ordinal, status))
        });
        let changed: Vec<_> = changed.collect();
        // Inside the lock, so that nobody sees new terms beside old seats.
        self.terms.store(Arc::new(terms));
        seats.revision = stored.0;
        if versions > 0 {
            self.announce(&mut seats, stored.1, changed);
        }
        Ok(())
    }

    /// Takes over everything anew: after a gap, when the outcome of a commit was unknown, or when
    /// an organiser has changed the terms. The claims must have been read after the terms.
    pub(super) fn reload(&self, terms: SaleTerms, claims: &ClaimsSnapshot) {
        let fresh = Seats::new(&terms, claims);
        self.buyers.write().extend(claims.buyers.iter().copied());
        let mut seats = self.seats.write();
        if (fresh.revision, fresh.version) < (seats.revision, seats.version) {
            // A batch of this node has been announced since this was read.
            return;
        }
        // Inside the lock, so that nobody sees new terms beside old seats.
        self.terms.store(Arc::new(terms));
        seats.revision = fresh.revision;
        let changed = seats.differences(&fresh);
        seats.claimed = fresh.claimed;
        if !changed.is_empty() || claims.version != seats.version {
            self.announce(&mut seats, claims.version, changed);
        }
    }

    pub(super) fn add_buyer(&self, user: UserId) {
        if !self.buyers.read().contains(&user) {
            self.buyers.write().insert(user);
        }
    }

    fn announce(&self, seats: &mut Seats, version: i64, changed: Vec<(u32, SeatStatus)>) {
        for (ordinal, status) in &changed {
            seats.set(*ordinal, *status);
        }
        seats.version = version;
        let change = Arc::new(SeatChanges { version, seats: changed });
        seats.remember(change.clone());
        // Nobody watching is no failure.
        let _ = self.changes.send(change);
    }
}

impl InMemory for PerformanceView {
    fn last_used_ms(&self) -> &AtomicI64 {
        &self.last_used_ms
    }
}

impl Seats {
    fn new(terms: &SaleTerms, claims: &ClaimsSnapshot) -> Self {
        let total = terms.seats.seats().len();
        let mut seats = Self {
            version: claims.version,
            revision: terms.revision,
            statuses: vec![SeatStatus::Available; total],
            claimed: vec![SeatStatus::Available; total],
            counts: SeatCounts { total: count(total), available: count(total), ..SeatCounts::default() },
            taken: vec![0; total.div_ceil(8)],
            remembered: VecDeque::new(),
            remembered_seats: 0,
            remembered_after: claims.version,
        };
        for taken in &claims.taken {
            if let Some(ordinal) = terms.seats.ordinal(taken.seat) {
                seats.claimed[ordinal as usize] = taken.status;
            }
        }
        for ordinal in 0..count(total) {
            seats.set(ordinal, visible(terms, ordinal, seats.claimed[ordinal as usize]));
        }
        seats
    }

    fn set(&mut self, ordinal: u32, status: SeatStatus) {
        let index = ordinal as usize;
        let before = std::mem::replace(&mut self.statuses[index], status);
        *self.counts.of(before) -= 1;
        *self.counts.of(status) += 1;
        let bit = 1_u8 << (index % 8);
        if status == SeatStatus::Available {
            self.taken[index / 8] &= !bit;
        } else {
            self.taken[index / 8] |= bit;
        }
    }

    fn remember(&mut self, change: Arc<SeatChanges>) {
        self.remembered_seats += change.seats.len();
        self.remembered.push_back(change);
        while (self.remembered.len() > REMEMBERED_MAX || self.remembered_seats > REMEMBERED_SEATS_MAX)
            && let Some(forgotten) = self.remembered.pop_front()
        {
            self.remembered_seats -= forgotten.seats.len();
            self.remembered_after = forgotten.version;
        }
    }

    fn differences(&self, fresh: &Self) -> Vec<(u32, SeatStatus)> {
        let pairs = self.statuses.iter().zip(&fresh.statuses);
        (0..)
            .zip(pairs)
            .filter(|(_, (old, new))| old != new)
            .map(|(ordinal, (_, new))| (ordinal, *new))
            .collect()
    }
}

impl SeatCounts {
    fn of(&mut self, status: SeatStatus) -> &mut u32 {
        match status {
            SeatStatus::Available => &mut self.available,
            SeatStatus::Held => &mut self.held,
            SeatStatus::Sold => &mut self.sold,
            SeatStatus::Locked => &mut self.locked,
        }
    }
}

/// What a free seat looks like: locked, if its category has no price.
fn visible(terms: &SaleTerms, ordinal: u32, status: SeatStatus) -> SeatStatus {
    let for_sale = || terms.seats.seat(ordinal).is_some_and(|seat| terms.price(seat.category).is_some());
    if status == SeatStatus::Available && !for_sale() { SeatStatus::Locked } else { status }
}

fn count(seats: usize) -> u32 {
    u32::try_from(seats).expect("a hall has at most a million seats")
}

#[cfg(test)]
mod tests {
    use onsale_domain::{
        hall::{Row, Seat, SeatMap},
        ids::{HallId, ShowId},
        money::Currency,
        sale::{Price, SaleRules},
    };

    use super::*;
    use crate::ports::TakenSeat;

    /// Ten seats with ids from 100; the last is of a category without a price.
    fn terms() -> SaleTerms {
        let seat = |index: i64| Seat {
            id: SeatId(100 + index),
            row: 0,
            place: i32::try_from(index).unwrap(),
            number: index.to_string(),
            category: u16::from(index == 9),
            x: 0.0,
            y: 0.0,
            guid: None,
        };
        let row = Row { section: "Stalls".into(), label: "A".into() };
        let categories = vec!["Standard".into(), "House".into()];
        SaleTerms {
            performance: PerformanceId(1),
            show: ShowId(1),
            revision: 1,
            seats: Arc::new(SeatMap::new(HallId(1), vec![row], categories, (0..10).map(seat).collect())),
            prices: vec![Some(Price { grade: "S".into(), amount: 1_000 }), None],
            currency: Currency::KRW,
            on_sale_at: Timestamp(1_000),
            starts_at: Timestamp(9_000),
            rules: SaleRules::default(),
            cancelled: false,
        }
    }

    fn claims(version: i64, taken: &[(i64, SeatStatus)], buyers: &[i64]) -> ClaimsSnapshot {
        let seat = |(seat, status): &(i64, SeatStatus)| TakenSeat { seat: SeatId(*seat), status: *status };
        ClaimsSnapshot {
            version,
            taken: taken.iter().map(seat).collect(),
            buyers: buyers.iter().copied().map(UserId).collect(),
        }
    }

    #[test]
    fn counts_and_bitmap_follow_the_seats() {
        let view = PerformanceView::new(
            terms(),
            claims(5, &[(100, SeatStatus::Sold), (108, SeatStatus::Held)], &[]),
        );
        let snapshot = view.snapshot();
        assert_eq!(snapshot.counts, SeatCounts { total: 10, available: 7, held: 1, sold: 1, locked: 1 });
        assert_eq!(snapshot.taken, [0b0000_0001, 0b0000_0011]);

        assert!(view.apply(6, &[(SeatId(108), SeatStatus::Available), (SeatId(101), SeatStatus::Held)]));
        let snapshot = view.snapshot();
        assert_eq!((snapshot.version, snapshot.counts.available), (6, 7));
        assert_eq!(snapshot.taken, [0b0000_0011, 0b0000_0010]);
    }

    #[test]
    fn a_freed_seat_without_a_price_stays_locked() {
        let view = PerformanceView::new(terms(), claims(0, &[(109, SeatStatus::Sold)], &[]));
        view.apply(1, &[(SeatId(109), SeatStatus::Available)]);
        assert_eq!(view.status(9), SeatStatus::Locked);
    }

    #[test]
    fn a_gap_is_noticed_and_an_old_change_is_not_applied_twice() {
        let view = PerformanceView::new(terms(), claims(5, &[], &[]));
        assert!(!view.apply(7, &[(SeatId(100), SeatStatus::Held)]), "version 6 is missing");
        assert!(view.apply(5, &[(SeatId(100), SeatStatus::Held)]), "already known");
        assert_eq!((view.status(0), view.version()), (SeatStatus::Available, 5));
        view.reload(terms(), &claims(7, &[(100, SeatStatus::Held)], &[]));
        assert_eq!((view.status(0), view.version()), (SeatStatus::Held, 7));
    }

    #[test]
    fn what_was_read_before_the_latest_change_is_not_taken_over() {
        let view = PerformanceView::new(terms(), claims(5, &[], &[]));
        let read = claims(5, &[], &[8]);
        view.apply(6, &[(SeatId(100), SeatStatus::Held)]);
        view.reload(terms(), &read);
        assert_eq!((view.status(0), view.version()), (SeatStatus::Held, 6));
        assert_eq!(view.refuses(UserId(8), &[SeatId(100)], Timestamp(2_000)), None, "but a buyer is one");
    }

    #[test]
    fn terms_alone_are_taken_over_if_no_claim_has_changed() {
        let view = PerformanceView::new(terms(), claims(5, &[(100, SeatStatus::Locked)], &[]));
        let dearer = || SaleTerms { revision: 2, prices: vec![None, None], ..terms() };
        view.take_terms(dearer(), (2, 7)).expect_err("somebody has claimed a seat meanwhile");
        view.take_terms(dearer(), (3, 7)).expect_err("these terms are not the latest");
        assert_eq!((view.tag(), view.status(1)), ((1, 5), SeatStatus::Available));

        view.take_terms(dearer(), (2, 6)).unwrap();

        assert_eq!((view.tag(), view.status(1)), ((2, 6), SeatStatus::Locked));
        let (missed, _) = view.watch(5);
        assert_eq!(missed.unwrap()[0].seats.len(), 8, "a watcher learns which have gone off sale");
        view.take_terms(SaleTerms { revision: 3, ..terms() }, (3, 7)).unwrap();
        assert_eq!((view.status(0), view.status(1)), (SeatStatus::Locked, SeatStatus::Available));
        view.take_terms(dearer(), (2, 6)).expect_err("it is older");
    }

    #[test]
    fn what_a_claim_makes_of_a_seat_is_known_beside_its_price() {
        let view = PerformanceView::new(terms(), claims(5, &[(100, SeatStatus::Locked)], &[]));
        let known = [100, 101, 109, 110].map(|seat| view.claimed(SeatId(seat)));
        let free = Some(SeatStatus::Available);
        assert_eq!(known, [Some(SeatStatus::Locked), free, free, None]);
        view.apply(6, &[(SeatId(100), SeatStatus::Available), (SeatId(109), SeatStatus::Locked)]);
        assert_eq!(view.claimed(SeatId(100)), free);
        assert_eq!(view.claimed(SeatId(109)), Some(SeatStatus::Locked));
        view.reload(terms(), &claims(7, &[(100, SeatStatus::Held)], &[]));
        assert_eq!((view.claimed(SeatId(100)), view.claimed(SeatId(109))), (Some(SeatStatus::Held), free));
    }

    #[test]
    fn what_is_remembered_of_large_changes_is_bounded() {
        let view = PerformanceView::new(terms(), claims(0, &[], &[]));
        let all: Vec<_> = (0..10).map(|seat| (SeatId(100 + seat), SeatStatus::Held)).collect();
        let many = i64::try_from(REMEMBERED_SEATS_MAX / all.len()).unwrap();
        for version in 1..=many + 5 {
            view.apply(version, &all[..if version % 2 == 0 { 10 } else { 9 }]);
        }
        let seats = view.seats.read();
        let named: usize = seats.remembered.iter().map(|change| change.seats.len()).sum();
        assert_eq!(seats.remembered_seats, named);
        assert!(named <= REMEMBERED_SEATS_MAX && seats.remembered.len() <= REMEMBERED_MAX);
    }

    #[test]
    fn a_watcher_misses_nothing() {
        let view = PerformanceView::new(terms(), claims(5, &[], &[]));
        for version in 6..10 {
            view.apply(version, &[(SeatId(100 + version), SeatStatus::Held)]);
        }
        let (missed, mut later) = view.watch(7);
        let versions: Vec<_> = missed.unwrap().iter().map(|change| change.version).collect();
        assert_eq!(versions, [8, 9]);
        view.apply(10, &[(SeatId(100), SeatStatus::Held)]);
        assert_eq!(later.try_recv().unwrap().version, 10);
        assert!(view.watch(4).0.is_none(), "what was before the view is not known");
        assert!(view.watch(99).0.is_none(), "what has not been yet is not known");
    }

    #[test]
    fn the_gate_refuses_strangers_and_lets_buyers_through() {
        let now = Timestamp(2_000);
        let taken = [(100, SeatStatus::Sold), (101, SeatStatus::Held)];
        let view = PerformanceView::new(terms(), claims(5, &taken, &[7]));
        let wants = |user: i64, seat: i64| view.refuses(UserId(user), &[SeatId(seat)], now);
        assert_eq!(wants(1, 100), Some(Refusal::SeatSold(SeatId(100))));
        assert_eq!(wants(1, 101), Some(Refusal::SeatHeld(SeatId(101))));
        assert_eq!(wants(1, 109), Some(Refusal::SeatLocked(SeatId(109))));
        assert_eq!(wants(1, 102), None, "free as far as the gate knows");
        assert_eq!(wants(1, 999), None, "only the decision says what is unknown");
        assert_eq!(wants(7, 100), None, "a buyer may be repeating a request");
        view.add_buyer(UserId(1));
        assert_eq!(wants(1, 100), None);
        let early = view.refuses(UserId(2), &[SeatId(102)], Timestamp(999));
        assert_eq!(early, Some(Refusal::NotOnSaleYet { on_sale_at: Timestamp(1_000) }));
    }
}
