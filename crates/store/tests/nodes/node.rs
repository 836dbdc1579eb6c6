//! A node, and the second process that is the other one: this test again, with one ignored test as
//! its entry.

use std::{process::Stdio, sync::Arc};

use onsale_contract::sale::stage::{Setup, start};
use onsale_coordination::{LocalCache, RedisBroadcast, RedisLocks, RedisOptions};
use onsale_domain::money::Currency;
use onsale_engine::{Engine, clock::SystemClock, ports::Guard, sales::SaleSettings};
use onsale_store::{SqlStore, StoreOptions};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::scenario::{self, Scenario, Told};

/// Names the variable that makes the entry below a node.
const NODE: &str = "ONSALE_TEST_NODE";

/// How a line begins that one node says to the other; the test harness prints lines, too.
const SAYS: &str = "node: ";

/// What a node is to do, and when it begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) scenario: Scenario,
    pub(crate) performance: i64,
    /// Orders made before, as UUIDs.
    pub(crate) orders: Vec<String>,
    pub(crate) at_ms: i64,
}

/// A store and an engine on it.
pub(crate) struct Node {
    pub(crate) store: Arc<SqlStore>,
    pub(crate) engine: Arc<Engine>,
}

impl Node {
    /// With `redis`, the nodes on one database share their locks there, and tell each other what they
    /// change.
    pub(crate) async fn start(url: &str, guard: Guard, batch_max: usize, redis: Option<&str>) -> Self {
        let store = SqlStore::open(url, &StoreOptions::new(Currency::KRW)).await;
        let store = Arc::new(store.expect("the database opens"));
        let sales = SaleSettings { guard, batch_max, ..SaleSettings::default() };
        let setup = Setup { sales, ..Setup::default() };
        let engine = start(store.clone(), Arc::new(SystemClock), setup).await;
        if let Some(redis) = redis {
            let (_, database) = url.rsplit_once('/').expect("the URL names a database");
            let options = RedisOptions { prefix: database.to_owned(), ..RedisOptions::default() };
            let locks = RedisLocks::start(redis, &options).expect("the URL is understood");
            engine.share(Arc::new(LocalCache::new(Arc::new(SystemClock))), Arc::new(locks));
            let broadcast = RedisBroadcast::start(redis, &options).expect("the URL is understood");
            engine.tell_changes(Arc::new(broadcast));
        }
        Self { store, engine }
    }
}

/// The other process. It ends with this.
pub(crate) struct OtherNode {
    _process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// What the other process must know to begin.
#[derive(Serialize, Deserialize)]
struct Beginning {
    url: String,
    guard: String,
    batch_max: usize,
    redis: Option<String>,
}

impl OtherNode {
    pub(crate) async fn start(url: &str, guard: Guard, batch_max: usize, redis: Option<&str>) -> Self {
        let (url, redis) = (url.to_owned(), redis.map(str::to_owned));
        let beginning = Beginning { url, guard: format!("{guard:?}"), batch_max, redis };
        let mut process = Command::new(std::env::current_exe().expect("this test has a file"))
            .args(["--exact", "node::other_node", "--ignored", "--nocapture"])
            .env(NODE, serde_json::to_string(&beginning).expect("it is plain data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("this test can be started again");
        let input = process.stdin.take().expect("its input is ours");
        let output = BufReader::new(process.stdout.take().expect("its output is ours")).lines();
        let mut node = Self { _process: process, input, output };
        assert_eq!(node.hear().await, "ready");
        node
    }

    /// Tells it what to do.
    pub(crate) async fn begin(&mut self, task: &Task) {
        let line = serde_json::to_string(task).expect("it is plain data");
        self.input.write_all(format!("{line}\n").as_bytes()).await.expect("the other node listens");
    }

    /// Waits until it is done.
    pub(crate) async fn told(&mut self) -> Told {
        serde_json::from_str(&self.hear().await).expect("the other node says what its callers were told")
    }

    async fn hear(&mut self) -> String {
        while let Some(line) = self.output.next_line().await.expect("the other node prints text") {
            if let Some((_, said)) = line.split_once(SAYS) {
                return said.to_owned();
            }
            println!("other node: {line}");
        }
        panic!("the other node ended; what it printed is above");
    }
}

/// Does what it is told on its input until that is closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the second process of the other tests, which start it"]
#[expect(clippy::disallowed_methods, reason = "how the first process tells the second one what it is")]
async fn other_node() {
    let beginning = std::env::var(NODE).expect("this is started by the other tests only");
    let Beginning { url, guard, batch_max, redis } =
        serde_json::from_str(&beginning).expect("it is plain data");
    let guards = [Guard::Pessimistic, Guard::Optimistic, Guard::Distributed, Guard::None];
    let guard = guards.into_iter().find(|known| format!("{known:?}") == guard).expect("a guard");
    let node = Arc::new(Node::start(&url, guard, batch_max, redis.as_deref()).await);
    println!("\n{SAYS}ready");
    // Waiting keeps this thread, which does nothing else.
    for task in std::io::stdin().lines() {
        let task = serde_json::from_str(&task.expect("tasks are text")).expect("a task is plain data");
        let told = scenario::play(node.clone(), 1, task).await;
        println!("{SAYS}{}", serde_json::to_string(&told).expect("it is plain data"));
    }
}
