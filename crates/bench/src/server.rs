//! Servers: the bare ones to compare with, and the runtime that all of them get.

use std::{future::ready, io, net::SocketAddr, num::NonZero, thread};

use axum::{
    Json, Router,
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode},
    routing::{get, post},
    serve::ListenerExt as _,
};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{net::TcpListener, runtime, sync::oneshot};

use crate::http::Captured;

/// A server with a runtime of its own. Stops when dropped.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its runtime.
    pub(crate) runtime: runtime::Runtime,
    stop: Option<oneshot::Sender<()>>,
}

impl Server {
    /// A runtime with the settings that every server gets.
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub(crate) fn runtime(name: &str) -> io::Result<runtime::Runtime> {
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        runtime::Builder::new_multi_thread().worker_threads(workers).thread_name(name).enable_all().build()
    }

    /// Serves a router on a free port of the loopback interface.
    ///
    /// # Errors
    /// If there is no port to listen on.
    pub(crate) fn start(runtime: runtime::Runtime, router: Router) -> io::Result<Self> {
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        // Small answers must not wait for the acknowledgement of those before.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        runtime.spawn(async move {
            tokio::select! {
                _ = axum::serve(listener, router) => {}
                _ = stopped => {}
            }
        });
        Ok(Self { address, runtime, stop: Some(stop) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

/// The body of a hold, as a bare server reads it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Hold {
    performance_id: i64,
    seat_ids: Vec<i64>,
}

/// The body of a join, as a bare server reads it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Join {
    room_id: i64,
}

/// The body of an order for units, as a bare server reads it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UnitOrder {
    item_number: i64,
    count: u32,
}

/// What a bare server makes of a request's body.
trait Read {
    /// Whether it is as expected. Used, so that reading it cannot be optimised away.
    fn is_good(&self) -> bool;
}

impl Read for Hold {
    fn is_good(&self) -> bool {
        self.performance_id > 0 && !self.seat_ids.is_empty()
    }
}

impl Read for UnitOrder {
    fn is_good(&self) -> bool {
        self.item_number > 0 && self.count > 0
    }
}

impl Read for Join {
    fn is_good(&self) -> bool {
        self.room_id > 0
    }
}

/// A server that gives the captured answer to every GET.
pub(crate) fn bare_get(path: &str, captured: &Captured) -> Router {
    let answer = Answer::new(captured);
    Router::new().route(path, get(move || ready(answer.give())))
}

/// A server that reads the body of every hold as JSON and gives the captured answer.
pub(crate) fn bare_hold(path: &str, captured: &Captured) -> Router {
    bare_post::<Hold>(path, captured)
}

/// A server that reads the body of every join as JSON and gives the captured answer.
pub(crate) fn bare_join(path: &str, captured: &Captured) -> Router {
    bare_post::<Join>(path, captured)
}

/// A server that reads the body of every order for units as JSON and gives the captured answer.
pub(crate) fn bare_order(path: &str, captured: &Captured) -> Router {
    bare_post::<UnitOrder>(path, captured)
}

fn bare_post<B: Read + DeserializeOwned + Send + 'static>(path: &str, captured: &Captured) -> Router {
    let answer = Answer::new(captured);
    let handler = move |Json(body): Json<B>| {
        ready(if body.is_good() { answer.give() } else { Response::new(Body::empty()) })
    };
    Router::new().route(path, post(handler))
}

/// A captured answer, ready to be given again and again.
#[derive(Clone)]
struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: axum::body::Bytes,
}

impl Answer {
    fn new(captured: &Captured) -> Self {
        let header = |(name, value): &(String, String)| {
            let name = HeaderName::try_from(name.as_str()).expect("it came as a header");
            (name, HeaderValue::try_from(value.as_str()).expect("it came as a header"))
        };
        Self {
            status: StatusCode::from_u16(captured.status).expect("it came as a status"),
            headers: captured.headers.iter().map(header).collect(),
            body: captured.body.clone().into(),
        }
    }

    fn give(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}
