//! Who is limited: the buyer, not the proxy.

use std::net::{IpAddr, SocketAddr};

use reqwest::Client;

use crate::{node::Node, proxy};

/// More than one address may read lists in a minute.
const READS: usize = 60;

/// Reads a list again and again from one address of this machine; the last status.
async fn read(proxy: SocketAddr, from: &str, times: usize) -> u16 {
    let from: IpAddr = from.parse().unwrap();
    let client = Client::builder().local_address(from).build().unwrap();
    let mut status = 0;
    for _ in 0..times {
        let answer = client.get(format!("http://{proxy}/api/v1/concerts"));
        // Claiming to be somebody else does not help.
        let answer = answer.header("X-Forwarded-For", "203.0.113.7").send().await.unwrap();
        status = answer.status().as_u16();
    }
    status
}

/// What one buyer is answered after another one has read too much.
async fn after_somebody_else(trusted: &str) -> u16 {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("ONSALE_LIMITS_ENABLED", "true"), ("ONSALE_SERVER_TRUSTED_PROXIES", trusted)];
    let node = Node::new(folder.path(), "node", &settings);
    node.start();
    node.ready().await;
    let proxy = proxy::deployed([node.address(); 3]).await;
    assert_eq!(read(proxy.address(), "127.0.0.2", READS).await, 429, "too much");
    read(proxy.address(), "127.0.0.3", 1).await
}

#[tokio::test]
async fn each_buyer_behind_the_proxy_has_limits_of_their_own() {
    assert_eq!(after_somebody_else("127.0.0.1/32").await, 200);
}

/// The control.
#[tokio::test]
async fn behind_a_proxy_that_is_not_trusted_all_buyers_are_one() {
    assert_eq!(after_somebody_else("").await, 429);
}
