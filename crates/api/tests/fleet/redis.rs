//! Catalogue reads of three nodes on one PostgreSQL and one Redis: a query to the database for each
//! change and each expiry, whatever the number of nodes and readers.

mod postgres {
    use std::{sync::Arc, time::Duration};

    use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
    use onsale_api::ApiSettings;
    use onsale_coordination::{LocalLocks, RedisCache, RedisOptions};
    use onsale_domain::{
        catalogue::{PerformanceDetails, ShowDetails, ShowKind},
        hall::{Plan, SectionSpec},
        ids::HallId,
        money::Currency,
        sale::SaleRules,
        time::Timestamp,
    };
    use onsale_engine::{
        Engine, Settings, accounts::AccountSettings, clock::ManualClock, ids::RandomIds, ports::SharedCache,
    };
    use onsale_store::{SqlStore, StoreOptions};
    use tokio::{net::TcpListener, task::JoinSet};

    const START: Timestamp = Timestamp(1_795_255_200_000);

    struct Fleet {
        nodes: Vec<(Arc<Engine>, String)>,
        clock: Arc<ManualClock>,
        /// Where the films are shown.
        hall: HallId,
        metrics: PrometheusHandle,
        client: reqwest::Client,
    }

    impl Fleet {
        async fn start(prefix: &str, sharing: bool, metrics: &PrometheusHandle) -> Self {
            let database = onsale_testbed::postgres().fresh_database().await;
            let redis = tokio::task::spawn_blocking(onsale_testbed::redis).await.expect("Redis starts");
            let clock = Arc::new(ManualClock::new(START));
            let mut nodes = Vec::new();
            for _ in 0..3 {
                let store = SqlStore::open(&database, &StoreOptions::new(Currency::KRW)).await.unwrap();
                let ids = Arc::new(RandomIds::default());
                let engine = Engine::start(Arc::new(store), clock.clone(), ids, settings()).await.unwrap();
                if sharing {
                    let prefix = format!("test-{}-{prefix}", std::process::id());
                    let options = RedisOptions { prefix, ..RedisOptions::default() };
                    let cache = RedisCache::start(redis, &options, clock.clone()).unwrap();
                    engine.share(Arc::new(cache), Arc::new(LocalLocks::default()));
                }
                let engine = Arc::new(engine);
                let router = onsale_api::router(engine.clone(), ApiSettings::new(Currency::KRW), String::new);
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
                nodes.push((engine, format!("http://{address}/api/v1/movies")));
            }
            let hall = add_hall(&nodes[0].0).await;
            let client = reqwest::Client::new();
            let fleet = Self { nodes, clock, hall, metrics: metrics.clone(), client };
            if sharing {
                fleet.agreed().await;
            }
            fleet
        }

        async fn agreed(&self) {
            for _ in 0..600 {
                let mut known: Vec<_> = self
                    .nodes
                    .iter()
                    .map(|(node, _)| node.catalogue.shared().map(SharedCache::generation))
                    .collect();
                known.dedup();
                if known.len() == 1 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            panic!("the nodes do not agree after half a minute");
        }

        fn loads(&self) -> u64 {
            let text = self.metrics.render();
            let line = text.lines().find_map(|line| line.strip_prefix("onsale_catalogue_loads_total "));
            line.map_or(0, |count| count.parse().unwrap())
        }

        /// A hundred readers at each node at once; what they were told, and how often it was loaded.
        async fn read(&self) -> (Vec<String>, u64) {
            let before = self.loads();
            let mut reading = JoinSet::new();
            for (_, url) in &self.nodes {
                for _ in 0..100 {
                    let request = self.client.get(url);
                    reading.spawn(async move { request.send().await.unwrap().text().await.unwrap() });
                }
            }
            let mut answers = reading.join_all().await;
            answers.sort();
            answers.dedup();
            (answers, self.loads() - before)
        }

        /// Adds a film and a screening of it: films that are not shown are not listed.
        async fn add_film(&self, node: usize, title: &str) {
            let show = ShowDetails::new(ShowKind::Movie, title);
            let catalogue = &self.nodes[node].0.catalogue;
            let screening = PerformanceDetails {
                show: catalogue.add_show(show, None).await.unwrap().id,
                hall: self.hall,
                starts_at: START.plus_ms(3_600_000),
                ends_at: START.plus_ms(2 * 3_600_000),
                on_sale_at: START,
                rules: SaleRules::default(),
                prices: Vec::new(),
            };
            catalogue.add_performance(&screening).await.unwrap();
        }

        async fn stop(self) {
            for (node, _) in &self.nodes {
                node.stop().await;
            }
        }
    }

    async fn add_hall(node: &Engine) -> HallId {
        let venue = node.catalogue.add_venue("Venue", "Asia/Seoul", None).await.unwrap();
        let section =
            SectionSpec { name: "Stalls".into(), rows: 1, seats_per_row: 1, category: "Standard".into() };
        node.catalogue.add_hall(venue.id, "Hall", &Plan::generate(&[section]).unwrap()).await.unwrap()
    }

    fn settings() -> Settings {
        Settings::new(AccountSettings {
            signing_key: vec![7; 32],
            access_s: 3_600,
            refresh_s: 86_400,
            refresh_grace_s: 10,
            argon2_memory_kib: 8,
            argon2_passes: 1,
            hashing_threads: 1,
            hashing_queue_max: 64,
        })
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_change_and_an_expiry_cost_one_query_each() {
        let metrics = PrometheusBuilder::new().install_recorder().unwrap();
        let fleet = Fleet::start("shared", true, &metrics).await;
        let mut last = String::new();
        for change in 0..3 {
            fleet.add_film(change, &format!("Film {change}")).await;
            fleet.agreed().await;
            let (answers, loads) = fleet.read().await;
            assert_eq!((answers.len(), loads), (1, 1), "three nodes, three hundred readers, one query");
            assert_ne!(answers[0], last, "the change is seen everywhere");
            last.clone_from(&answers[0]);
            assert_eq!(fleet.read().await, (answers, 0));
        }
        // The tier in the process ends on the real clock, so the shared one is asked by itself.
        let before = fleet.loads();
        fleet.clock.advance_ms(120_000);
        let mut reading = JoinSet::new();
        for (node, _) in &fleet.nodes {
            for _ in 0..100 {
                let node = node.clone();
                reading.spawn(async move {
                    let cache = node.catalogue.shared().expect("it is shared");
                    let kept = onsale_engine::ports::Kept { fresh_ms: 120_000, stale_ms: 30_000 };
                    let load = async {
                        metrics::counter!("onsale_catalogue_loads_total").increment(1);
                        Ok::<_, ()>(b"new".to_vec())
                    };
                    onsale_engine::ports::through(cache, cache.generation(), "/api/v1/movies", kept, load)
                        .await
                });
            }
        }
        reading.join_all().await;
        assert_eq!(fleet.loads() - before, 1, "an expiry, one query");
        fleet.stop().await;

        let alone = Fleet::start("alone", false, &metrics).await;
        assert_eq!(alone.read().await.1, 3, "control: without the shared tier each node asks");
        alone.stop().await;
    }
}
