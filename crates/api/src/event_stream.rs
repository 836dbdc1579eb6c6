//! Server-sent events: what every stream of them answers with.

use std::convert::Infallible;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::sync::watch;

/// A stream of frames as an answer that nobody on the way keeps or gathers.
pub(crate) fn event_stream(frames: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let mut response = Response::new(Body::from_stream(frames.map(Ok::<_, Infallible>)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Asks nginx not to gather the events.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Returns when the server stops.
pub(crate) async fn stopped(stopping: &mut Option<watch::Receiver<bool>>) {
    if let Some(stopping) = stopping
        && stopping.wait_for(|stopping| *stopping).await.is_ok()
    {
        return;
    }
    // Nobody can say it, or not any more.
    std::future::pending::<()>().await;
}
