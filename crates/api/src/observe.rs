//! What goes around every operation: counts, latencies, panics, and a log line for a 5xx.
//!
//! It wraps the handler itself rather than its route: axum keeps each layer of a route in a box of
//! its own and copies it for every request, which the hottest calls would notice.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Instant,
};

use axum::{
    extract::Request,
    handler::Handler,
    http::{Method, StatusCode},
    response::Response,
};
use metrics::{Counter, Histogram, counter, histogram};
use pin_project_lite::pin_project;

use crate::{
    door,
    problem::{Kind, Problem},
};

/// Metric handles of one route, looked up once. A handle belongs to the recorder that is installed
/// when it is first used, so the recorder must be installed before requests come.
struct Handles {
    route: Box<str>,
    methods: [MethodHandles; METHODS.len()],
}

#[derive(Default)]
struct MethodHandles {
    duration: OnceLock<Histogram>,
    requests: [OnceLock<Counter>; STATUSES.len()],
}

const METHODS: [Method; 6] =
    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD];

/// The statuses that operations answer.
const STATUSES: [u16; 21] =
    [200, 201, 204, 303, 304, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 500, 502, 503, 504, 0];

impl Handles {
    fn record(&self, method: usize, status: StatusCode, started: Instant) {
        let Some(handles) = self.methods.get(method) else { return };
        let (name, route) = (METHODS[method].to_string(), || self.route.to_string());
        handles
            .duration
            .get_or_init(|| {
                histogram!("onsale_http_request_duration_seconds", "method" => name.clone(), "route" => route())
            })
            .record(started.elapsed());
        let slot = STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or(STATUSES.len() - 1);
        handles.requests[slot]
            .get_or_init(|| {
                let status = STATUSES[slot].to_string();
                counter!("onsale_http_requests_total", "method" => name.clone(), "route" => route(), "status" => status)
            })
            .increment(1);
    }
}

/// Observes handlers of one route.
#[derive(Clone)]
pub(crate) struct Observe(Arc<Handles>);

impl Observe {
    /// For a route such as `/api/v1/movies/{id}`.
    pub(crate) fn route(route: &str) -> Self {
        let methods = std::array::from_fn(|_| MethodHandles::default());
        Self(Arc::new(Handles { route: route.into(), methods }))
    }

    /// The handler, observed.
    pub(crate) fn handler<H>(&self, handler: H) -> Observed<H> {
        Observed { handler, handles: self.0.clone() }
    }
}

/// See [`Observe`].
#[derive(Clone)]
pub(crate) struct Observed<H> {
    handler: H,
    handles: Arc<Handles>,
}

impl<T, S, H: Handler<T, S>> Handler<T, S> for Observed<H> {
    type Future = Observing<H::Future>;

    #[expect(clippy::disallowed_methods, reason = "measures how long the answer took")]
    fn call(self, request: Request, state: S) -> Self::Future {
        let method = METHODS.iter().position(|method| method == request.method()).unwrap_or(METHODS.len());
        Observing {
            started: Instant::now(),
            method,
            handles: self.handles,
            inner: self.handler.call(request, state),
        }
    }
}

pin_project! {
    /// An answer in the making.
    pub(crate) struct Observing<F> {
        #[pin]
        inner: F,
        handles: Arc<Handles>,
        method: usize,
        started: Instant,
    }
}

impl<F: Future<Output = Response>> Future for Observing<F> {
    type Output = Response;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let this = self.project();
        let mut response = match catch_unwind(AssertUnwindSafe(|| this.inner.poll(context))) {
            Ok(polled) => ready!(polled),
            // The panic hook has logged it.
            Err(_) => Problem::new(Kind::Internal, "the request could not be carried out")
                .answer_at(&this.handles.route),
        };
        let status = response.status();
        if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
            tracing::error!(route = %this.handles.route, status = status.as_u16(), "request failed");
        }
        door::secure(response.headers_mut());
        this.handles.record(*this.method, status, *this.started);
        Poll::Ready(response)
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, routing::get};
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tower::ServiceExt;

    use super::*;

    #[test]
    fn answers_are_counted_and_a_panic_is_a_500() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        metrics::with_local_recorder(&recorder, || {
            runtime.block_on(async {
                let observe = Observe::route("/fine");
                let fine = get(observe.handler(async || "fine"))
                    .post(observe.handler(async || -> &'static str { panic!("a defect") }));
                let router = Router::<()>::new().route("/fine", fine);
                for (method, status) in [("GET", 200), ("GET", 200), ("POST", 500)] {
                    let request = Request::builder().method(method).uri("/fine").body(Body::empty()).unwrap();
                    let response = router.clone().oneshot(request).await.unwrap();
                    assert_eq!(response.status().as_u16(), status);
                }
            });
        });
        let written = handle.render();
        for (method, status, count) in [("GET", 200, 2), ("POST", 500, 1)] {
            let line = format!(
                "onsale_http_requests_total{{method=\"{method}\",route=\"/fine\",status=\"{status}\"}} {count}"
            );
            assert!(written.contains(&line), "{line} is not in\n{written}");
        }
        assert!(
            written.contains("onsale_http_request_duration_seconds_count{method=\"GET\",route=\"/fine\"} 2")
        );
    }
}
