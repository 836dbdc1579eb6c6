//! Composition: from configuration to store and engine. The one place that names adapters.

mod outbound;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use onsale_coordination::{
    LocalCache, LocalCoordination, LocalLimiter, RedisBroadcast, RedisCache, RedisCoordination, RedisLimiter,
    RedisLocks, RedisOptions,
};
use onsale_engine::{
    Engine, Settings,
    accounts::Accounts,
    catalogue::Catalogue,
    clock::{Clock as _, SystemClock},
    ids::{Ids as _, RandomIds},
    line::WaitingRooms,
    owners::{OwnerCheck, Owners},
    ports::{Limiter, Locks, MediaFiles, NodeId, SaleStore as _, StoreError},
    sales::SaleSettings,
    vitals::Vitals,
};
use onsale_events::{Consumer, Events, Journal, LocalTransport, Parts, Popularity, Transport};
use onsale_identity::OpenIdProvider;
use onsale_media::MediaFolder;
use onsale_store::{ScratchDatabase, SqlStore, StoreOptions, check_replica_urls, negative_control};

use self::outbound::Outbound;
use crate::{
    config::{Config, EventsUrl},
    data_folder::DataFolder,
    failure::Failure,
    serve_lock::ServeLock,
};

const DATA: &str = "onsale-data";
/// The data folder of `serve --demo`.
pub(crate) const DEMO_DATA: &str = "onsale-data/demo";

/// What every command that touches data works with.
pub(crate) struct Base {
    pub(crate) config: Config,
    pub(crate) folder: DataFolder,
    pub(crate) store: Arc<SqlStore>,
    /// How the parts of this node fare.
    pub(crate) vitals: Vitals,
    /// How Redis is used, by all that use it.
    redis: RedisOptions,
}

/// Opens the database, and brings its tables up to date. It is made if there is none and `create`
/// says so. Replicas are left alone: they are for many readers.
pub(crate) async fn open(config: Config, folder: DataFolder, create: bool) -> Result<Base, Failure> {
    let options = StoreOptions { create, ..store_options(&config) };
    open_with(config, folder, options).await
}

/// Opens the database as [`open`] does, and its replicas.
pub(crate) async fn open_to_serve(config: Config, folder: DataFolder) -> Result<Base, Failure> {
    let replicas = config.database.replicas.expose();
    let options = StoreOptions { replicas, ..store_options(&config) };
    open_with(config, folder, options).await
}

fn store_options(config: &Config) -> StoreOptions {
    StoreOptions {
        readers: config.database.readers,
        lanes: config.database.lanes,
        replica_lag_max: Duration::from_millis(config.database.replica_lag_max_ms),
        ..StoreOptions::new(config.currency())
    }
}

async fn open_with(config: Config, folder: DataFolder, options: StoreOptions) -> Result<Base, Failure> {
    let vitals = options.vitals.clone();
    let url = database_url(&config, &folder)?;
    check_replica_urls(&url, &config.database.replicas.expose())
        .map_err(|error| Failure::Usage(format!("database.replicas: {error}")))?;
    let store = SqlStore::open(&url, &options).await;
    let store = store.map_err(rejected_or("database.url", "cannot open the database"))?;
    let redis = RedisOptions { vitals: vitals.clone(), ..RedisOptions::default() };
    Ok(Base { config, folder, store: Arc::new(store), vitals, redis })
}

/// As for a URL that is not understood, which came from `setting`.
fn rejected_or(setting: &'static str, what: &'static str) -> impl FnOnce(StoreError) -> Failure {
    move |error| match error {
        StoreError::Rejected(reason) => Failure::Usage(format!("{setting}: {reason}")),
        error => Failure::of(what)(error),
    }
}

/// The data folder that the command line or the default names.
pub(crate) fn data_folder(named: Option<&Path>, demo: bool) -> PathBuf {
    // The demo's log-ins are known to everybody: a later `serve` must not find them.
    let default = || PathBuf::from(if demo { DEMO_DATA } else { DATA });
    named.map_or_else(default, Path::to_owned)
}

/// Locks the database if it is in a file, wherever that is.
pub(crate) fn lock_if_embedded(config: &Config, folder: &DataFolder) -> Result<Option<ServeLock>, Failure> {
    let url = database_url(config, folder)?;
    let file = SqlStore::file_in(&url).map_err(rejected_or("database.url", "cannot open the database"))?;
    file.as_deref().map(ServeLock::take).transpose()
}

