//! The SQL adapter of the engine's store ports.
//!
//! [`SqlStore`] implements every port of [`onsale_engine::ports`] on one database. This crate is
//! the only place that knows SQL. Migrations and everyday queries are written once for all
//! dialects; the few statements that a rush runs are written by hand, one file per dialect in
//! `hot`, and what else differs between dialects has its one home in `dialect`.

mod accounts;
mod audit;
mod backup;
mod catalogue;
mod connect;
mod currency;
mod damage;
mod deliveries;
mod dialect;
mod entity;
mod error;
mod hot;
mod identities;
mod items;
mod media;
mod migrations;
#[doc(hidden)]
pub mod negative_control;
mod outbox;
mod owners;
mod popularity;
mod replicas;
mod rooms;
mod sales;
mod scratch;
mod terms_history;
mod webhooks;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use onsale_domain::money::Currency;
use onsale_engine::{
    clock::{Clock, SystemClock},
    ports::StoreError,
    vitals::Vitals,
};
use sea_orm::{DatabaseConnection, DatabaseTransaction, TransactionTrait};
use tokio::sync::Notify;

use crate::{
    catalogue::SeatMapCache,
    connect::{Checkpoints, Files, Pools},
    dialect::Dialect,
    error::store_error,
    replicas::Replicas,
};

pub use crate::{
    backup::copy_embedded,
    replicas::{REPLICAS_MAX, check_replica_urls},
    scratch::ScratchDatabase,
};

/// Ids that one statement names; each is a parameter, of which there is a limit.
const IDS_PER_STATEMENT: usize = 1_000;

/// How a database is opened.
#[derive(Clone)]
pub struct StoreOptions {
    /// The currency of all prices and wallets. A database keeps the one that it was begun with.
    pub currency: Currency,
    /// Whether to make the database if there is none.
    pub create: bool,
    /// How many connections read beside those that write.
    pub readers: u32,
    /// How many batches of the sale can be in flight at once, on a database that several
    /// connections write to.
    pub lanes: u32,
    /// How long to wait for a connection, or for a lock that another process holds.
    pub patience: Duration,
    /// The URLs of the database's replicas, which take reads that may be a moment old.
    pub replicas: Vec<String>,
    /// How far behind a replica may be and still be used. Less than a second would leave out
    /// replicas that only wait for the next heartbeat.
    pub replica_lag_max: Duration,
    /// Tells when an organiser has changed something.
    pub clock: Arc<dyn Clock>,
    /// Where what works beside requests is enrolled.
    pub vitals: Vitals,
    /// Notified when this store has written to the outbox, or is about to.
    pub outbox_grows: Arc<Notify>,
}

impl StoreOptions {
    /// The usual options with a currency.
    #[must_use]
    pub fn new(currency: Currency) -> Self {
        Self {
            currency,
            create: true,
            readers: 4,
            lanes: 4,
            patience: Duration::from_secs(5),
            replicas: Vec::new(),
            replica_lag_max: Duration::from_secs(1),
            clock: Arc::new(SystemClock),
            vitals: Vitals::default(),
            outbox_grows: Arc::default(),
        }
    }
}

/// Everything that Onsale keeps, in a SQL database. Cheap to share in an `Arc`.
pub struct SqlStore {
    /// Writes batches of the sale.
    sale: DatabaseConnection,
    writer: DatabaseConnection,
    readers: DatabaseConnection,
    checkpoints: Option<Checkpoints>,
    /// Those of an embedded database.
    files: Option<Arc<Files>>,
    replicas: Replicas,
    dialect: Dialect,
    options: StoreOptions,
    message_bytes_max: usize,
    seat_maps: SeatMapCache,
}

impl SqlStore {
    /// Opens the database at `url` and brings its tables up to date. Warns of a server whose settings
    /// make it lose commits in a crash. `sqlite:PATH` is a file,
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE` and `mysql://...` are servers.
    ///
    /// # Errors
    /// [`StoreError::Rejected`] if the URL is not one this store understands, or that of a replica is
    /// not (see [`check_replica_urls`]),
    /// [`StoreError::Unavailable`] if the database cannot be reached,
    /// [`StoreError::Broken`] if a newer version of Onsale has written it,
    /// [`StoreError::OtherCurrency`] if its money is in another currency.
    pub async fn open(url: &str, options: &StoreOptions) -> Result<Self, StoreError> {
        let dialect = Dialect::of_url(url)?;
        check_replica_urls(url, &options.replicas)?;
        let Pools { sale, writer, readers, embedded } = connect::connect(dialect, url, options).await?;
        connect::warn_of_risks(&writer, dialect).await;
        connect::refuse_other_charsets(&writer, dialect).await?;
        migrations::migrate(&writer, dialect).await?;
        catalogue::refold(&writer, dialect).await?;
        currency::settle(&writer, options.currency).await?;
        let (files, checkpoints) = connect::look_after_files(embedded, options);
        let replicas = Replicas::open(&writer, dialect, options).await?;
        let message_bytes_max = connect::message_bytes_max(&writer, dialect).await;
        let (options, seat_maps) = (options.clone(), SeatMapCache::default());
        Ok(Self {
            sale,
            writer,
            readers,
            checkpoints,
            files,
            replicas,
            dialect,
            options,
            message_bytes_max,
            seat_maps,
        })
    }

    /// The URL of an embedded database in a file.
    ///
    /// # Errors
    /// [`StoreError::Rejected`] if the path is not UTF-8.
    pub fn file_url(path: &Path) -> Result<String, StoreError> {
        connect::file_url(path)
    }

    /// The file that `url` names, if it names one: an embedded database is one, a server's is none.
    ///
    /// # Errors
    /// [`StoreError::Rejected`] if the URL is not one this store understands.
    pub fn file_in(url: &str) -> Result<Option<PathBuf>, StoreError> {
        match Dialect::of_url(url)? {
            Dialect::Sqlite => connect::path_in(url).map(Some),
            Dialect::Postgres | Dialect::MySql => Ok(None),
        }
    }

    /// What the database calls itself, with its version, for people.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub async fn name(&self) -> Result<String, StoreError> {
        Ok(self.dialect.name(&self.dialect.server_version(&self.readers).await?))
    }

    /// Closes all connections once their work is done. On SQLite the log is folded into the
    /// database file.
    ///
    /// # Errors
    /// If a connection cannot be closed.
    pub async fn close(self) -> Result<(), StoreError> {
        self.replicas.close().await?;
        if let Some(checkpoints) = self.checkpoints {
            checkpoints.close().await?;
        }
        self.readers.close().await.map_err(store_error)?;
        self.sale.clone().close().await.map_err(store_error)?;
        self.writer.close().await.map_err(store_error)
    }

    /// Begins a transaction that writes.
    async fn begin_write(&self) -> Result<DatabaseTransaction, StoreError> {
        if let Some(files) = &self.files {
            files.check()?;
        }
        connect::begin_write(&self.writer, self.dialect, &self.options).await
    }

    /// Begins a transaction that reads one state of the database.
    async fn begin_read(&self) -> Result<DatabaseTransaction, StoreError> {
        self.readers.begin_with_options(self.dialect.read_transaction()).await.map_err(store_error)
    }

    /// Reads what everybody may see, on a replica if one can be used.
    async fn read_public<T, F>(&self, work: impl Fn(DatabaseTransaction) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        match self.replicas.read(&work).await {
            Some(found) => Ok(found),
            None => work(self.begin_read().await?).await,
        }
    }
}
