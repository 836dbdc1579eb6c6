//! Rooms in the process.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use onsale_domain::{
    ids::RoomId,
    line::{Pass, RoomChange, RoomDocument, RoomRecord, SaleHealth, Standing, Tick, Ticket},
    time::Timestamp,
};
use onsale_engine::{
    clock::Clock,
    ports::{Admits, Coordination, CoordinationError, Holder, Reach, RoomJournal, Visitor},
};
use parking_lot::RwLock;

use crate::room::{LocalRoom, read_log};

/// The coordination of a single node.
pub struct LocalCoordination {
    rooms: RwLock<HashMap<RoomId, Arc<LocalRoom>>>,
    journal: Arc<dyn RoomJournal>,
    clock: Arc<dyn Clock>,
}

impl LocalCoordination {
    /// Without rooms; these write their records to `journal`.
    #[must_use]
    pub fn new(journal: Arc<dyn RoomJournal>, clock: Arc<dyn Clock>) -> Self {
        Self { rooms: RwLock::default(), journal, clock }
    }

    fn room(&self, room: RoomId) -> Result<Arc<LocalRoom>, CoordinationError> {
        self.rooms.read().get(&room).cloned().ok_or(CoordinationError::NoSuchRoom(room))
    }
}

#[async_trait]
impl Coordination for LocalCoordination {
    fn reach(&self) -> Reach {
        Reach::Process
    }

    fn runs(&self, room: RoomId) -> bool {
        self.rooms.read().contains_key(&room)
    }

    async fn add_room(
        &self,
        room: RoomId,
        admits: Admits,
        record: RoomRecord,
    ) -> Result<(), CoordinationError> {
        // Also a record that was just read: writing it shows that the journal takes it.
        self.journal.record(room, &record).await?;
        let log = read_log(&*self.journal, room, self.clock.now()).await?;
        let mut rooms = self.rooms.write();
        if rooms.contains_key(&room) {
            return Err(CoordinationError::RoomExists(room));
        }
        let added = LocalRoom::new(room, admits, record, log, None, self.journal.clone(), self.clock.clone());
        rooms.insert(room, Arc::new(added));
        Ok(())
    }

    async fn join(&self, room: RoomId, visitor: Visitor) -> Result<Ticket, CoordinationError> {
        self.room(room)?.join(visitor).await
    }

    async fn ask(&self, room: RoomId, holder: Holder) -> Result<Standing, CoordinationError> {
        self.room(room)?.with(holder, |room, now| room.ask(holder.ticket, now))
    }

    async fn enter(&self, room: RoomId, holder: Holder) -> Result<Pass, CoordinationError> {
        self.room(room)?.enter(holder).await
    }

    async fn pass(&self, room: RoomId, holder: Holder) -> Result<Pass, CoordinationError> {
        self.room(room)?.with(holder, |room, now| room.pass(holder.ticket, now))
    }

    async fn resume(
        &self,
        room: RoomId,
        holder: Holder,
        until: Timestamp,
    ) -> Result<Pass, CoordinationError> {
        self.room(room)?.resume(holder, until).await
    }

    async fn extend(
        &self,
        room: RoomId,
        holder: Holder,
        until: Timestamp,
    ) -> Result<Pass, CoordinationError> {
        self.room(room)?.with(holder, |room, now| room.extend(holder.ticket, until, now))
    }

    async fn use_up(&self, room: RoomId, holder: Holder) -> Result<(), CoordinationError> {
        self.room(room)?.use_up(holder).await
    }

    async fn leave(&self, room: RoomId, holder: Holder) -> Result<(), CoordinationError> {
        self.room(room)?.leave(holder).await
    }

    async fn advance(&self, room: RoomId) -> Result<Tick, CoordinationError> {
        self.room(room)?.advance().await
    }

    async fn observe(&self, room: RoomId, health: SaleHealth) -> Result<(), CoordinationError> {
        self.room(room)?.with_room(|room| room.observe(health));
        Ok(())
    }

    async fn change(&self, room: RoomId, change: RoomChange) -> Result<RoomDocument, CoordinationError> {
        let room = self.room(room)?;
        room.write(|room, now| room.changed(change, now).map(Some)).await?;
        Ok(room.document())
    }

    async fn document(&self, room: RoomId) -> Result<RoomDocument, CoordinationError> {
        Ok(self.room(room)?.document())
    }

    async fn retire(&self) {
        let rooms: Vec<_> = self.rooms.read().iter().map(|(id, room)| (*id, room.clone())).collect();
        for (id, room) in rooms {
            if let Err(error) = room.log_all().await {
                tracing::debug!(%error, room = %id, "the log of a waiting room lacks its last moment");
            }
        }
    }
}
