//! The door between a room and its sale.
//!
//! The sale asks here by itself, whoever calls it: without a [`Shopper`] that shows a pass, a
//! guarded performance shows no seats, holds none and takes no payment, and a guarded item takes no
//! order and no payment. So a new surface that knows nothing of rooms is refused rather than forgotten.

use std::net::IpAddr;

use onsale_domain::{
    ids::{RoomId, UserId},
    line::Pass,
    offer::Offer,
    time::Timestamp,
};
use tokio::sync::MutexGuard;

use super::{EntryError, EntryRefusal, LineError, PassToken, TokenError, WaitingRooms};
use crate::ports::{Holder, Visitor};

/// Somebody who buys, and the pass that they show.
#[derive(Clone, Copy, Debug)]
pub struct Shopper<'a> {
    /// The buyer.
    pub user: UserId,
    /// The token of their pass, where a room is in front of the sale.
    pub pass: Option<&'a str>,
    /// The address that they ask from, if that is known: how much may be held unpaid from there is bounded.
    pub from: Option<IpAddr>,
}

/// Somebody without a pass, from nowhere: enough where no room is in front of the sale.
impl From<UserId> for Shopper<'_> {
    fn from(user: UserId) -> Self {
        Self { user, pass: None, from: None }
    }
}

/// Somebody who is inside.
#[derive(Debug)]
pub(crate) struct Entry {
    room: RoomId,
    holder: Holder,
}

/// Somebody who pays. As long as this lives nobody else pays with the same pass.
pub(crate) struct PayingEntry<'a> {
    entry: Entry,
    _alone: MutexGuard<'a, ()>,
}

impl WaitingRooms {
    /// Lets somebody into a sale. `None` if there is no room in front of it.
    pub(crate) async fn admit(
        &self,
        offer: Offer,
        user: Option<UserId>,
        token: Option<&str>,
    ) -> Result<Option<Entry>, EntryError> {
        let Some(room) = self.room_of(offer) else { return Ok(None) };
        let admitted = self.admit_to(room, user, token).await;
        admitted.map(Some).map_err(|reason| EntryError { room, reason })
    }

    /// Lets somebody in to pay for what is held until `held_until`; the pass lasts as long.
    pub(crate) async fn admit_to_pay(
        &self,
        offer: Offer,
        shopper: Shopper<'_>,
        held_until: Timestamp,
    ) -> Result<Option<PayingEntry<'_>>, EntryError> {
        let Some(room) = self.room_of(offer) else { return Ok(None) };
        let paying = async {
            let token = shopper.pass.ok_or(EntryRefusal::NoToken)?;
            let alone = self.paying_lock(&self.pass_for(room, Some(shopper.user), token)?.holder);
            let alone = alone.lock().await;
            let entry = self.admit_to(room, Some(shopper.user), shopper.pass).await?;
            self.extend(&entry, held_until).await?;
            Ok(PayingEntry { entry, _alone: alone })
        };
        paying.await.map(Some).map_err(|reason| EntryError { room, reason })
    }

    /// Lets a pass last as long as a hold does, but no longer than a new one would; its new token.
    pub(crate) async fn extend(&self, entry: &Entry, until: Timestamp) -> Result<String, LineError> {
        let Pass { until, .. } = self.serving(entry.room)?.extend(entry.room, entry.holder, until).await?;
        Ok(self.shared.tokens.pass(PassToken { room: entry.room, holder: entry.holder, until }))
    }

    /// Uses a pass up: it has been paid with.
    pub(crate) async fn use_up(&self, paying: PayingEntry<'_>) {
        let Entry { room, holder } = paying.entry;
        let used = async { Ok::<_, LineError>(self.serving(room)?.use_up(room, holder).await?) };
        if let Err(error) = used.await {
            // It has run out in this moment, which is as good.
            tracing::debug!(%error, %room, "a pass was not used up");
        }
    }

    async fn admit_to(
        &self,
        room: RoomId,
        user: Option<UserId>,
        token: Option<&str>,
    ) -> Result<Entry, EntryRefusal> {
        let token = token.ok_or(EntryRefusal::NoToken)?;
        let PassToken { holder, until, .. } = self.pass_for(room, user, token)?;
        // A pass from before a crash is taken back here.
        self.serving(room)?.resume(room, holder, until).await.map_err(LineError::from)?;
        Ok(Entry { room, holder })
    }

    /// What a token says, if it is a pass of this room and, where somebody has logged in, theirs.
    fn pass_for(&self, room: RoomId, user: Option<UserId>, token: &str) -> Result<PassToken, EntryRefusal> {
        let tokens = &self.shared.tokens;
        let pass = match tokens.read_pass(token) {
            Ok(pass) => pass,
            Err(error) => {
                let place = tokens.read_place(token, self.shared.clock.now());
                let waiting = place.is_ok_and(|place| place.room == room);
                return Err(if waiting { EntryRefusal::NotYourTurn } else { error.into() });
            }
        };
        if pass.room != room {
            return Err(TokenError::OtherRoom.into());
        }
        check_owner(pass.holder, user)?;
        Ok(pass)
    }
}

/// A token is refused to anybody else who has logged in.
pub(super) fn check_owner(holder: Holder, user: Option<UserId>) -> Result<(), TokenError> {
    match (holder.visitor, user) {
        (Visitor::Account(owner), Some(user)) if owner != user => Err(TokenError::OtherVisitor),
        _ => Ok(()),
    }
}
