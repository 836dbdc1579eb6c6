//! What keeps rooms going: a tick ten times a second, and once a second the sale's health, what is
//! new in the database, and what people beside this node have asked for.

use std::collections::HashSet;

use metrics::gauge;
use onsale_domain::{
    ids::RoomId,
    line::{Phase, RoomDocument, SaleHealth},
};

use super::{Known, LineError, WaitingRooms};
use crate::ports::{AskedChange, StoreError, StoredRoom};

/// How often rooms go on, in milliseconds.
const TICK_MS: i64 = 100;

/// How many ticks make a second.
const TICKS_PER_LOOK: u64 = 10;

/// How long an answered request is kept for whoever asked, in milliseconds.
const ANSWER_KEPT_MS: i64 = 600_000;

impl WaitingRooms {
    /// Keeps rooms going until the task is aborted. `health` tells how the sale fared since it was
    /// called last.
    pub(crate) async fn keep(self, health: impl Fn() -> SaleHealth + Send + 'static) {
        for tick in 1.. {
            let clock = &self.shared.clock;
            clock.sleep_until(clock.now().plus_ms(TICK_MS)).await;
            self.advance().await;
            if tick % TICKS_PER_LOOK == 0 {
                self.observe(health()).await;
                if let Err(error) = self.look().await {
                    tracing::warn!(%error, "cannot read the waiting rooms");
                }
            }
        }
    }

    /// Lets all rooms of this node go on. Done by itself ten times a second.
    pub async fn advance(&self) {
        let Some(rooms) = &self.shared.coordination else { return };
        let running: Vec<RoomId> = self.shared.running.read().iter().copied().collect();
        for room in running {
            match rooms.advance(room).await.map_err(LineError::from) {
                Ok(_) => {}
                Err(LineError::Store(StoreError::Rejected(why))) => {
                    tracing::debug!(%why);
                    self.give_up(room);
                }
                Err(error) => tracing::warn!(%error, %room, "a waiting room does not go on"),
            }
        }
    }

    async fn observe(&self, health: SaleHealth) {
        let Some(rooms) = &self.shared.coordination else { return };
        let running: Vec<RoomId> = self.shared.running.read().iter().copied().collect();
        for room in running {
            // Only a room that is gone refuses, and then there is nothing to tell.
            let _ = rooms.observe(room, health).await;
            if let Ok(document) = rooms.document(room).await {
                measure(&document);
            }
        }
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
        if self.shared.coordination.is_none() {
            return Ok(());
        }
        for room in &stored {
            match room.run_by {
                None => self.run(room, false).await?,
                Some(node) if node != self.shared.node => self.give_up(room.id),
                Some(_) => {}
            }
        }
        for asked in self.shared.store.asked_room_changes().await? {
            self.carry_out(asked).await?;
        }
        let before = self.shared.clock.now().plus_ms(-ANSWER_KEPT_MS);
        Ok(self.shared.store.prune_room_changes(before).await?)
    }

    /// Takes all rooms over from whoever ran them. Closed ones too: their draws stay public, and
    /// passes that they have given out hold.
    pub(super) async fn run_all(&self) -> Result<(), LineError> {
        let stored = self.shared.store.rooms().await?;
        self.shared.known.store(Known::new(&stored).into());
        for room in &stored {
            self.run(room, true).await?;
        }
        Ok(())
    }

    /// Runs a room, if this node runs rooms and no other one runs this; or takes it `over`.
    pub(super) async fn run(&self, room: &StoredRoom, over: bool) -> Result<(), LineError> {
        let Some(rooms) = &self.shared.coordination else { return Ok(()) };
        let _one_at_a_time = self.shared.taking.lock().await;
        if self.shared.running.read().contains(&room.id) {
            return Ok(());
        }
        let Some(record) = self.shared.store.run_room(room.id, self.shared.node, over).await? else {
            return Ok(());
        };
        if record.phase != Phase::Closed {
            tracing::info!(room = %room.id, name = %room.name, "runs the waiting room");
        }
        rooms.add_room(room.id, room.admits, record).await?;
        self.shared.running.write().insert(room.id);
        Ok(())
    }

    /// Another node runs the room now. What this one knows of it is old, so it lets nobody in by it.
    fn give_up(&self, room: RoomId) {
        if self.shared.running.write().remove(&room) {
            tracing::error!(%room, "another node has taken over the waiting room; this one answers 503 for it");
        }
    }

    async fn carry_out(&self, asked: AskedChange) -> Result<(), LineError> {
        if !self.shared.running.read().contains(&asked.room) {
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
        self.shared.running.read().clone()
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
