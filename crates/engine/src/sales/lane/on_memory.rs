//! Batches that need not ask the database anything before they are decided.
//!
//! Nearly every hold of a rush asks for free seats on behalf of somebody who has no order there. A view
//! that is at the database's version knows as much about such a hold as the database does, for no claim and
//! no order comes to be without a new version. So a batch of nothing else is decided at once on the versions
//! and the terms in memory, and the write proves them: it fails unless the database has the same. Then
//! somebody else has written, and the batch is decided again on what is loaded.
//!
//! A refusal writes nothing that could prove it. So a batch in which anybody is refused is decided again on
//! what is loaded, too.
//!
//! A lock of seats that are free, or the end of one that memory knows, is decided likewise if it changes any
//! seat: so large locks are a trip a portion, and do not take the holds beside them to the database.

use onsale_domain::decide::{Command, LockSeats, Request};

use super::{batch_views::BatchViews, unused_keys::is_first_hold};
use crate::ports::{LoadedFacts, LoadedItem};

/// The facts for a batch, if memory knows them all: what is not in them is absent.
pub(super) fn facts<'a>(
    mut requests: impl ExactSizeIterator<Item = &'a Request>,
    views: &BatchViews,
) -> Option<LoadedFacts> {
    // Before anything else is asked of the views: one that moves on meanwhile only makes this version
    // differ from the database's.
    let mut facts = facts_of_offers(views, requests.len());
    requests.all(|request| is_known(request, views, &mut facts)).then_some(facts)
}

fn facts_of_offers(views: &BatchViews, commands: usize) -> LoadedFacts {
    let performances = views.performances.iter().map(|(id, view)| {
        let (version, terms) = (view.version(), view.terms());
        (*id, (terms.revision, version))
    });
    let items = views.items.iter().map(|(id, view)| {
        let (_, version) = view.tag();
        let (stock, revision) = (view.stock(), view.terms().revision);
        (*id, LoadedItem { revision, version, stock, lapsed: Vec::new() })
    });
    LoadedFacts {
        performances: performances.collect(),
        items: items.collect(),
        ..LoadedFacts::with_room_for(commands)
    }
}

/// Whether it asks for free seats, or for units, on behalf of somebody who has never had an order there, or is
/// a lock of seats that memory knows. Adds what there is to know.
fn is_known(request: &Request, views: &BatchViews, facts: &mut LoadedFacts) -> bool {
    match &request.command {
        Command::LockSeats(lock) => is_known_lock(lock, views, facts),
        Command::Hold(hold) => {
            is_first_hold(request, views)
                && hold.seats.iter().all(|seat| views.knows_free(hold.performance, *seat))
        }
        _ => is_first_hold(request, views),
    }
}

/// Whether memory knows all claims on the seats, and at least one changes: one that changes nothing writes
/// nothing that could prove it.
fn is_known_lock(lock: &LockSeats, views: &BatchViews, facts: &mut LoadedFacts) -> bool {
    let mut changes = false;
    for seat in &lock.seats {
        let Some(claim) = views.known_claim(lock.performance, *seat) else { return false };
        changes |= claim.is_none() == lock.lock;
        if let Some(claim) = claim {
            facts.claims.insert((lock.performance, *seat), claim);
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use onsale_domain::{
        decide::{HoldUnits, SetStock},
        ids::{ItemId, OrderId, UserId},
    };
    use uuid::Uuid;

    use super::*;
    use crate::sales::lane::known_absent::tests::{ITEM, views};

    fn request(caller: i64, command: Command) -> Request {
        Request { caller: UserId(caller), key: None, command }
    }

    fn hold(caller: i64, item: ItemId) -> Request {
        request(caller, Command::HoldUnits(HoldUnits { order: OrderId(Uuid::nil()), item, count: 1 }))
    }

    #[test]
    fn strangers_are_decided_on_what_memory_knows() {
        let known = facts([hold(8, ITEM), hold(9, ITEM)].iter(), &views()).expect("memory is enough");
        let item = &known.items[&ITEM];
        assert_eq!((item.version, item.revision, item.stock.left), (5, 3, 9));
    }

    #[test]
    fn one_whom_memory_does_not_know_enough_of_is_enough_to_load() {
        let set = request(1, Command::SetStock(SetStock { item: ITEM, total: 5 }));
        for other in [hold(7, ITEM), hold(8, ItemId(2)), set] {
            let batch = [hold(8, ITEM), other];
            assert!(facts(batch.iter(), &views()).is_none(), "{batch:?}");
        }
    }
}
