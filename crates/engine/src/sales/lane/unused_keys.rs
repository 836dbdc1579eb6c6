//! Idempotency keys that are taken for unused until the write proves it.
//!
//! Nearly every hold of a rush comes with a key that nobody has used, from somebody who has never
//! had an order there. Looking for it costs a look-up at a random place of a large index, to find
//! nothing; and the write, which puts the key into that index, finds it just as well if it is there.
//! Then the batch is decided again with every key looked up. A command that writes no key, for it is
//! refused, has nothing to prove it: its key is looked up before the refusal is believed.
//!
//! Whoever repeats a hold that succeeded has an order there, so a storm of repeated requests is
//! looked up at once and disturbs no batch.

use std::collections::BTreeSet;

use onsale_domain::{
    decide::{Command, FactKeys, Outcome, Refusal, Request},
    ids::UserId,
};

use super::batch_views::BatchViews;

/// Keys that have not been looked up.
#[derive(Debug, Default)]
pub(super) struct UnusedKeys(BTreeSet<(UserId, u128)>);

impl UnusedKeys {
    /// Takes out of `keys` those that are most likely unused.
    pub(super) fn take<'a>(
        keys: &mut FactKeys,
        requests: impl IntoIterator<Item = &'a Request>,
        views: &BatchViews,
    ) -> Self {
        let likely = requests.into_iter().filter(|request| is_first_hold(request, views)).filter_map(key_of);
        Self(likely.filter(|key| keys.keys.remove(key)).collect())
    }

    /// Those that no write will prove to be unused: of requests that were refused.
    pub(super) fn unproven<'a>(
        &self,
        answered: impl IntoIterator<Item = (&'a Request, &'a Result<Outcome, Refusal>)>,
    ) -> Option<FactKeys> {
        let refused = answered.into_iter().filter(|(_, answer)| answer.is_err());
        let keys: BTreeSet<_> =
            refused.filter_map(|(request, _)| key_of(request)).filter(|key| self.0.contains(key)).collect();
        (!keys.is_empty()).then(|| FactKeys { keys, ..FactKeys::default() })
    }
}

fn key_of(request: &Request) -> Option<(UserId, u128)> {
    request.key.as_ref().map(|key| (request.caller, key.id))
}

/// Whether it is a hold of somebody who, for all that memory knows, has never had an order there.
pub(super) fn is_first_hold(request: &Request, views: &BatchViews) -> bool {
    matches!(request.command, Command::Hold(_) | Command::HoldUnits(_))
        && request.command.offer().is_some_and(|offer| views.knows_no_order_of(request.caller, offer))
}
