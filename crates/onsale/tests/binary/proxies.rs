//! The configurations of nginx and Caddy in `deploy/`, on the real programs.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use onsale_testbed::{Port, WebProxy};
use reqwest::Client;
use tokio::time::timeout;

use crate::support::{Place, Server};

/// The limit of lists in a minute.
const LIST_READS_MAX: usize = 50;

/// The addresses that the files in `deploy/` name.
const NODES: [&str; 2] = ["127.0.0.1:8081", "127.0.0.1:8082"];

/// A configuration in which the first node is this server, and the second is down.
fn adapted(configuration: &str, server: &Server, listen: (&str, String)) -> String {
    let [first, second] = NODES;
    let node = server.url.strip_prefix("http://").unwrap();
    let down = Port::reserve().address().to_string();
    for named in [first, second, listen.0] {
        assert!(configuration.contains(named), "the configuration no longer has {named}");
    }
    configuration.replace(first, node).replace(second, &down).replace(listen.0, &listen.1)
}

fn serve(place: &Place) -> Server {
    let variables = [("ONSALE_LIMITS_ENABLED", "true"), ("ONSALE_SERVER_TRUSTED_PROXIES", "127.0.0.1/32")];
    place.serve_with(&["--demo"], &variables)
}

/// Somebody at an address of this machine.
fn at(address: &str) -> Client {
    let address: IpAddr = address.parse().unwrap();
    Client::builder().local_address(address).build().unwrap()
}

async fn status(client: &Client, proxy: SocketAddr, path: &str, claims: &str) -> u16 {
    let request = client.get(format!("http://{proxy}{path}")).header("X-Forwarded-For", claims);
    request.send().await.unwrap().status().as_u16()
}

async fn limits_and_streams_are_right_behind(proxy: SocketAddr) {
    let (one, other) = (at("127.0.0.2"), at("127.0.0.3"));
    for number in 0..LIST_READS_MAX {
        let claims = format!("203.0.113.{number}");
        assert_eq!(status(&one, proxy, "/api/v1/movies", &claims).await, 200, "{number}");
    }
    assert_eq!(
        status(&one, proxy, "/api/v1/movies", "203.0.113.200").await,
        429,
        "what one claims is not believed"
    );
    assert_eq!(
        status(&other, proxy, "/api/v1/movies", "127.0.0.2").await,
        200,
        "somebody else is not limited"
    );
    for path in ["/metrics", "/readyz", "/livez"] {
        assert_eq!(status(&other, proxy, path, "").await, 404, "{path} is for operators");
    }
    let mut stream = other.get(format!("http://{proxy}/api/v1/performances/1/events")).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let first = timeout(Duration::from_secs(5), stream.chunk()).await;
    assert!(first.expect("a stream is not held back").unwrap().is_some());
}

mod nginx {
    use super::*;

    const CONFIGURATION: &str = include_str!("../../../../deploy/nginx/onsale.conf");

    #[tokio::test]
    async fn limits_and_streams_are_right() {
        let place = Place::new();
        let server = serve(&place);
        let proxy = WebProxy::nginx(|address| {
            adapted(CONFIGURATION, &server, ("listen 8000", format!("listen {address}")))
        });
        limits_and_streams_are_right_behind(proxy.address()).await;
    }
}

mod caddy {
    use super::*;

    const CONFIGURATION: &str = include_str!("../../../../deploy/caddy/Caddyfile");

    #[tokio::test]
    async fn limits_and_streams_are_right() {
        let place = Place::new();
        let server = serve(&place);
        let proxy = WebProxy::caddy(|address| {
            let listen = format!("http://:{} {{\n\tbind {}", address.port(), address.ip());
            adapted(CONFIGURATION, &server, ("http://:8000 {", listen))
        });
        limits_and_streams_are_right_behind(proxy.address()).await;
    }
}
