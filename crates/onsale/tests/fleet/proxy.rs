//! HAProxy as `deploy/` configures it.

use std::net::SocketAddr;

use onsale_testbed::HaProxy;
use tokio::task::spawn_blocking;

/// What is deployed.
const CONFIGURATION: &str = include_str!("../../../../deploy/haproxy/haproxy.cfg");

/// Starts HAProxy as it is deployed, in front of three nodes.
pub(crate) async fn deployed(nodes: [SocketAddr; 3]) -> HaProxy {
    with(nodes, &[]).await
}

/// The same with lines changed, each of which must be there.
pub(crate) async fn with(nodes: [SocketAddr; 3], changes: &[(&str, &str)]) -> HaProxy {
    let mut configuration = CONFIGURATION.to_owned();
    for (line, instead) in changes {
        assert!(configuration.contains(line), "the configuration has no `{line}`");
        configuration = configuration.replace(line, instead);
    }
    let variables: Vec<(&str, String)> = ["ONSALE_NODE1", "ONSALE_NODE2", "ONSALE_NODE3"]
        .into_iter()
        .zip(nodes.map(|node| node.to_string()))
        .collect();
    let start = move || HaProxy::start(&configuration, "ONSALE_BIND", "ONSALE_PROXY_METRICS", &variables);
    spawn_blocking(start).await.expect("HAProxy starts")
}
