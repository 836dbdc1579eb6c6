//! A transaction of the sale on a connection that a lane keeps from one to the next.

use std::sync::{Arc, Mutex, PoisonError};

use onsale_engine::ports::{CommitError, StoreError};
use sea_orm::{DatabaseConnection, DbErr, QueryResult};
use tokio::time::{Instant, sleep};

use super::script::Packed;
use crate::{
    StoreOptions,
    connect::{Files, PAUSE, REPLACED_AT_ONCE, SaleConnection},
    dialect::Dialect,
    error::{commit_error, is_connection_lost, is_read_only, whole_error},
};

/// How many transactions in a row a connection has before it goes back to the pool: where there is only
/// one that writes, others get their turn then.
const TRANSACTIONS_MAX: u32 = 16;

/// Where a lane's connection comes from, and where it stays.
pub(super) struct Connections {
    pool: DatabaseConnection,
    pub(super) dialect: Dialect,
    pub(super) options: StoreOptions,
    pub(super) message_bytes_max: usize,
    files: Option<Arc<Files>>,
    kept: Mutex<Option<Kept>>,
}

/// A connection between two transactions.
struct Kept {
    connection: SaleConnection,
    /// How many transactions it has had.
    had: u32,
    /// The next one has begun with the commit of the last one.
    has_begun: bool,
}

impl Connections {
    pub(super) fn new(
        pool: DatabaseConnection,
        dialect: Dialect,
        options: StoreOptions,
        message_bytes_max: usize,
        files: Option<Arc<Files>>,
    ) -> Arc<Self> {
        Arc::new(Self { pool, dialect, options, message_bytes_max, files, kept: Mutex::default() })
    }

    /// Whether what is written can be found again.
    pub(super) fn check_files(&self) -> Result<(), StoreError> {
        self.files.as_ref().map_or(Ok(()), |files| files.check())
    }

    /// A transaction that nothing has been asked of: its BEGIN shares a trip with what comes first.
    pub(super) async fn begin_later(self: &Arc<Self>) -> Result<UnderWay, DbErr> {
        let kept = match self.keep(None) {
            Some(kept) => kept,
            None => {
                let connection = SaleConnection::acquire(&self.pool, self.dialect).await?;
                Kept { connection, had: 0, has_begun: false }
            }
        };
        let begin = (!kept.has_begun).then(|| self.dialect.begin_write());
        Ok(UnderWay { home: self.clone(), kept: Some(kept), begin, at_commit: None, waits: false })
    }

    /// A transaction that has begun, with these statements if any; how many rows they wrote. A connection
    /// that turns out to be lost is replaced, and a database that is being restarted is waited for:
    /// nothing has been committed yet.
    pub(super) async fn begin_now(self: &Arc<Self>, first: &str) -> Result<(UnderWay, u64), DbErr> {
        let until = Instant::now() + self.options.patience;
        let mut lost = 0;
        loop {
            let mut under_way = self.begin_later().await?;
            match under_way.run(first).await {
                Err(error) if is_connection_lost(&error) && Instant::now() < until => {
                    under_way.is_lost();
                    lost += 1;
                    if lost > REPLACED_AT_ONCE {
                        sleep(PAUSE).await;
                    }
                }
                begun => return begun.map(|written| (under_way, written)),
            }
        }
    }

    /// Gives the connection back to the pool.
    pub(super) fn rest(&self) {
        if let Some(Kept { connection, has_begun: true, .. }) = self.keep(None) {
            connection.roll_back();
        }
    }

    /// Keeps a connection, or none; the one that was kept before.
    fn keep(&self, kept: Option<Kept>) -> Option<Kept> {
        std::mem::replace(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner), kept)
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.rest();
    }
}

/// A transaction of the sale. Unless it is committed, it is undone when it is dropped.
pub(super) struct UnderWay {
    pub(super) home: Arc<Connections>,
    /// None when it is over.
    kept: Option<Kept>,
    /// What has yet to be said for it to begin.
    begin: Option<&'static str>,
    /// What is written with the commit.
    at_commit: Option<Packed>,
    /// An answer is awaited: if it is dropped then, nobody knows how far its connection is.
    waits: bool,
}

