//! Waiting rooms: the use cases of visitors and organisers.
//!
//! A visitor joins and gets a token, asks with it how they stand, and when it is their turn gets
//! another one in its place: the pass, which opens the sale (`entry.rs`). The node that runs a room
//! lets it go on ten times a second (`keeper.rs`).

mod entry;
mod error;
mod journal;
mod keeper;
mod organiser;
mod tokens;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use arc_swap::ArcSwap;
use onsale_domain::{
    ids::{RoomId, UserId},
    line::{
        Pass, Place, Refusal, RoomDocument, RoomSettings, Schedule, Standing, Ticket, WaitRange,
        poll_after_ms,
    },
    offer::Offer,
    time::Timestamp,
};
use parking_lot::RwLock;

use self::{entry::check_owner, error::elsewhere, journal::NodeJournal};
use crate::{
    clock::Clock,
    ids::Ids,
    ports::{Admits, Coordination, Holder, NodeId, RoomJournal, Store, StoreError, StoredRoom, Visitor},
};

pub(crate) use entry::Entry;
pub use entry::Shopper;
pub use error::{EntryError, EntryRefusal, LineError};
pub use organiser::{RoomDetails, RoomEdit};
pub use tokens::{LineKey, LineTokens, PassToken, PlaceToken, TokenError};

/// How long a place's token is accepted, in milliseconds: 30 days. The room forgets earlier whoever
/// does not ask.
const PLACE_MS: i64 = 30 * 86_400_000;

/// How many payments with passes can be told apart at the same time; more may wait for each other.
const PAYING_LOCKS: usize = 1_024;

/// Waiting rooms. Cheap to clone.
#[derive(Clone)]
pub struct WaitingRooms {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    /// None where no rooms are run: in tools, and in tests of other things.
    coordination: Option<Arc<dyn Coordination>>,
    node: NodeId,
    tokens: LineTokens,
    known: ArcSwap<Known>,
    /// The rooms that this node serves.
    served: RwLock<HashSet<RoomId>>,
    /// Held while a room is taken: to add one twice would put its first record back.
    taking: tokio::sync::Mutex<()>,
    paying: Vec<tokio::sync::Mutex<()>>,
}

/// The rooms in the database, as of a moment ago.
#[derive(Default)]
struct Known {
    rooms: BTreeMap<RoomId, KnownRoom>,
    by_offer: HashMap<Offer, RoomId>,
}

struct KnownRoom {
    admits: Admits,
    settings: RoomSettings,
    schedule: Schedule,
}

/// A place in line, and what it is worth now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InLine {
    /// The room.
    pub room: RoomId,
    /// The number, from which the draw follows: see [`onsale_domain::line::Draw::place`].
    pub number: Ticket,
    /// What to show from now on.
    pub token: String,
    /// How it stands.
    pub status: InLineStatus,
    /// After how many milliseconds to ask again.
    pub poll_after_ms: i64,
}

/// See [`InLine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InLineStatus {
    /// The lots are not drawn yet.
    PreQueue,
    /// In line.
    Waiting {
        /// The place.
        place: Place,
        /// How many places are before it.
        ahead: u32,
        /// How long it takes. `None` if nothing is known yet.
        wait: Option<WaitRange>,
    },
    /// The token is a pass, and opens the sale until then.
    Active {
        /// Until when.
        until: Timestamp,
    },
}