impl Base {
    /// The whole engine, which sells and runs the waiting rooms.
    pub(crate) async fn engine(&self) -> Result<Arc<Engine>, Failure> {
        let engine = match self.config.coordination.url.expose() {
            "" => self.engine_of_one_node().await?,
            url => self.engine_of_many_nodes(url).await?,
        };
        let engine = engine.with_media(self.media().await?);
        let Some(settings) = self.config.identity_settings() else { return Ok(Arc::new(engine)) };
        Ok(Arc::new(engine.with_identity_provider(self.identity_provider()?, settings)))
    }

    async fn engine_of_one_node(&self) -> Result<Engine, Failure> {
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(RandomIds::default()));
        let settings = self.settings()?;
        let engine = Engine::start_with_rooms(self.store.clone(), clock.clone(), ids, settings, |journal| {
            Arc::new(LocalCoordination::new(journal, clock))
        });
        engine.await.map_err(Failure::of("cannot start"))
    }

    /// What nodes share is in Redis.
    async fn engine_of_many_nodes(&self, url: &str) -> Result<Engine, Failure> {
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(RandomIds::default()));
        let settings = self.settings()?;
        let options = self.redis.clone();
        let not_understood = || rejected_or("coordination.url", "cannot use Redis");
        let cache = RedisCache::start(url, &options, clock.clone()).map_err(not_understood())?;
        let locks = RedisLocks::start(url, &options).map_err(not_understood())?;
        let broadcast = RedisBroadcast::start(url, &options).map_err(not_understood())?;
        let engine = Engine::start_with_rooms(self.store.clone(), clock.clone(), ids, settings, |journal| {
            let rooms = RedisCoordination::start(url, options, journal, clock);
            Arc::new(rooms.expect("the URL was understood a moment ago"))
        });
        let engine = engine.await.map_err(Failure::of("cannot start"))?;
        engine.share(Arc::new(cache), Arc::new(locks));
        engine.tell_changes(Arc::new(broadcast));
        Ok(engine)
    }

    /// What counts how often somebody asks.
    pub(crate) fn limiter(&self) -> Result<Arc<dyn Limiter>, Failure> {
        let url = self.config.coordination.url.expose();
        if url.is_empty() {
            return Ok(Arc::new(LocalLimiter::new(Arc::new(SystemClock))));
        }
        let limiter = RedisLimiter::start(url, &self.redis, Arc::new(SystemClock));
        Ok(Arc::new(limiter.map_err(rejected_or("coordination.url", "cannot use Redis"))?))
    }

    /// Publishes what happens, and brings it to our own consumers.
    pub(crate) async fn events(&self, engine: &Engine, outbound: &Outbound) -> Result<Events, Failure> {
        let node = NodeId(if self.store.is_shared() {
            rand::random_range(1..=i64::MAX)
        } else {
            // The only one there is: after a crash it need not wait for itself.
            1
        });
        let transport: Arc<dyn Transport> = match self.config.events.parsed_url().map_err(Failure::Usage)? {
            EventsUrl::Local => {
                let local = LocalTransport::new(self.store.clone(), Arc::new(SystemClock), node);
                Arc::new(local.among(self.vitals.clone()))
            }
            EventsUrl::Kafka(brokers) => kafka(&self.config, brokers, &self.vitals)?,
        };
        let parts = Parts {
            outbox: self.store.clone(),
            log: self.store.clone(),
            transport,
            clock: Arc::new(SystemClock),
            node,
            source: self.config.events.source.clone(),
            vitals: self.vitals.clone(),
        };
        Ok(Events::start(parts, self.consumers(engine, outbound).await?))
    }

    /// Whoever acts on events.
    async fn consumers(
        &self,
        engine: &Engine,
        outbound: &Outbound,
    ) -> Result<Vec<Arc<dyn Consumer>>, Failure> {
        let mut consumers = outbound.consumers.clone();
        consumers.push(Arc::new(Popularity::new(engine.rankings.clone())));
        if !self.config.events.journal.is_empty() {
            let journal = Journal::open(Path::new(&self.config.events.journal)).await;
            let journal = journal.map_err(|error| {
                Failure::Usage(format!("events.journal: {}: {error}", self.config.events.journal))
            })?;
            consumers.push(Arc::new(journal));
        }
        Ok(consumers)
    }

    /// Where the keys of the identity provider are.
    fn identity_provider(&self) -> Result<Arc<OpenIdProvider>, Failure> {
        let identity = &self.config.identity;
        let keys = Some(identity.jwks_url.expose()).filter(|url| !url.is_empty());
        let provider = OpenIdProvider::new(identity.issuer.expose(), keys);
        Ok(Arc::new(provider.map_err(|error| Failure::Usage(format!("identity: {error}")))?))
    }

    /// Where the files of pictures are.
    async fn media(&self) -> Result<Arc<dyn MediaFiles>, Failure> {
        let setting = &self.config.media.url;
        let url = setting.expose();
        if url.starts_with("s3:") {
            return bucket(url).await;
        }
        let path = match url.strip_prefix("file:") {
            Some(path) if !path.is_empty() => PathBuf::from(path),
            None if url.is_empty() => self.folder.media(),
            _ => {
                let hint = "a folder is named as `file:PATH`, a bucket as `s3://BUCKET/PREFIX`";
                return Err(Failure::Usage(format!("media.url: `{setting}` is not understood; {hint}")));
            }
        };
        let folder = MediaFolder::open(&path).await;
        Ok(Arc::new(folder.map_err(Failure::of("cannot open the folder of pictures"))?))
    }

    /// The catalogue alone, beside a server that may be running.
    pub(crate) fn catalogue(&self) -> Catalogue {
        Catalogue::without_sales(self.store.clone(), Arc::new(SystemClock))
    }

    /// Owners, beside a server that may be running.
    pub(crate) fn owners(&self) -> Owners {
        Owners::new(self.store.clone(), OwnerCheck::On)
    }

    /// Waiting rooms as organisers see them, beside a server that may be running.
    pub(crate) fn rooms(&self) -> WaitingRooms {
        WaitingRooms::beside(self.store.clone(), Arc::new(SystemClock), Arc::new(RandomIds::default()))
    }

    /// Accounts alone, beside a server that may be running.
    pub(crate) async fn accounts(&self) -> Result<Accounts, Failure> {
        let settings = self.config.engine_settings(self.signing_key()?).accounts;
        let ids = Arc::new(RandomIds::default());
        let accounts = Accounts::start(self.store.clone(), Arc::new(SystemClock), ids, settings);
        accounts.await.map_err(Failure::of("cannot start"))
    }

    /// Closes the database, which folds the embedded one's log into its file. Whoever still uses
    /// the store keeps it open.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        match Arc::try_unwrap(self.store) {
            Ok(store) => store.close().await.map_err(Failure::of("cannot close the database")),
            Err(_) => Ok(()),
        }
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let mut former_keys = self.config.former_keys().map_err(Failure::Usage)?;
        former_keys.extend(self.folder.former_keys()?);
        let settings = self.config.engine_settings(self.signing_key()?);
        Ok(Settings { former_keys, vitals: self.vitals.clone(), ..settings })
    }

    fn signing_key(&self) -> Result<Vec<u8>, Failure> {
        match self.config.signing_key().map_err(Failure::Usage)? {
            Some(key) => Ok(key),
            None => self.folder.signing_key(),
        }
    }
}

