//! A server with replicas, a store on them, and what is known of its reads.

use std::{sync::Arc, time::Duration};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use onsale_domain::money::Currency;
use onsale_engine::ports::{ReplicaCondition, ReplicaHealth, SaleStore};
use onsale_store::{SqlStore, StoreOptions};
use onsale_testbed::{PostgresReplica, PostgresServer};
use tokio::time::{Instant, sleep};

/// How long something may take that happens by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with an empty database, and its replicas.
pub(crate) struct Cluster {
    pub(crate) server: PostgresServer,
    pub(crate) replicas: Vec<PostgresReplica>,
    pub(crate) database: String,
}

impl Cluster {
    pub(crate) async fn start(replicas: usize) -> Arc<Self> {
        blocking(move || {
            let server = PostgresServer::new();
            let database = server.create_database();
            let replicas: Vec<_> = (0..replicas).map(|_| PostgresReplica::of(&server)).collect();
            for replica in &replicas {
                replica.wait_until_caught_up(&server);
            }
            Arc::new(Self { server, replicas, database })
        })
        .await
    }

    /// Does something to the servers that blocks.
    pub(crate) async fn to<T: Send + 'static>(
        self: &Arc<Self>,
        act: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let cluster = self.clone();
        blocking(move || act(&cluster)).await
    }

    /// A store that has not looked at its replicas yet, and its counters.
    pub(crate) async fn open(&self) -> (SqlStore, Counts) {
        self.open_with(self.options()).await
    }

    /// The options of a store on all replicas.
    pub(crate) fn options(&self) -> StoreOptions {
        let replicas = self.replicas.iter().map(|replica| replica.url(&self.database)).collect();
        StoreOptions { replicas, ..StoreOptions::new(Currency::KRW) }
    }

    /// As [`Cluster::open`], with other options.
    pub(crate) async fn open_with(&self, options: StoreOptions) -> (SqlStore, Counts) {
        let url = self.server.url(&self.database);
        let (store, counts) = Counts::of(Box::pin(SqlStore::open(&url, &options))).await;
        (store.expect("the database opens"), counts)
    }

    /// A store whose replicas are all in use.
    pub(crate) async fn open_in_use(&self) -> (SqlStore, Counts) {
        let (store, counts) = self.open().await;
        in_use(&store).await;
        (store, counts)
    }

    /// The name under which a replica is reported.
    pub(crate) fn name(&self, replica: usize) -> String {
        self.replicas[replica].address().to_string()
    }
}

async fn blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(act).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Waits until all replicas are in use.
pub(crate) async fn in_use(store: &(impl SaleStore + ?Sized)) {
    for replica in 0..store.replicas().len() {
        until(store, replica, "in use", |health| health.condition == ReplicaCondition::Usable).await;
    }
}

/// Waits until a replica is as it should be.
pub(crate) async fn until(
    store: &(impl SaleStore + ?Sized),
    replica: usize,
    what: &str,
    is_so: impl Fn(&ReplicaHealth) -> bool,
) {
    let until = Instant::now() + PATIENCE;
    loop {
        let health = &store.replicas()[replica];
        if is_so(health) {
            return;
        }
        assert!(Instant::now() < until, "the replica is not {what} after a minute: {health:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// What a store's metrics say.
pub(crate) struct Counts(PrometheusHandle);

impl Counts {
    /// Opens a store. It takes its counters on this thread, as it opens.
    pub(crate) async fn of<T>(open: impl Future<Output = T>) -> (T, Self) {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _recording = metrics::set_default_local_recorder(&recorder);
        (open.await, Self(recorder.handle()))
    }

    /// Reads done on a replica.
    pub(crate) fn on_replica(&self, name: &str) -> u64 {
        self.value(&format!("onsale_replica_reads_total{{replica=\"{name}\"}}")) as u64
    }

    /// Reads done on the database that could have been done on a replica.
    pub(crate) fn on_source(&self) -> u64 {
        self.value("onsale_source_reads_total") as u64
    }

    /// Whether a replica is used.
    pub(crate) fn usable(&self, name: &str) -> bool {
        self.value(&format!("onsale_replica_usable{{replica=\"{name}\"}}")) == 1.0
    }

    /// How far a replica is behind, in seconds.
    pub(crate) fn lag_seconds(&self, name: &str) -> f64 {
        self.value(&format!("onsale_replica_lag_seconds{{replica=\"{name}\"}}"))
    }

    fn value(&self, metric: &str) -> f64 {
        let written = self.0.render();
        let line = written.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {metric} in\n{written}")).parse().expect("a metric is a number")
    }
}
