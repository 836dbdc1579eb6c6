//! The heartbeat: one row in the database whose number every node raises. The number that a
//! replica shows tells which of this node's moments it has replayed.
//!
//! A node notes its clock before it raises the number. Whatever had been committed by then stands
//! before the raise in the database's log, so a replica that shows the raised number shows that,
//! too. No two machines' clocks are compared, and it works on every database whose replicas commit
//! in the order of the original.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use onsale_engine::ports::StoreError;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};
use tokio::time::Instant;

use crate::{StoreOptions, connect, dialect::Dialect, entity::replica_heartbeat, error::store_error};

/// How often a node raises the number, and asks each replica for it.
pub(super) const PERIOD: Duration = Duration::from_millis(250);

/// Beats that are remembered: a quarter of an hour. A replica further behind than that is as far
/// behind as it was last seen to be, and more by every moment since.
const BEATS_MAX: usize = 3_600;

const ROW: i64 = 1;

/// The beats of this node: number, and the moment before.
#[derive(Default)]
pub(super) struct Beats {
    own: Mutex<VecDeque<(i64, Instant)>>,
}

impl Beats {
    pub(super) fn add(&self, beat: i64, before: Instant) {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if own.back().is_some_and(|(last, _)| *last >= beat) {
            // The database has been put back to an older state: what these were is lost.
            own.clear();
        }
        if own.len() == BEATS_MAX {
            own.pop_front();
        }
        own.push_back((beat, before));
    }

    /// The moment as of which a state with this beat is complete.
    pub(super) fn complete_as_of(&self, beat: i64) -> Option<Instant> {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let later = own.partition_point(|(number, _)| *number <= beat);
        later.checked_sub(1).map(|last| own[last].1)
    }

    pub(super) fn last(&self) -> Option<(i64, Instant)> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).back().copied()
    }
}

/// Raises the number; returns it, and a moment before.
pub(super) async fn beat(
    writer: &DatabaseConnection,
    dialect: Dialect,
    options: &StoreOptions,
) -> Result<(i64, Instant), StoreError> {
    let write = connect::begin_write(writer, dialect, options).await?;
    let before = Instant::now();
    let raised = replica_heartbeat::Entity::update_many()
        .col_expr(replica_heartbeat::Column::Beat, Expr::col(replica_heartbeat::Column::Beat).add(1))
        .filter(replica_heartbeat::Column::Id.eq(ROW))
        .exec(&write)
        .await
        .map_err(store_error)?;
    if raised.rows_affected == 0 {
        // If another node does so at the same moment, one of the two fails, and beats next time.
        let first = replica_heartbeat::ActiveModel { id: Set(ROW), beat: Set(1) };
        replica_heartbeat::Entity::insert(first).exec_without_returning(&write).await.map_err(store_error)?;
    }
    let beat = shown(&write).await?;
    write.commit().await.map_err(store_error)?;
    Ok((beat, before))
}

/// The number in the state that a connection shows; 0 if there has been no beat.
pub(super) async fn shown(read: &impl ConnectionTrait) -> Result<i64, StoreError> {
    let row = replica_heartbeat::Entity::find_by_id(ROW).one(read).await.map_err(store_error)?;
    Ok(row.map_or(0, |row| row.beat))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_complete_as_of_our_last_beat_in_it() {
        let beats = Beats::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(beats.complete_as_of(7), None, "we have not begun");
        beats.add(5, at(0));
        beats.add(8, at(250));
        assert_eq!(beats.complete_as_of(4), None, "before our time");
        assert_eq!(beats.complete_as_of(5), Some(at(0)));
        assert_eq!(beats.complete_as_of(7), Some(at(0)), "6 and 7 are another node's");
        assert_eq!(beats.complete_as_of(8), Some(at(250)));
        assert_eq!(beats.complete_as_of(99), Some(at(250)));

        beats.add(6, at(500));
        assert_eq!(beats.complete_as_of(5), None, "the database lost what it had");
        assert_eq!(beats.complete_as_of(6), Some(at(500)));
        for beat in 7..10_000 {
            beats.add(beat, at(500));
        }
        assert_eq!(beats.own.lock().unwrap().len(), BEATS_MAX);
        assert_eq!(beats.complete_as_of(6), None, "forgotten");
    }
}
