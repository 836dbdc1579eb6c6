//! What one lane writes through.

use async_trait::async_trait;
use onsale_domain::decide::Changes;
use onsale_engine::ports::{CommitError, Guard, SaleTransaction, SaleWriter, StoreError};
use sea_orm::{DatabaseConnection, DbErr};
use tokio::time::{Instant, sleep};

use super::{
    SqlSaleTransaction,
    script::{Packed, Script, all_written},
    write,
};
use crate::{
    StoreOptions,
    connect::{PAUSE, REPLACED_AT_ONCE, SaleConnection},
    dialect::Dialect,
    error::{commit_error, is_connection_lost, store_error, transaction_error, whole_error},
};

/// How many batches in a row one connection writes before it goes back to the pool: where there is only
/// one that writes, others get their turn then.
const BATCHES_MAX: u32 = 16;

/// A lane's way to a SQL database.
pub(super) struct SqlSaleWriter {
    pub(super) sale: DatabaseConnection,
    pub(super) dialect: Dialect,
    pub(super) options: StoreOptions,
    /// A connection, and how many batches it has written.
    pub(super) kept: Option<(SaleConnection, u32)>,
}

#[async_trait]
impl SaleWriter for SqlSaleWriter {
    async fn begin(&mut self, guard: Guard) -> Result<Box<dyn SaleTransaction>, StoreError> {
        // Where there is only one that writes, it is needed now.
        self.rest();
        Ok(Box::new(SqlSaleTransaction::begin(&self.sale, self.dialect, &self.options, guard).await?))
    }

    async fn write(&mut self, guard: Guard, changes: &Changes) -> Result<(), CommitError> {
        let script = write::script(self.dialect, guard, self.options.currency, changes);
        if self.dialect.commits_with_last_write() {
            self.write_whole(script).await
        } else {
            self.write_and_commit(script).await
        }
    }

    fn rest(&mut self) {
        self.kept = None;
    }
}

impl SqlSaleWriter {
    /// Everything from BEGIN to COMMIT in one text. What is not to be committed stops it.
    async fn write_whole(&mut self, script: Script) -> Result<(), CommitError> {
        let mut under_way = self.take().await.map_err(not_committed)?;
        let begin = self.dialect.begin_write();
        for Packed { text, batches } in script.pack_writes() {
            let written = under_way.connection().write(&format!("{begin};{text};COMMIT"), batches).await;
            if let Err(error) = written {
                under_way.undo().await;
                return Err(whole_error(error));
            }
        }
        self.keep(under_way);
        Ok(())
    }

    async fn write_and_commit(&mut self, script: Script) -> Result<(), CommitError> {
        let rows = script.rows();
        let mut parts = script.pack_writes().into_iter();
        let first = match parts.as_slice() {
            // What has no parameters can share a trip with BEGIN.
            [part, ..] if part.batches.is_empty() => parts.next().map(|part| part.text),
            _ => None,
        };
        let begin = self.dialect.begin_write();
        let first = first.map_or(begin.to_owned(), |text| format!("{begin};{text}"));
        let (mut under_way, mut written) = self.begun_with(&first).await?;
        let done = async {
            for Packed { text, batches } in parts {
                written += under_way.connection().write(&text, batches).await.map_err(transaction_error)?;
            }
            all_written(rows, written)
        };
        if let Err(error) = done.await {
            under_way.undo().await;
            return Err(CommitError::NotCommitted(error));
        }
        under_way.connection().run("COMMIT").await.map_err(commit_error)?;
        self.keep(under_way);
        Ok(())
    }

    /// Carries out the first statements of a transaction. A connection that turns out to be lost is
    /// replaced, and a database that is being restarted is waited for: nothing has been committed yet.
    async fn begun_with(&mut self, first: &str) -> Result<(UnderWay, u64), CommitError> {
        let until = Instant::now() + self.options.patience;
        let mut lost = 0;
        loop {
            let mut under_way = self.take().await.map_err(not_committed)?;
            match under_way.connection().run(first).await {
                Ok(written) => return Ok((under_way, written)),
                Err(error) if is_connection_lost(&error) && Instant::now() < until => {
                    lost += 1;
                    if lost > REPLACED_AT_ONCE {
                        sleep(PAUSE).await;
                    }
                }
                Err(error) => {
                    under_way.undo().await;
                    return Err(CommitError::NotCommitted(transaction_error(error)));
                }
            }
        }
    }

    async fn take(&mut self) -> Result<UnderWay, DbErr> {
        Ok(UnderWay(Some(match self.kept.take() {
            Some(kept) => kept,
            None => (SaleConnection::acquire(&self.sale, self.dialect).await?, 0),
        })))
    }

    fn keep(&mut self, mut under_way: UnderWay) {
        let done = under_way.0.take().map(|(connection, batches)| (connection, batches + 1));
        self.kept = done.filter(|(_, batches)| *batches < BATCHES_MAX);
    }
}

/// A connection with a transaction that is neither committed nor undone. If it is dropped like that, the
/// connection ends, and with it the transaction.
struct UnderWay(Option<(SaleConnection, u32)>);

impl UnderWay {
    fn connection(&mut self) -> &mut SaleConnection {
        &mut self.0.as_mut().expect("it is only taken when it is over").0
    }

    /// Undoes the transaction and gives the connection back, or ends both.
    async fn undo(mut self) {
        if self.connection().run("ROLLBACK").await.is_ok() {
            self.0 = None;
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some((connection, _)) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

fn not_committed(error: DbErr) -> CommitError {
    CommitError::NotCommitted(store_error(error).into())
}
