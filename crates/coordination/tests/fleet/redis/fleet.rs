//! Several nodes that look like one: every request goes to the next of them, as behind a proxy.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use onsale_domain::{
    ids::RoomId,
    line::{Pass, RoomChange, RoomDocument, RoomRecord, SaleHealth, Standing, Tick, Ticket},
    time::Timestamp,
};
use onsale_engine::ports::{Admits, Coordination, CoordinationError, Holder, Reach, Visitor};

pub(super) struct Fleet {
    nodes: Vec<Arc<dyn Coordination>>,
    turn: AtomicUsize,
}

impl Fleet {
    pub(super) fn new(nodes: Vec<Arc<dyn Coordination>>) -> Self {
        Self { nodes, turn: AtomicUsize::new(0) }
    }

    fn next(&self) -> &dyn Coordination {
        &*self.nodes[self.turn.fetch_add(1, Ordering::SeqCst) % self.nodes.len()]
    }
}

#[async_trait]
impl Coordination for Fleet {
    fn reach(&self) -> Reach {
        Reach::Fleet
    }

    fn runs(&self, room: RoomId) -> bool {
        self.nodes.iter().any(|node| node.runs(room))
    }

    async fn add_room(
        &self,
        room: RoomId,
        admits: Admits,
        record: RoomRecord,
    ) -> Result<(), CoordinationError> {
        for node in &self.nodes {
            node.add_room(room, admits, record.clone()).await?;
        }
        Ok(())
    }

    async fn join(&self, room: RoomId, visitor: Visitor) -> Result<Ticket, CoordinationError> {
        self.next().join(room, visitor).await
    }

    async fn ask(&self, room: RoomId, holder: Holder) -> Result<Standing, CoordinationError> {
        self.next().ask(room, holder).await
    }

    async fn enter(&self, room: RoomId, holder: Holder) -> Result<Pass, CoordinationError> {
        self.next().enter(room, holder).await
    }

    async fn pass(&self, room: RoomId, holder: Holder) -> Result<Pass, CoordinationError> {
        self.next().pass(room, holder).await
    }

    async fn resume(
        &self,
        room: RoomId,
        holder: Holder,
        until: Timestamp,
    ) -> Result<Pass, CoordinationError> {
        self.next().resume(room, holder, until).await
    }

    async fn extend(
        &self,
        room: RoomId,
        holder: Holder,
        until: Timestamp,
    ) -> Result<Pass, CoordinationError> {
        self.next().extend(room, holder, until).await
    }

    async fn use_up(&self, room: RoomId, holder: Holder) -> Result<(), CoordinationError> {
        self.next().use_up(room, holder).await
    }

    async fn leave(&self, room: RoomId, holder: Holder) -> Result<(), CoordinationError> {
        self.next().leave(room, holder).await
    }

    /// Every node does so by itself.
    async fn advance(&self, room: RoomId) -> Result<Tick, CoordinationError> {
        let mut tick = Tick::default();
        for node in &self.nodes {
            tick.add(node.advance(room).await?);
        }
        Ok(tick)
    }

    async fn observe(&self, room: RoomId, health: SaleHealth) -> Result<(), CoordinationError> {
        self.next().observe(room, health).await
    }

    async fn change(&self, room: RoomId, change: RoomChange) -> Result<RoomDocument, CoordinationError> {
        self.next().change(room, change).await
    }

    async fn document(&self, room: RoomId) -> Result<RoomDocument, CoordinationError> {
        self.next().document(room).await
    }
}
