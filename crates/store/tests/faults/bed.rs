//! A sale whose database can be made to fail.

use std::sync::Arc;

use onsale_contract::sale::stage::{Setup, Stage};
use onsale_domain::{money::Currency, sale::SaleRules};
use onsale_engine::clock::SystemClock;
use onsale_store::{SqlStore, StoreOptions};
use onsale_testbed::{FaultProxy, MariaDbServer, PostgresServer, Protocol, SharedServer};
use tokio::task::spawn_blocking;

/// Where the sale's database is.
#[derive(Clone)]
pub(crate) enum Server {
    Shared(&'static SharedServer, Protocol),
    Postgres(Arc<PostgresServer>),
    MariaDb(Arc<MariaDbServer>),
}

impl Server {
    pub(crate) fn shared_postgres() -> Self {
        Self::Shared(onsale_testbed::postgres(), Protocol::Postgres)
    }

    pub(crate) fn shared_mariadb() -> Self {
        Self::Shared(onsale_testbed::mariadb(), Protocol::MySql)
    }

    pub(crate) async fn own_postgres() -> Self {
        Self::Postgres(Arc::new(blocking(PostgresServer::new).await))
    }

    pub(crate) async fn own_mariadb() -> Self {
        Self::MariaDb(Arc::new(blocking(MariaDbServer::new).await))
    }

    /// The URL of a fresh database.
    async fn database(&self) -> String {
        match self.clone() {
            Self::Shared(server, _) => server.fresh_database().await,
            Self::Postgres(server) => blocking(move || server.url(&server.create_database())).await,
            Self::MariaDb(server) => blocking(move || server.url(&server.create_database())).await,
        }
    }

    async fn proxy(&self) -> FaultProxy {
        match self.clone() {
            Self::Shared(server, protocol) => {
                FaultProxy::start(blocking(|| server.address()).await, protocol).await
            }
            Self::Postgres(server) => FaultProxy::start(server.address(), Protocol::Postgres).await,
            Self::MariaDb(server) => FaultProxy::start(server.address(), Protocol::MySql).await,
        }
    }
}

/// A sale on a database behind a proxy.
pub(crate) struct Bed {
    server: Server,
    pub(crate) proxy: FaultProxy,
    /// Around the proxy.
    url: String,
    pub(crate) stage: Arc<Stage>,
}

impl Bed {
    pub(crate) async fn new(server: Server) -> Self {
        let url = server.database().await;
        let proxy = server.proxy().await;
        let store = Arc::new(open(&proxy.url(&url)).await);
        let setup = Setup {
            rows: 100,
            seats_per_row: 300,
            rules: SaleRules { hold_ms: 3_600_000, ..SaleRules::default() },
            ..Setup::default()
        };
        let stage = Arc::new(Stage::build(store, Arc::new(SystemClock), setup).await);
        Self { server, proxy, url, stage }
    }

    /// Kills the server, and starts it again.
    pub(crate) async fn restart_immediate(&self) {
        match self.server.clone() {
            Server::Shared(..) => panic!("other tests need this server"),
            Server::Postgres(server) => blocking(move || server.restart_immediate()).await,
            Server::MariaDb(server) => blocking(move || server.restart_immediate()).await,
        }
    }

    /// Another store on the same database, which no fault reaches.
    pub(crate) async fn witness(&self) -> SqlStore {
        open(&self.url).await
    }
}

async fn open(url: &str) -> SqlStore {
    SqlStore::open(url, &StoreOptions::new(Currency::KRW)).await.expect("the database opens")
}

pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
