//! What keeps rooms going: a tick ten times a second, and once a second the sale's health, what is
//! new in the database, and what people beside this node have asked for.

use std::collections::HashSet;

use futures_util::future::join_all;
use metrics::gauge;
use onsale_domain::{
    ids::RoomId,
    line::{Phase, RoomDocument, SaleHealth},
};

use super::{Known, LineError, WaitingRooms};
use crate::ports::{AskedChange, Coordination, Reach, StoreError, StoredRoom};

/// How often rooms go on, in milliseconds.
const TICK_MS: i64 = 100;

/// How long it is from one look to the next, in milliseconds, and how many ticks.
const LOOK_MS: i64 = 1_000;
const TICKS_PER_LOOK: u64 = 10;

/// How many looks pass between two tidyings: ten minutes.
const LOOKS_PER_TIDYING: u64 = 600;

/// How long an answered request is kept for whoever asked, in milliseconds.
const ANSWER_KEPT_MS: i64 = 600_000;

impl WaitingRooms {
    /// Keeps rooms going until the task is aborted. `health` tells how the sale fared since it was
    /// called last.
    pub(crate) async fn keep(self, health: impl Fn() -> SaleHealth + Send + 'static) {
        for look in 1_u64.. {
            self.go_on_until_look().await;
            self.observe(health()).await;
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "cannot read the waiting rooms");
            }
            if look.is_multiple_of(LOOKS_PER_TIDYING)
                && let Err(error) = self.tidy().await
            {
                tracing::warn!(%error, "cannot tidy up after the waiting rooms");
            }
        }
    }

    /// Lets rooms go on until it is time to look again. Without rooms there is nothing to do until then.
    async fn go_on_until_look(&self) {
        let clock = &self.shared.clock;
        if self.shared.served.read().is_empty() {
            return clock.sleep(LOOK_MS).await;
        }
        for _ in 0..TICKS_PER_LOOK {
            clock.sleep(TICK_MS).await;
            self.advance().await;
        }
    }

    /// Lets all rooms of this node go on. Done by itself ten times a second.
    pub async fn advance(&self) {
        let Some(rooms) = &self.shared.coordination else { return };
        join_all(self.served().into_iter().map(async |room| {
            match rooms.advance(room).await.map_err(LineError::from) {
                Ok(_) => {}
                Err(LineError::Store(StoreError::Rejected(why))) => {
                    tracing::debug!(%why);
                    self.give_up(room);
                }
                Err(error) => tracing::warn!(%error, %room, "a waiting room does not go on"),
            }
        }))
        .await;
    }

    async fn observe(&self, health: SaleHealth) {
        let Some(rooms) = &self.shared.coordination else { return };
        join_all(self.served().into_iter().map(async |room| {
            // What is not told now is told in a second.
            let _ = rooms.observe(room, health).await;
            if rooms.runs(room)
                && let Ok(document) = rooms.document(room).await
            {
                measure(&document);
            }
        }))
        .await;
    }

    fn served(&self) -> Vec<RoomId> {
        self.shared.served.read().iter().copied().collect()
    }

    /// Learns which rooms there are, runs new ones, and carries out what was asked for. Done by itself
    /// once a second.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn look(&self) -> Result<(), LineError> {
        let stored = self.shared.store.rooms().await?;
        // In front of its performances first, then in operation.
        self.shared.known.store(Known::new(&stored).into());
        let Some(rooms) = &self.shared.coordination else { return Ok(()) };
        for room in &stored {
            match (rooms.reach(), room.run_by) {
                (Reach::Fleet, _) | (Reach::Process, None) => self.run(room, false).await?,
                (Reach::Process, Some(node)) if node != self.shared.node => self.give_up(room.id),
                (Reach::Process, Some(_)) => {}
            }
        }
        for asked in self.shared.store.asked_room_changes().await? {
            self.carry_out(asked).await?;
        }
        Ok(())
    }

    /// Forgets answers that nobody has asked for.
    async fn tidy(&self) -> Result<(), StoreError> {
        if self.shared.coordination.is_none() || self.shared.known.load().rooms.is_empty() {
            return Ok(());
        }
        let before = self.shared.clock.now().plus_ms(-ANSWER_KEPT_MS);
        self.shared.store.prune_room_changes(before).await
    }

    /// Serves all rooms: takes them over from whoever ran them, unless nodes share them. Closed ones
    /// too: their draws stay public, and passes that they have given out hold.
    pub(super) async fn run_all(&self) -> Result<(), LineError> {
        let stored = self.shared.store.rooms().await?;
        self.shared.known.store(Known::new(&stored).into());
        for room in &stored {
            self.run(room, true).await?;
        }
        Ok(())
    }

    /// Serves a room, if this node serves rooms. One that nodes do not share is run here, if no other
    /// node runs it; or is taken `over`.
    pub(super) async fn run(&self, room: &StoredRoom, over: bool) -> Result<(), LineError> {
        let Some(rooms) = &self.shared.coordination else { return Ok(()) };
        let _one_at_a_time = self.shared.taking.lock().await;
        if self.shared.served.read().contains(&room.id) {
            return Ok(());
        }
        let record = match rooms.reach() {
            Reach::Fleet => room.record.clone(),
            Reach::Process => match self.shared.store.run_room(room.id, self.shared.node, over).await? {
                Some(record) => record,
                None => return Ok(()),
            },
        };
        if record.phase != Phase::Closed {
            tracing::info!(room = %room.id, name = %room.name, "serves the waiting room");
        }
        rooms.add_room(room.id, room.admits, record).await?;
        self.shared.served.write().insert(room.id);
        Ok(())
    }

    /// Another node runs the room now. What this one knows of it is old, so it lets nobody in by it.
    fn give_up(&self, room: RoomId) {
        if self.shared.served.write().remove(&room) {
            tracing::error!(%room, "another node has taken over the waiting room; this one answers 503 for it");
        }
    }

    async fn carry_out(&self, asked: AskedChange) -> Result<(), LineError> {
        if !self.coordination()?.runs(asked.room) {
            return Ok(());
        }
        let done = self.coordination()?.change(asked.room, asked.change).await.map_err(LineError::from);
        let refusal = match done {
            Ok(_) => None,
            // It is tried again.
            Err(LineError::Store(error)) => return Err(error.into()),
            Err(error) => Some(error.to_string()),
        };
        Ok(self.shared.store.answer_room_change(asked.number, refusal.as_deref()).await?)
    }

    /// The rooms that this node runs.
    #[must_use]
    pub fn run_here(&self) -> HashSet<RoomId> {
        let rooms = self.shared.coordination.as_deref();
        let served = self.served().into_iter();
        served.filter(|room| rooms.is_some_and(|rooms: &dyn Coordination| rooms.runs(*room))).collect()
    }

    /// Stops serving rooms, and lets other nodes run them.
    pub(crate) async fn retire(&self) {
        self.shared.served.write().clear();
        if let Some(rooms) = &self.shared.coordination {
            rooms.retire().await;
        }
    }
}

/// What a room tells about itself.
fn measure(document: &RoomDocument) {
    let room = document.room.to_string();
    let set = |name: &'static str, value: f64| gauge!(name, "room" => room.clone()).set(value);
    set("onsale_room_waiting", f64::from(document.tail - document.cursor));
    set("onsale_room_inside", f64::from(document.inside));
    set("onsale_room_called", f64::from(document.called));
    set("onsale_room_no_show_percent", f64::from(document.no_show_percent));
    if let Some(rate) = document.admissions_per_second {
        set("onsale_room_admissions_per_second", rate);
    }
    if let Some(error) = document.wait_error_percent {
        set("onsale_room_wait_error_percent", f64::from(error));
    }
}