impl WaitingRooms {
    /// Rooms over a store. `coordination` makes what keeps them, if they are to be run here: then
    /// all that are in the database are taken over.
    pub(crate) async fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        tokens: LineTokens,
        coordination: Option<impl FnOnce(Arc<dyn RoomJournal>) -> Arc<dyn Coordination>>,
    ) -> Result<Self, LineError> {
        let node = NodeId(rand::random_range(1..=i64::MAX));
        let coordination =
            coordination.map(|make| make(Arc::new(NodeJournal { store: store.clone(), node })));
        let rooms = Self::new(store, clock, ids, tokens, coordination, node);
        rooms.run_all().await?;
        Ok(rooms)
    }

    /// Rooms for tools that work beside the node that runs them: organisers' use cases only.
    #[must_use]
    pub fn beside(store: Arc<dyn Store>, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self::new(store, clock, ids, LineTokens::of(&[], &[]), None, NodeId(0))
    }

    fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        tokens: LineTokens,
        coordination: Option<Arc<dyn Coordination>>,
        node: NodeId,
    ) -> Self {
        let shared = Shared {
            store,
            clock,
            ids,
            coordination,
            node,
            tokens,
            known: ArcSwap::default(),
            served: RwLock::default(),
            taking: tokio::sync::Mutex::default(),
            paying: (0..PAYING_LOCKS).map(|_| tokio::sync::Mutex::default()).collect(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The room in front of a performance or an item. `None`: its sale is open to all.
    #[must_use]
    pub fn room_of(&self, offer: impl Into<Offer>) -> Option<RoomId> {
        let known = self.shared.known.load();
        if known.by_offer.is_empty() {
            return None;
        }
        known.by_offer.get(&offer.into()).copied()
    }

    /// The place of somebody who shows a token of this room, if it is live. `None`: they have to join.
    ///
    /// # Errors
    /// [`LineError::NoSuchRoom`].
    pub async fn live(
        &self,
        room: RoomId,
        user: Option<UserId>,
        token: Option<&str>,
    ) -> Result<Option<InLine>, LineError> {
        self.with_known(room, |_| ())?;
        let Some(token) = token.filter(|token| self.room_of_token(token) == Some(room)) else {
            return Ok(None);
        };
        Ok(self.ask(token, user).await.ok())
    }

    /// Whether a room lets people join who have not logged in.
    #[must_use]
    pub fn takes_guests(&self, room: RoomId) -> bool {
        self.with_known(room, |known| known.admits == Admits::Anybody).unwrap_or(false)
    }

    /// Gives somebody a place in line. Who has a live one gets it again: an account by itself, a
    /// guest who shows its token. A refused join burns no number.
    ///
    /// # Errors
    /// See [`LineError`].
    pub async fn join(
        &self,
        room: RoomId,
        user: Option<UserId>,
        token: Option<&str>,
    ) -> Result<InLine, LineError> {
        let admits = self.with_known(room, |known| known.admits)?;
        if let Some(live) = self.live(room, user, token).await? {
            return Ok(live);
        }
        let visitor = match (admits, user) {
            (_, Some(user)) => Visitor::Account(user),
            (Admits::Anybody, None) => Visitor::Guest(self.new_guest()),
            (Admits::Accounts, None) => return Err(LineError::AccountNeeded),
        };
        let ticket = self.serving(room)?.join(room, visitor).await?;
        let holder = Holder::new(ticket, visitor);
        let until = self.shared.clock.now().plus_ms(PLACE_MS);
        let token = self.shared.tokens.place(PlaceToken { room, holder, until });
        self.stand(room, holder, &token).await
    }

    /// Tells the holder of a token how they stand, and remembers that they are there. When it is
    /// their turn they enter, and get a pass in the place of the token.
    ///
    /// # Errors
    /// See [`LineError`].
    pub async fn ask(&self, token: &str, user: Option<UserId>) -> Result<InLine, LineError> {
        let tokens = &self.shared.tokens;
        let now = self.shared.clock.now();
        match tokens.read_place_and_key(token, now) {
            Ok((PlaceToken { room, holder, .. }, false)) => {
                check_owner(holder, user)?;
                self.stand(room, holder, token).await
            }
            // What a former key signed is replaced, so that a place lives longer than its key.
            Ok((place @ PlaceToken { room, holder, .. }, true)) => {
                check_owner(holder, user)?;
                self.stand(room, holder, &tokens.place(place)).await
            }
            Err(TokenError::NotOurs) => {
                let PassToken { room, holder, until } = tokens.read_pass(token, now)?;
                check_owner(holder, user)?;
                let pass = self.serving(room)?.resume(room, holder, until).await?;
                Ok(self.active(room, holder, pass))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Gives up a place or a pass. Who does so twice is not refused.
    ///
    /// # Errors
    /// See [`LineError`].
    pub async fn leave(&self, token: &str, user: Option<UserId>) -> Result<(), LineError> {
        let tokens = &self.shared.tokens;
        let now = self.shared.clock.now();
        let place = tokens.read_place(token, now);
        let place = place.map(|PlaceToken { room, holder, .. }| (room, holder));
        let (room, holder) = match place {
            Err(TokenError::NotOurs) => {
                tokens.read_pass(token, now).map(|PassToken { room, holder, .. }| (room, holder))?
            }
            place => place?,
        };
        check_owner(holder, user)?;
        match self.serving(room)?.leave(room, holder).await.map_err(LineError::from) {
            Err(LineError::Refused(Refusal::Over)) => Ok(()),
            done => done,
        }
    }

    /// What everybody may know of a room.
    ///
    /// # Errors
    /// See [`LineError`].
    pub async fn document(&self, room: RoomId) -> Result<RoomDocument, LineError> {
        self.with_known(room, |_| ())?;
        Ok(self.serving(room)?.document(room).await?)
    }

    async fn stand(&self, room: RoomId, holder: Holder, token: &str) -> Result<InLine, LineError> {
        let rooms = self.serving(room)?;
        let status = match rooms.ask(room, holder).await? {
            Standing::PreQueue => InLineStatus::PreQueue,
            Standing::Waiting { place, ahead, wait } => InLineStatus::Waiting { place, ahead, wait },
            Standing::Called { .. } | Standing::Inside(_) => {
                let pass = rooms.enter(room, holder).await?;
                return Ok(self.active(room, holder, pass));
            }
            Standing::Over => return Err(Refusal::Over.into()),
        };
        let poll_after_ms = self.poll_after_ms(room, &status)?;
        Ok(InLine { room, number: holder.ticket, token: token.to_owned(), status, poll_after_ms })
    }

    fn active(&self, room: RoomId, holder: Holder, Pass { until, .. }: Pass) -> InLine {
        let token = self.shared.tokens.pass(PassToken { room, holder, until });
        // There is nothing to wait for; whoever asks learns that the pass is still good.
        let poll_after_ms = until.since_ms(self.shared.clock.now()).max(0);
        InLine { room, number: holder.ticket, token, status: InLineStatus::Active { until }, poll_after_ms }
    }

    fn poll_after_ms(&self, room: RoomId, status: &InLineStatus) -> Result<i64, LineError> {
        self.with_known(room, |known| {
            let opens_in = || known.schedule.opens_at.map(|at| at.since_ms(self.shared.clock.now()));
            let wait_ms = match status {
                InLineStatus::PreQueue => opens_in(),
                InLineStatus::Waiting { wait, .. } => wait.map(|wait| wait.expected_ms),
                InLineStatus::Active { .. } => None,
            };
            poll_after_ms(known.settings.poll, wait_ms, rand::random())
        })
    }

    fn room_of_token(&self, token: &str) -> Option<RoomId> {
        let (tokens, now) = (&self.shared.tokens, self.shared.clock.now());
        let place = tokens.read_place(token, now).map(|place| place.room);
        place.or_else(|_| tokens.read_pass(token, now).map(|pass| pass.room)).ok()
    }

    /// A guest's secret.
    fn new_guest(&self) -> u128 {
        u128::from_be_bytes(*self.shared.ids.secret().first_chunk().expect("32 bytes have a first 16"))
    }

    fn with_known<T>(&self, room: RoomId, read: impl FnOnce(&KnownRoom) -> T) -> Result<T, LineError> {
        self.shared.known.load().rooms.get(&room).map(read).ok_or(LineError::NoSuchRoom(room))
    }

    fn coordination(&self) -> Result<&dyn Coordination, LineError> {
        let rooms = self.shared.coordination.as_deref();
        rooms.ok_or_else(|| StoreError::Unavailable("this node runs no waiting rooms".to_owned()).into())
    }

    /// What keeps a room that this node serves.
    fn serving(&self, room: RoomId) -> Result<&dyn Coordination, LineError> {
        self.with_known(room, |_| ())?;
        if self.shared.served.read().contains(&room) {
            return self.coordination();
        }
        Err(elsewhere(room).into())
    }

    fn paying_lock(&self, holder: &Holder) -> &tokio::sync::Mutex<()> {
        &self.shared.paying[holder.ticket.0 as usize % PAYING_LOCKS]
    }
}

impl Known {
    fn new(stored: &[StoredRoom]) -> Self {
        let mut known = Self::default();
        for room in stored {
            let &StoredRoom { id, admits, .. } = room;
            let (settings, schedule) = (room.record.settings, room.record.schedule);
            known.rooms.insert(id, KnownRoom { admits, settings, schedule });
            known.by_offer.extend(room.offers.iter().map(|offer| (*offer, id)));
        }
        known
    }
}
