//! A receiver of webhooks: an HTTP server that verifies what comes, and answers as it is told.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use onsale_engine::clock::{Clock as _, ManualClock};
use onsale_events::webhooks::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, VerifyError, verify};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle, time::sleep};

/// How the receiver answers.
#[derive(Clone)]
pub(crate) enum Answer {
    Ok,
    Status(u16),
    Busy {
        retry_after_s: u32,
    },
    /// As a date of its own clock, which is the system's.
    BusyUntil {
        seconds: u64,
    },
    Redirect(String),
    Long(usize),
    /// Never.
    Hang,
}

/// What came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) id: String,
    pub(crate) timestamp: String,
    pub(crate) signature: String,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
    pub(crate) subject: String,
    pub(crate) verified: Result<(), VerifyError>,
}

struct Shared {
    clock: Arc<ManualClock>,
    secret: Mutex<String>,
    /// The answers of the next requests, then the last one for ever.
    answers: Mutex<VecDeque<Answer>>,
    received: Mutex<Vec<Received>>,
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Receiver {
    pub(crate) async fn start(clock: Arc<ManualClock>) -> Self {
        Self::start_on("127.0.0.1:0".parse().unwrap(), clock).await
    }

    pub(crate) async fn start_on(address: SocketAddr, clock: Arc<ManualClock>) -> Self {
        let shared = Arc::new(Shared {
            clock,
            secret: Mutex::default(),
            answers: Mutex::new(VecDeque::from([Answer::Ok])),
            received: Mutex::default(),
        });
        let listener = TcpListener::bind(address).await.expect("a port is free");
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(receive).with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn url_of(&self, host: impl Into<String>) -> String {
        format!("http://{}:{}/hook", host.into(), self.address.port())
    }

    pub(crate) fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    /// The secret that it verifies with.
    pub(crate) fn set_secret(&self, secret: &str) {
        secret.clone_into(&mut self.shared.secret.lock());
    }

    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        *self.shared.answers.lock() = answers.into_iter().collect();
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.shared.received.lock().len()
    }

    /// Waits until so many requests have come.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Received> {
        for _ in 0..3_000 {
            if self.count() >= count {
                return self.received();
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("{} requests came, not {count}", self.count());
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let (id, timestamp, signature) = (text(ID_HEADER), text(TIMESTAMP_HEADER), text(SIGNATURE_HEADER));
    let secret = shared.secret.lock().clone();
    let verified = verify(&secret, &id, &timestamp, &signature, &body, shared.clock.now());
    let event: Value = serde_json::from_slice(&body).unwrap_or_default();
    let subject = event["subject"].as_str().unwrap_or_default().to_owned();
    let content_type = text(header::CONTENT_TYPE.as_str());
    let body = body.to_vec();
    shared.received.lock().push(Received { id, timestamp, signature, content_type, body, subject, verified });
    let answer = {
        let mut answers = shared.answers.lock();
        if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
    };
    match answer.unwrap_or(Answer::Ok) {
        Answer::Ok => StatusCode::NO_CONTENT.into_response(),
        Answer::Status(status) => (StatusCode::from_u16(status).unwrap(), "not now\0").into_response(),
        Answer::Busy { retry_after_s } => {
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, retry_after_s.to_string())])
                .into_response()
        }
        Answer::BusyUntil { seconds } => {
            #[expect(clippy::disallowed_methods, reason = "a receiver has a clock of its own")]
            let now = SystemTime::now();
            let until = httpdate::fmt_http_date(now + Duration::from_secs(seconds));
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, until)]).into_response()
        }
        Answer::Redirect(to) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response(),
        Answer::Long(bytes) => "x".repeat(bytes).into_response(),
        Answer::Hang => std::future::pending().await,
    }
}
