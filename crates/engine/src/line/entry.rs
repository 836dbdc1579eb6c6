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

/// After how long a room that did not answer is asked again to extend a pass or to use it up, in
/// milliseconds.
const ASKED_AGAIN_MS: i64 = 500;

/// For how long it is asked to use a pass up, in milliseconds: an hour.
const USED_UP_WITHIN_MS: i64 = 3_600_000;

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
        let admitted = self.admit_to(room, user, token, None).await;
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
            let entry = match self.admit_to(room, Some(shopper.user), shopper.pass, None).await {
                // The room may have been lost before it had written down that the pass lasts as long as
                // what is held.
                Err(EntryRefusal::Over) => {
                    self.admit_to(room, Some(shopper.user), shopper.pass, Some(held_until)).await?
                }
                admitted => admitted?,
            };
            self.extend(&entry, held_until).await?;
            Ok(PayingEntry { entry, _alone: alone })
        };
        paying.await.map(Some).map_err(|reason| EntryError { room, reason })
    }

    /// Lets a pass last as long as a hold does; its new token.
    pub(crate) async fn extend(&self, entry: &Entry, until: Timestamp) -> Result<String, LineError> {
        let Pass { until, .. } = self.serving(entry.room)?.extend(entry.room, entry.holder, until).await?;
        Ok(self.shared.tokens.pass(PassToken { room: entry.room, holder: entry.holder, until }))
    }

    /// As [`WaitingRooms::extend`], until it succeeds, is refused, or does not matter any more.
    pub(crate) async fn extend_in_the_end(&self, entry: &Entry, until: Timestamp) {
        let clock = &self.shared.clock;
        while clock.now() < until {
            clock.sleep_until(clock.now().plus_ms(ASKED_AGAIN_MS)).await;
            match self.extend(entry, until).await {
                Err(LineError::Store(_)) => {}
                _ => return,
            }
        }
    }

    /// Uses a pass up: it has been paid with. If the room does not answer, it is asked again beside.
    pub(crate) async fn use_up(&self, paying: PayingEntry<'_>) {
        let Entry { room, holder } = paying.entry;
        if let Err(error) = self.use_up_now(room, holder).await {
            tracing::debug!(%error, %room, "a pass is not used up yet");
            if matches!(error, LineError::Store(_)) {
                let rooms = self.clone();
                tokio::spawn(async move { rooms.use_up_in_the_end(room, holder).await });
            }
        }
    }

    async fn use_up_now(&self, room: RoomId, holder: Holder) -> Result<(), LineError> {
        Ok(self.serving(room)?.use_up(room, holder).await?)
    }

    /// Until it succeeds or is refused: then it has been done, or the pass has run out, which is as good.
    async fn use_up_in_the_end(&self, room: RoomId, holder: Holder) {
        let clock = &self.shared.clock;
        let until = clock.now().plus_ms(USED_UP_WITHIN_MS);
        while clock.now() < until {
            clock.sleep_until(clock.now().plus_ms(ASKED_AGAIN_MS)).await;
            match self.use_up_now(room, holder).await {
                Err(LineError::Store(_)) => {}
                _ => return,
            }
        }
    }

    /// `extended` is until when a pass lasts whatever its token says.
    async fn admit_to(
        &self,
        room: RoomId,
        user: Option<UserId>,
        token: Option<&str>,
        extended: Option<Timestamp>,
    ) -> Result<Entry, EntryRefusal> {
        let token = token.ok_or(EntryRefusal::NoToken)?;
        let PassToken { mut holder, until, .. } = self.pass_for(room, user, token)?;
        holder.used_by = user;
        // A pass from before a crash is taken back here, and a guest's becomes the buyer's.
        let until = extended.unwrap_or(until);
        self.serving(room)?.resume(room, holder, until).await.map_err(LineError::from)?;
        Ok(Entry { room, holder })
    }

    /// What a token says, if it is a pass of this room and, where somebody has logged in, theirs.
    fn pass_for(&self, room: RoomId, user: Option<UserId>, token: &str) -> Result<PassToken, EntryRefusal> {
        let (tokens, now) = (&self.shared.tokens, self.shared.clock.now());
        let pass = match tokens.read_pass(token, now) {
            Ok(pass) => pass,
            Err(error) => {
                let place = tokens.read_place(token, now);
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
