//! A node joins and leaves behind HAProxy while a crowd keeps calling.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::StatusCode;
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::{
    client::{Caller, With},
    node::Node,
    proxy,
};

const CALLERS: usize = 8;

/// Longer than HAProxy needs to notice, also on a busy machine.
const DRAIN: (&str, &str) = ("ONSALE_SERVER_DRAIN_SECONDS", "4");

/// HAProxy's own second chances would hide what a node drops.
const NO_SECOND_CHANCE: [(&str, &str); 2] = [("retries 3", "retries 0"), ("option redispatch 1", "")];

/// Nodes with a database each: what is asked of them needs nothing in common.
async fn nodes<const N: usize>(folder: &TempDir, variables: &[(&str, &str)]) -> [Node; N] {
    let nodes: [Node; N] =
        std::array::from_fn(|index| Node::new(folder.path(), &format!("n{index}"), variables));
    for node in &nodes {
        node.start();
    }
    for node in &nodes {
        node.ready().await;
    }
    nodes
}

/// Keeps calling until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicU64>,
    callers: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(address: SocketAddr) -> Self {
        let (stop, served) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let callers = (0..CALLERS).map(|caller| {
            tokio::spawn(call_until(stop.clone(), served.clone(), Caller::new(address), caller))
        });
        Self { callers: callers.collect(), stop, served }
    }

    fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Everything that went wrong.
    async fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut wrong = Vec::new();
        for caller in self.callers {
            wrong.extend(caller.await.expect("no caller panics"));
        }
        wrong
    }
}

/// Reads, and makes accounts: a request without a key, which nobody may send twice.
async fn call_until(
    stop: Arc<AtomicBool>,
    served: Arc<AtomicU64>,
    calls: Caller,
    caller: usize,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let email = format!("{caller}-{round}@example.org");
        let account = json!({"email": email, "password": "correct horse", "name": "Mina"});
        for (asked, wanted) in [
            (calls.get("/api/v1/concerts", With::default()).await, 200),
            (calls.post("/api/v1/users", With::default(), &account).await, 201),
        ] {
            match asked {
                Some(answer) if answer.status == wanted => _ = served.fetch_add(1, Ordering::Relaxed),
                other => wrong.push(format!("{other:?}")),
            }
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_leaves_drops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let [staying, leaving] = nodes(&folder, &[DRAIN]).await;
    let addresses = [staying.address(), leaving.address(), leaving.address()];
    let proxy = proxy::with(addresses, &NO_SECOND_CHANCE).await;
    let load = Load::start(proxy.address());
    sleep(Duration::from_millis(500)).await;
    leaving.signal(Signal::TERM);

    // It says so, serves on, and lets nobody keep a connection.
    let direct = format!("http://{}", leaving.address());
    let begun = Instant::now();
    while reqwest::get(format!("{direct}/readyz")).await.unwrap().status() != StatusCode::SERVICE_UNAVAILABLE
    {
        assert!(begun.elapsed() < Duration::from_secs(3), "it does not say that it leaves");
        sleep(Duration::from_millis(10)).await;
    }
    let answer = reqwest::get(format!("{direct}/api/v1/concerts")).await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["connection"]),
        (StatusCode::OK, &"close".parse().unwrap())
    );
    assert!(leaving.ended().await.success(), "{}", leaving.log());
    let after = load.served();
    sleep(Duration::from_millis(500)).await;
    assert!(load.served() > after, "the other one serves on");

    // It joins again, and gets its share.
    leaving.start();
    leaving.ready().await;
    sleep(Duration::from_secs(2)).await;
    let wrong = load.end().await;
    assert!(wrong.is_empty(), "{} requests failed: {:?}", wrong.len(), wrong.first());
    let metrics = reqwest::get(format!("{direct}/metrics")).await.unwrap().text().await.unwrap();
    assert!(
        metrics.contains("route=\"/api/v1/concerts\",status=\"200\""),
        "nothing came back to it\n{metrics}"
    );
}

/// The control: what the time to drain is for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_does_not_drain_drops_requests() {
    let folder = tempfile::tempdir().unwrap();
    let [staying, leaving] = nodes(&folder, &[("ONSALE_SERVER_DRAIN_SECONDS", "0")]).await;
    let addresses = [staying.address(), leaving.address(), leaving.address()];
    let proxy = proxy::with(addresses, &NO_SECOND_CHANCE).await;
    let load = Load::start(proxy.address());
    sleep(Duration::from_millis(500)).await;
    leaving.signal(Signal::TERM);
    assert!(leaving.ended().await.success());
    sleep(Duration::from_secs(1)).await;
    assert!(!load.end().await.is_empty(), "nothing was dropped, so the test above proves nothing");
}

#[tokio::test]
async fn what_was_accepted_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let [node] = nodes(&folder, &[]).await;
    let mut slow = TcpStream::connect(node.address()).await.unwrap();
    let body = r#"{"email": "slow@example.org", "password": "correct horse", "name": "Mina"}"#;
    let (first, rest) = body.split_at(20);
    let length = body.len();
    let head = format!(
        "POST /api/v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{first}"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(300)).await;
    node.signal(Signal::TERM);
    let begun = Instant::now();
    while TcpStream::connect(node.address()).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(5), "it still accepts connections");
        sleep(Duration::from_millis(10)).await;
    }
    slow.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(node.ended().await.success(), "{}", node.log());
}

#[tokio::test]
async fn asked_twice_it_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let [node] = nodes(&folder, &[("ONSALE_SERVER_DRAIN_SECONDS", "300")]).await;
    node.signal(Signal::TERM);
    sleep(Duration::from_millis(300)).await;
    let served = reqwest::get(format!("{}/livez", node.url())).await.unwrap();
    assert_eq!(served.status(), 200, "it drains");
    node.signal(Signal::TERM);
    let ended = timeout(Duration::from_secs(10), node.ended()).await.expect("at once");
    assert_eq!(ended.code(), Some(1));
    assert!(node.log().contains("asked a second time to stop"), "{}", node.log());
}

#[tokio::test]
async fn somebody_at_the_keyboard_does_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let [node] = nodes(&folder, &[("ONSALE_SERVER_DRAIN_SECONDS", "300")]).await;
    node.signal(Signal::INT);
    let ended = timeout(Duration::from_secs(20), node.ended()).await.expect("soon");
    assert!(ended.success(), "{}", node.log());
}
