//! Who works through events, and the log of the local transport.

use async_trait::async_trait;
use onsale_domain::time::Timestamp;
use onsale_engine::ports::{EventLogStore, EventTask, LogEntry, LoggedEvent, NodeId, StoreError};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use crate::{
    SqlStore,
    entity::{event_log, event_task},
    error::{broken, store_error},
    sales::Batch,
};

/// The task whose row whoever appends to the log locks first: so positions become visible in their
/// order, which the database's own counting does not see to.
const APPEND: &str = "append";

/// The position of tasks that do not read the log.
const NO_READER: i64 = i64::MAX;

#[async_trait]
impl EventLogStore for SqlStore {
    async fn event_task(&self, task: &str, now: Timestamp) -> Result<EventTask, StoreError> {
        if let Some(model) = find(&self.readers, task).await? {
            return Ok(from_model(&model));
        }
        add(&self.writer, task, 0, now).await?;
        let model = find(&self.writer, task).await?;
        model.as_ref().map(from_model).ok_or_else(|| broken(format!("the task `{task}` was not added")))
    }

    async fn take_event_task(
        &self,
        task: &str,
        node: NodeId,
        seen: EventTask,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        use event_task::Column;
        let taken = event_task::Entity::update_many()
            .col_expr(Column::Node, Expr::val(node.0))
            .col_expr(Column::Beat, Expr::val(seen.beat + 1))
            .col_expr(Column::KeptAt, Expr::val(now.0))
            .filter(Column::Task.eq(task))
            .filter(Column::Beat.eq(seen.beat))
            .filter(Column::Node.eq(seen.node.map_or(0, |node| node.0)))
            .exec(&self.writer)
            .await
            .map_err(store_error)?;
        Ok(taken.rows_affected == 1)
    }

    async fn keep_event_task(
        &self,
        task: &str,
        node: NodeId,
        position: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        use event_task::Column;
        let kept = event_task::Entity::update_many()
            .col_expr(Column::Beat, Expr::col(Column::Beat).add(1))
            .col_expr(Column::Position, Expr::val(position))
            .col_expr(Column::KeptAt, Expr::val(now.0))
            .filter(Column::Task.eq(task))
            .filter(Column::Node.eq(node.0))
            .exec(&self.writer)
            .await
            .map_err(store_error)?;
        Ok(kept.rows_affected == 1)
    }

    fn has_other_nodes(&self) -> bool {
        self.dialect.has_row_locks()
    }

    async fn leave_event_task(&self, task: &str, node: NodeId) -> Result<(), StoreError> {
        use event_task::Column;
        event_task::Entity::update_many()
            .col_expr(Column::Node, Expr::val(0))
            .filter(Column::Task.eq(task))
            .filter(Column::Node.eq(node.0))
            .exec(&self.writer)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn append_events(&self, events: &[LogEntry]) -> Result<(), StoreError> {
        let Some(last) = events.last() else { return Ok(()) };
        let hot = self.dialect.hot();
        let write = self.begin_write().await?;
        lock_append(&write, last.at).await?;
        let batch = Batch::rows(hot.encoding, events, |row, entry| {
            row.json(|text| text.push_str(&entry.text));
            row.integer(entry.at.0);
        });
        let insert = self.dialect.statement(hot.insert_log, batch.into_values());
        write.execute_raw(insert).await.map_err(store_error)?;
        write.commit().await.map_err(store_error)
    }

    async fn logged_events(&self, after: i64, limit: usize) -> Result<Vec<LoggedEvent>, StoreError> {
        let models = event_log::Entity::find()
            .filter(event_log::Column::Position.gt(after))
            .order_by_asc(event_log::Column::Position)
            .limit(limit as u64)
            .all(&self.readers)
            .await
            .map_err(store_error)?;
        let logged = |model: event_log::Model| LoggedEvent { position: model.position, text: model.event };
        Ok(models.into_iter().map(logged).collect())
    }

    async fn prune_events(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        use event_log::Column;
        event_task::Entity::delete_many()
            .filter(event_task::Column::KeptAt.lt(before.0))
            .exec(&self.writer)
            .await
            .map_err(store_error)?;
        // The first that not every task has passed; what is before it may go.
        let passed: Option<Option<i64>> = event_task::Entity::find()
            .select_only()
            .column_as(event_task::Column::Position.min(), "passed")
            .into_tuple()
            .one(&self.writer)
            .await
            .map_err(store_error)?;
        let passed = passed.flatten().unwrap_or(NO_READER);
        let oldest: Vec<i64> = event_log::Entity::find()
            .select_only()
            .column(Column::Position)
            .filter(Column::Position.lte(passed))
            .order_by_asc(Column::Position)
            .limit(limit as u64)
            .into_tuple()
            .all(&self.readers)
            .await
            .map_err(store_error)?;
        let Some(last) = oldest.last() else { return Ok(0) };
        let deleted = event_log::Entity::delete_many()
            .filter(Column::Position.lte(*last))
            .exec(&self.writer)
            .await
            .map_err(store_error)?;
        usize::try_from(deleted.rows_affected).map_err(broken)
    }

    async fn log_end(&self) -> Result<i64, StoreError> {
        let last: Option<i64> = event_log::Entity::find()
            .select_only()
            .column(event_log::Column::Position)
            .order_by_desc(event_log::Column::Position)
            .into_tuple()
            .one(&self.readers)
            .await
            .map_err(store_error)?;
        Ok(last.unwrap_or(0))
    }
}

/// Makes others who append wait until this transaction has ended.
async fn lock_append(write: &impl ConnectionTrait, now: Timestamp) -> Result<(), StoreError> {
    use event_task::Column;
    let lock = || {
        event_task::Entity::update_many()
            .col_expr(Column::Beat, Expr::col(Column::Beat).add(1))
            .col_expr(Column::KeptAt, Expr::val(NO_READER))
            .filter(Column::Task.eq(APPEND))
            .exec(write)
    };
    if lock().await.map_err(store_error)?.rows_affected == 0 {
        add(write, APPEND, NO_READER, now).await?;
        lock().await.map_err(store_error)?;
    }
    Ok(())
}

async fn find(
    connection: &impl ConnectionTrait,
    task: &str,
) -> Result<Option<event_task::Model>, StoreError> {
    event_task::Entity::find_by_id(task.to_owned()).one(connection).await.map_err(store_error)
}

/// Adds a task, unless another node was faster.
async fn add(
    connection: &impl ConnectionTrait,
    task: &str,
    position: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = event_task::ActiveModel {
        task: Set(task.to_owned()),
        node: Set(0),
        beat: Set(0),
        position: Set(position),
        kept_at: Set(now.0),
    };
    event_task::Entity::insert(row)
        .on_conflict(
            OnConflict::column(event_task::Column::Task).do_nothing_on([event_task::Column::Task]).to_owned(),
        )
        .exec_without_returning(connection)
        .await
        .map_err(store_error)?;
    Ok(())
}

fn from_model(model: &event_task::Model) -> EventTask {
    EventTask {
        node: (model.node != 0).then_some(NodeId(model.node)),
        beat: model.beat,
        position: model.position,
    }
}
