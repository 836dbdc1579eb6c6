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

use onsale_domain::decide::{Command, Request};

use super::lane::BatchViews;
use crate::ports::{LoadedFacts, LoadedItem};

/// The facts for a batch, if memory knows them all: what is not in them is absent.
pub(super) fn facts<'a>(
    mut requests: impl ExactSizeIterator<Item = &'a Request>,
    views: &BatchViews,
) -> Option<LoadedFacts> {
    // Before anything else is asked of the views: one that moves on meanwhile only makes this version
    // differ from the database's.
    let facts = facts_of_offers(views, requests.len());
    requests.all(|request| is_known(request, views)).then_some(facts)
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

/// Whether it asks for free seats, or for units, on behalf of somebody who has never had an order there.
fn is_known(request: &Request, views: &BatchViews) -> bool {
    let is_stranger = |offer| views.knows_no_order_of(request.caller, offer);
    match &request.command {
        Command::Hold(hold) => {
            is_stranger(hold.performance.into())
                && hold.seats.iter().all(|seat| views.knows_free(hold.performance, *seat))
        }
        Command::HoldUnits(hold) => is_stranger(hold.item.into()),
        _ => false,
    }
}
