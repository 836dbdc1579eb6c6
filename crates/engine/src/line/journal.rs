//! Where the rooms of this node write their records.

use std::sync::Arc;

use async_trait::async_trait;
use onsale_domain::{ids::RoomId, line::RoomRecord};

use crate::ports::{NodeId, RoomJournal, RoomStore, StoreError};

/// Writes records as one node: what another node has taken over is refused.
pub(super) struct NodeJournal {
    pub(super) store: Arc<dyn RoomStore>,
    pub(super) node: NodeId,
}

#[async_trait]
impl RoomJournal for NodeJournal {
    async fn take(&self, room: RoomId) -> Result<RoomRecord, StoreError> {
        let record = self.store.run_room(room, self.node, true).await?;
        record.ok_or(StoreError::Missing("waiting room"))
    }

    async fn record(&self, room: RoomId, record: &RoomRecord) -> Result<(), StoreError> {
        self.store.record_room(room, self.node, record).await
    }

    async fn append(&self, room: RoomId, rows: Vec<Vec<u8>>) -> Result<(), StoreError> {
        self.store.append_room_log(room, self.node, rows).await
    }

    async fn log(&self, room: RoomId, after: i64) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        self.store.room_log(room, after).await
    }
}