#[cfg(feature = "kafka")]
fn kafka(config: &Config, brokers: String, vitals: &Vitals) -> Result<Arc<dyn Transport>, Failure> {
    let events = &config.events;
    let settings = onsale_events::KafkaSettings {
        brokers,
        topic_orders: events.topic_orders.clone(),
        topic_catalogue: events.topic_catalogue.clone(),
        partitions: events.topic_partitions,
        group_prefix: events.group_prefix.clone(),
        properties: events.properties().map_err(Failure::Usage)?,
    };
    let transport = onsale_events::KafkaTransport::new(settings);
    let transport = transport.map_err(|error| Failure::Usage(format!("events.kafka_properties: {error}")))?;
    Ok(Arc::new(transport.among(vitals.clone())))
}

#[cfg(not(feature = "kafka"))]
fn kafka(_: &Config, _: String, _: &Vitals) -> Result<Arc<dyn Transport>, Failure> {
    let reason = "events.url: this build does not speak to Kafka; build with `--features kafka`";
    Err(Failure::Usage(reason.to_owned()))
}

/// Pictures in a bucket; where it is and as whom is said by the usual variables.
#[cfg(feature = "s3")]
async fn bucket(url: &str) -> Result<Arc<dyn MediaFiles>, Failure> {
    use onsale_media::{BucketError, MediaBucket};
    match MediaBucket::open(url, crate::config::aws_variables()).await {
        Ok(bucket) => Ok(Arc::new(bucket)),
        Err(BucketError::Settings(reason)) => Err(Failure::Usage(format!("media.url: {reason}"))),
        Err(error) => Err(Failure::of("cannot use the bucket of pictures")(error)),
    }
}

