//! The HTTP server: connections in, requests to the router, with a bound on all that a client can
//! make it wait for.

mod heads;
mod patience;
mod proxy_protocol;

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{body::Body, extract::ConnectInfo, response::Response};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use tower::Service;

use patience::Patience;

/// The most headers of a request.
const HEADERS_MAX: usize = 100;

/// The answer to a connection too many.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// What a client may take.
#[derive(Clone, Debug)]
pub(crate) struct HttpSettings {
    /// The most connections at once.
    pub(crate) connections_max: usize,
    /// How long a request's head may take, from the connection or the answer before.
    pub(crate) head_time_max: Duration,
    /// The most bytes of a request's head.
    pub(crate) head_bytes_max: usize,
    /// How long a client may read nothing of an answer.
    pub(crate) write_time_max: Duration,
    /// The proxies whose connections begin with a PROXY header; no others are taken then.
    pub(crate) proxy_protocol_from: Option<Vec<IpNet>>,
}

/// What answers requests.
pub(crate) trait Handler:
    Service<Request<Body>, Response = Response, Error = Infallible> + Clone + Send + 'static
{
}

impl<S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone + Send + 'static> Handler
    for S
{
}

/// Serves until `stopping` turns true and the requests under way have been answered.
pub(crate) async fn serve<S: Handler>(
    listener: TcpListener,
    service: S,
    settings: HttpSettings,
    mut stopping: watch::Receiver<bool>,
) where
    S::Future: Send,
{
    let settings = Arc::new(settings);
    let connections_max = settings.connections_max.min(u32::MAX as usize >> 4);
    let places = Arc::new(Semaphore::new(connections_max));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of files, usually: others must end first.
                tracing::warn!(%error, "cannot take a connection");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            let _ = stream.try_write(TOO_MANY);
            continue;
        };
        let (service, settings, stopping) = (service.clone(), settings.clone(), stopping.clone());
        tokio::spawn(async move {
            if let Err(error) = connection(stream, peer, service, &settings, stopping).await {
                tracing::debug!(%peer, %error, "a connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    let all = u32::try_from(connections_max).expect("bounded above");
    let _ = places.acquire_many(all).await;
}

async fn connection<S: Handler>(
    mut stream: TcpStream,
    peer: SocketAddr,
    service: S,
    settings: &HttpSettings,
    mut stopping: watch::Receiver<bool>,
) -> io::Result<()>
where
    S::Future: Send,
{
    // Small answers leave at once instead of waiting for more to send with them.
    stream.set_nodelay(true)?;
    let client = match &settings.proxy_protocol_from {
        None => peer,
        Some(proxies) => {
            if !proxies.iter().any(|proxy| proxy.contains(&peer.ip().to_canonical())) {
                return Err(io::Error::other("not one of the proxies that speak the PROXY protocol"));
            }
            let header = timeout(settings.head_time_max, proxy_protocol::read(&mut stream)).await;
            header.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??.unwrap_or(peer)
        }
    };
    let answers = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(client));
        service.clone().call(request.map(Body::new))
    });
    let io = TokioIo::new(Patience::new(stream, settings.write_time_max));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_time_max)
        .max_headers(HEADERS_MAX)
        .max_header_size(settings.head_bytes_max)
        .max_buf_size(settings.head_bytes_max.max(16 * 1_024))
        .serve_connection(io, answers);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended.map_err(io::Error::other),
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    // What is under way is finished.
    connection.as_mut().graceful_shutdown();
    connection.await.map_err(io::Error::other)
}