impl UnderWay {
    /// Reads; the rows.
    pub(super) async fn query(&mut self, mut packed: Packed) -> Result<Vec<QueryResult>, DbErr> {
        if self.home.dialect.is_embedded() {
            packed.text = self.with_begin(&packed.text);
        }
        self.begin().await?;
        self.waits = true;
        let rows = self.connection().query(&packed.text, packed.batches).await;
        self.has_answered(rows)
    }

    /// Writes; how many rows.
    pub(super) async fn write(&mut self, packed: Packed) -> Result<u64, DbErr> {
        self.begin().await?;
        self.waits = true;
        let written = self.connection().write(&packed.text, packed.batches).await;
        self.has_answered(written)
    }

    /// Has something written by the commit, in one text with it, in a database that is
    /// [embedded](Dialect::is_embedded).
    pub(super) fn writing_at_commit(mut self, packed: Packed) -> Self {
        self.at_commit = Some(packed);
        self
    }

    /// Commits.
    pub(super) async fn commit(mut self) -> Result<(), CommitError> {
        if let Some(Packed { text, batches }) = self.at_commit.take() {
            let text = self.with_begin(&text) + ";COMMIT";
            self.waits = true;
            let committed = self.connection().write(&text, batches).await;
            self.waits = false;
            committed.map_err(whole_error)?;
        } else if self.begin.is_none() {
            let chains = self.chains();
            self.run(if chains { "COMMIT AND CHAIN" } else { "COMMIT" }).await.map_err(commit_error)?;
            self.kept().has_begun = chains;
        }
        self.is_over();
        self.home.options.outbox_grows.notify_one();
        // One that nobody can find again is as good as none.
        self.home.files.as_ref().map_or(Ok(()), |files| files.check_commit())
    }

    /// Whether the next transaction begins with the commit of this one, which saves a trip: where BEGIN cannot
    /// share one, and when there is a next one in all likelihood, for there was one before.
    fn chains(&mut self) -> bool {
        let had = self.kept().had;
        self.home.dialect.begins_alone() && (1..TRANSACTIONS_MAX - 1).contains(&had)
    }

    /// Begins, if that has not been said yet.
    async fn begin(&mut self) -> Result<(), DbErr> {
        if self.begin.is_some() {
            self.run("").await?;
        }
        Ok(())
    }

    /// Carries out statements without parameters, if there are any; how many rows they wrote.
    async fn run(&mut self, text: &str) -> Result<u64, DbErr> {
        let text = self.with_begin(text);
        if text.is_empty() {
            return Ok(0);
        }
        self.waits = true;
        let done = self.connection().run(&text).await;
        self.has_answered(done)
    }

    fn with_begin(&mut self, text: &str) -> String {
        match self.begin.take() {
            None => text.to_owned(),
            Some(begin) if text.is_empty() => begin.to_owned(),
            Some(begin) => format!("{begin};{text}"),
        }
    }

    /// Nothing is awaited any more. A connection to a server that only reads is not used again.
    fn has_answered<T>(&mut self, answer: Result<T, DbErr>) -> Result<T, DbErr> {
        self.waits = answer.as_ref().is_err_and(is_read_only);
        answer
    }

    /// Nothing can be asked of its connection any more.
    fn is_lost(&mut self) {
        self.waits = true;
    }

    fn is_over(&mut self) {
        let next = self.kept.take().map(|kept| Kept { had: kept.had + 1, ..kept });
        self.home.keep(next.filter(|kept| kept.had < TRANSACTIONS_MAX));
    }

    fn kept(&mut self) -> &mut Kept {
        self.kept.as_mut().expect("it is taken only when it is over")
    }

    fn connection(&mut self) -> &mut SaleConnection {
        &mut self.kept().connection
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Some(Kept { mut connection, .. }) = self.kept.take() else { return };
        if self.waits {
            connection.close_on_drop();
        } else if self.begin.is_none() {
            connection.roll_back();
        }
    }
}
