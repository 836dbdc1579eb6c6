//! The rules of the deployed configuration, in front of nodes that only count.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use reqwest::{Client, Method};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

use crate::proxy;

const NOT_AGAIN: &str = "http-request disable-l7-retry unless replayable";

/// Nodes that die of every request the first time they see its path, and answer it the second time.
struct Dying {
    addresses: [SocketAddr; 3],
    /// The head of each request for a path.
    seen: Arc<Mutex<HashMap<String, Vec<String>>>>,
    ready: Arc<AtomicBool>,
}

impl Dying {
    async fn start() -> Self {
        let (seen, ready) = (Arc::<Mutex<HashMap<_, _>>>::default(), Arc::new(AtomicBool::new(true)));
        let mut addresses = Vec::new();
        for _ in 0..3 {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.push(listener.local_addr().unwrap());
            let (seen, ready) = (seen.clone(), ready.clone());
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, seen.clone(), ready.clone()));
                }
            });
        }
        Self { addresses: addresses.try_into().unwrap(), seen, ready }
    }

    fn times(&self, path: &str) -> usize {
        self.seen.lock().get(path).map_or(0, Vec::len)
    }
}

/// One request for each connection.
async fn serve(
    mut stream: TcpStream,
    seen: Arc<Mutex<HashMap<String, Vec<String>>>>,
    ready: Arc<AtomicBool>,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).expect("headers are text").to_lowercase();
    let path = head.split(' ').nth(1).expect("a request line").to_owned();
    if path == "/readyz" {
        let status = if ready.load(Ordering::Relaxed) { "200 OK" } else { "503 Service Unavailable" };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return stream.write_all(answer.as_bytes()).await.ok();
    }
    if let Some(length) = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()) {
        let mut body = vec![0; length.parse().expect("a number")];
        stream.read_exact(&mut body).await.ok()?;
    }
    if path.ends_with("/events") {
        let begin =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n: one\n\n";
        stream.write_all(begin.as_bytes()).await.ok()?;
        sleep(Duration::from_secs(5)).await;
        return stream.write_all(b": two\n\n").await.ok();
    }
    let times = {
        let mut seen = seen.lock();
        let heads = seen.entry(path).or_default();
        heads.push(head);
        heads.len()
    };
    if times == 1 {
        return None;
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await.ok()
}

/// The status, and how often the request reached a node.
async fn status_and_times(
    nodes: &Dying,
    proxy: SocketAddr,
    method: &str,
    path: &str,
    keyed: bool,
) -> (u16, usize) {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = Client::new().request(method, format!("http://{proxy}{path}")).body("{}");
    if keyed {
        request = request.header("Idempotency-Key", "mine");
    }
    let status = request.send().await.unwrap().status().as_u16();
    (status, nodes.times(path))
}

#[tokio::test]
async fn only_what_does_nothing_twice_is_sent_twice() {
    let nodes = Dying::start().await;
    let proxy = proxy::deployed(nodes.addresses).await;
    let ask =
        async |method, path, keyed| status_and_times(&nodes, proxy.address(), method, path, keyed).await;
    assert_eq!(ask("GET", "/read", false).await, (200, 2));
    assert_eq!(ask("POST", "/keyed", true).await, (200, 2));
    for (method, path) in [("POST", "/post"), ("PUT", "/put"), ("PATCH", "/patch"), ("DELETE", "/delete")] {
        assert_eq!(ask(method, path, false).await, (502, 1), "{method}");
    }

    // The control: without the rule a request without a key is done twice.
    let proxy = proxy::with(nodes.addresses, &[(NOT_AGAIN, "")]).await;
    let ask = status_and_times(&nodes, proxy.address(), "POST", "/control", false);
    assert_eq!(ask.await, (200, 2));
}

#[tokio::test]
async fn an_address_that_a_client_makes_up_is_not_passed_on() {
    let nodes = Dying::start().await;
    let proxy = proxy::deployed(nodes.addresses).await;
    let request = Client::new().get(format!("http://{}/who", proxy.address()));
    let forged = request.header("X-Forwarded-For", "203.0.113.7").header("X-Forwarded-Proto", "https");
    assert_eq!(forged.send().await.unwrap().status(), 200);
    let seen = nodes.seen.lock();
    let head = seen["/who"].last().unwrap();
    assert_eq!(head.matches("x-forwarded-for").count(), 1, "{head}");
    assert!(head.contains("x-forwarded-for: 127.0.0.1\r\n"), "{head}");
    assert!(head.contains("x-forwarded-proto: http\r\n"), "{head}");
}

#[tokio::test]
async fn what_is_for_operators_is_not_served_to_buyers() {
    let nodes = Dying::start().await;
    let proxy = proxy::deployed(nodes.addresses).await;
    for path in ["/metrics", "/readyz", "/livez"] {
        let asked = reqwest::get(format!("http://{}{path}", proxy.address())).await.unwrap();
        assert_eq!((asked.status().as_u16(), nodes.times(path)), (404, 0), "{path}");
    }
    let own = reqwest::get(format!("http://{}/metrics", proxy.metrics_address())).await.unwrap();
    assert!(own.text().await.unwrap().contains("haproxy_server_status{proxy=\"nodes\",server=\"n1\""));
}

#[tokio::test]
async fn when_no_node_is_ready_all_are_asked() {
    let nodes = Dying::start().await;
    let no_panic = [("use_backend whatever_the_checks_say if { nbsrv(nodes) eq 0 }", "")];
    let (proxy, control) =
        tokio::join!(proxy::deployed(nodes.addresses), proxy::with(nodes.addresses, &no_panic));
    nodes.ready.store(false, Ordering::Relaxed);
    let ask = async |proxy: SocketAddr, path: String| {
        reqwest::get(format!("http://{proxy}{path}")).await.unwrap().status().as_u16()
    };
    // The control answers by itself as soon as it has noticed.
    for attempt in 0.. {
        if ask(control.address(), format!("/control{attempt}")).await == 503 {
            break;
        }
        assert!(attempt < 300, "the checks are not made");
        sleep(Duration::from_millis(100)).await;
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(ask(proxy.address(), "/asked".to_owned()).await, 200);
}

#[tokio::test]
async fn a_stream_without_news_is_not_cut() {
    let nodes = Dying::start().await;
    let hasty = [("timeout server 30s", "timeout server 2s"), ("timeout client 30s", "timeout client 2s")];
    let one_backend = [hasty[0], hasty[1], ("use_backend streams if { path_end /events }", "")];
    let (proxy, control) =
        tokio::join!(proxy::with(nodes.addresses, &hasty), proxy::with(nodes.addresses, &one_backend));
    let stream = async |proxy: SocketAddr| {
        let mut told = String::new();
        let mut stream = reqwest::get(format!("http://{proxy}/api/v1/queue/rooms/1/events")).await.unwrap();
        while let Ok(Some(chunk)) = stream.chunk().await {
            told += std::str::from_utf8(&chunk).unwrap();
        }
        told
    };
    let (told, cut) = tokio::join!(stream(proxy.address()), stream(control.address()));
    assert_eq!(told, ": one\n\n: two\n\n");
    assert_eq!(cut, ": one\n\n", "the control: among ordinary requests it is cut");
}