#[cfg(not(feature = "s3"))]
#[expect(clippy::unused_async, reason = "the other one waits")]
async fn bucket(_: &str) -> Result<Arc<dyn MediaFiles>, Failure> {
    let reason = "media.url: this build does not speak to S3; build with `--features s3`";
    Err(Failure::Usage(reason.to_owned()))
}

/// A database that a measurement has for itself.
pub(crate) struct Scratch {
    pub(crate) store: Arc<SqlStore>,
    database: ScratchDatabase,
}

/// Makes an empty database beside the configured one.
pub(crate) async fn create_scratch(config: &Config, folder: &DataFolder) -> Result<Scratch, Failure> {
    let url = database_url(config, folder)?;
    let id = RandomIds::default().next(SystemClock.now());
    let database = ScratchDatabase::create(&url, id).await;
    let database =
        database.map_err(rejected_or("the database's URL", "cannot make a database for the measurement"))?;
    match open_scratch(config, database.url()).await {
        Ok(store) => Ok(Scratch { store, database }),
        Err(failure) => {
            database.remove().await.map_err(Failure::of("cannot remove the measurement's database"))?;
            Err(failure)
        }
    }
}

impl Scratch {
    pub(crate) fn name(&self) -> &str {
        self.database.name()
    }

    pub(crate) fn url(&self) -> &str {
        self.database.url()
    }

    /// Lets seats be claimed twice, to see what a guard is for.
    pub(crate) async fn drop_claims_key(&self) -> Result<(), StoreError> {
        negative_control::drop_claims_key(&self.store).await
    }

    /// Removes the database. Nobody may use the store any more.
    pub(crate) async fn close_and_remove(self) -> Result<(), Failure> {
        let closed = match Arc::try_unwrap(self.store) {
            Ok(store) => store.close().await,
            Err(_) => Ok(()),
        };
        let removed = self.database.remove().await;
        closed.and(removed).map_err(Failure::of("cannot remove the measurement's database"))
    }
}

/// Opens a scratch database, this process's or another one's.
pub(crate) async fn open_scratch(config: &Config, url: &str) -> Result<Arc<SqlStore>, Failure> {
    let store = SqlStore::open(url, &store_options(config)).await;
    store.map(Arc::new).map_err(Failure::of("cannot open the measurement's database"))
}

/// Locks for a measurement in the Redis at `url`, under names of its own. They are gone an hour later.
pub(crate) fn scratch_locks(url: &str, prefix: &str) -> Result<Arc<dyn Locks>, Failure> {
    let options = RedisOptions { prefix: prefix.to_owned(), ..RedisOptions::default() };
    let locks = RedisLocks::start(url, &options).map_err(rejected_or("--redis", "cannot use Redis"))?;
    Ok(Arc::new(locks))
}

/// An engine that sells from a scratch database. Nobody logs in there.
pub(crate) async fn scratch_engine(
    config: &Config,
    store: Arc<SqlStore>,
    sales: SaleSettings,
    locks: Option<Arc<dyn Locks>>,
) -> Result<Arc<Engine>, Failure> {
    let settings = Settings { sales, ..config.engine_settings(vec![0; 32]) };
    let ids = Arc::new(RandomIds::default());
    let engine = Engine::start(store, Arc::new(SystemClock), ids, settings);
    let engine = engine.await.map_err(Failure::of("cannot start"))?;
    if let Some(locks) = locks {
        engine.share(Arc::new(LocalCache::new(Arc::new(SystemClock))), locks);
    }
    Ok(Arc::new(engine))
}

/// The URL of the configured database, or of the one in the data folder.
pub(crate) fn database_url(config: &Config, folder: &DataFolder) -> Result<String, Failure> {
    if !config.database.url.is_empty() {
        return Ok(config.database.url.expose().to_owned());
    }
    SqlStore::file_url(&folder.database()).map_err(|error| Failure::Usage(format!("--data: {error}")))
}
