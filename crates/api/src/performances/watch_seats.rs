//! `GET /api/v1/performances/{id}/events`

use std::{collections::VecDeque, fmt::Write, sync::Arc, time::Duration};

use axum::{extract::State, http::HeaderMap, response::Response};
use bytes::Bytes;
use futures_util::stream;
use onsale_domain::ids::PerformanceId;
use onsale_engine::sales::{PerformanceView, SeatChanges};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};
use utoipa::IntoParams;

use crate::{
    Shared,
    event_stream::{event_stream, stopped},
    extract::{ApiPath, ApiQuery},
    problem::{Kind, Problem},
    queue::QueueToken,
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::Overloaded];

/// How often a comment is sent when nothing happens, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The most seats that one event names. Of more, `availability` tells in fewer bytes.
const SEATS_PER_EVENT_MAX: usize = 10_000;

/// Where to go on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct From {
    /// The version after which to go on: that of the `availability` one has. Left out: now. The
    /// `Last-Event-ID` header, which browsers send when they come back, goes before it.
    #[param(minimum = 0)]
    since: Option<i64>,
}

/// Watch the seats of a performance
///
/// Server-sent events, one per version: `id` is the version, `data` is
/// `{"version": 18, "seats": [[ordinal, "held"], ...]}`. An event named `reset` with
/// `{"version": 40}` means that changes were missed, or were too many to name: read `availability` again. A comment is sent
/// every 15 seconds.
#[utoipa::path(get, path = "/api/v1/performances/{id}/events", tag = "performances",
    params(("id" = i64, Path, description = "The performance's id", minimum = 1),
        ("Queue-Token" = Option<String>, Header, description = "An active token, if there is a waiting room"), From,
        ("Last-Event-ID" = Option<i64>, Header, description = "The version after which to go on")),
    responses((status = 200, description = "The changes, as they happen", content_type = "text/event-stream", body = String)))]
pub(super) async fn watch_seats(
    State(api): State<Shared>,
    ApiPath(id): ApiPath<i64>,
    token: QueueToken,
    ApiQuery(from): ApiQuery<From>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let since = last_event_id(&headers)?.or(from.since);
    if since.is_some_and(|since| since < 0) {
        return Err(Problem::field("since", "a version is not below 0"));
    }
    let id = PerformanceId(id);
    let view =
        api.engine.sales.view_with(token.as_deref(), id).await.map_err(|error| api.sale_problem(error))?;
    let place =
        api.watchers.clone().try_acquire_owned().map_err(|_| {
            Problem::new(Kind::Overloaded, "too many are watching; poll `availability` instead")
        })?;
    let watcher = Watcher::new(api, id, view, since, place);
    Ok(event_stream(stream::unfold(watcher, |mut watcher| async move {
        watcher.next().await.map(|frame| (frame, watcher))
    })))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let version = value.to_str().ok().and_then(|text| text.parse().ok());
    version.map(Some).ok_or_else(|| Problem::field("Last-Event-ID", "must be the id of an event"))
}

/// One who watches.
struct Watcher {
    api: Shared,
    performance: PerformanceId,
    view: Arc<PerformanceView>,
    /// The version that has been told.
    version: i64,
    ready: VecDeque<Bytes>,
    changes: broadcast::Receiver<Arc<SeatChanges>>,
    stopping: Option<watch::Receiver<bool>>,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    fn new(
        api: Shared,
        performance: PerformanceId,
        view: Arc<PerformanceView>,
        since: Option<i64>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let version = since.unwrap_or_else(|| view.version());
        let (missed, changes) = view.watch(version);
        let stopping = api.stopping.clone();
        let ready = VecDeque::new();
        let mut watcher = Self { api, performance, view, version, ready, changes, stopping, _place: place };
        // Says at once that the stream is open, also through proxies that wait for a first byte.
        watcher.ready.push_back(Bytes::from_static(b": watching\n\n"));
        match missed {
            // A version of the future: from before the database was put back to an older state.
            _ if version > watcher.view.version() => watcher.reset(),
            Some(missed) => missed.iter().for_each(|changes| watcher.tell(changes)),
            None => watcher.reset(),
        }
        watcher
    }

    /// The next bytes to send; none when the server stops.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Some(frame);
            }
            let received = tokio::select! {
                () = stopped(&mut self.stopping) => return None,
                received = tokio::time::timeout(KEEP_ALIVE, self.changes.recv()) => received,
            };
            match received {
                Err(_) => return Some(Bytes::from_static(b": still here\n\n")),
                Ok(Ok(changes)) => self.tell(&changes),
                Ok(Err(broadcast::error::RecvError::Lagged(_))) => self.reset(),
                Ok(Err(broadcast::error::RecvError::Closed)) => return None,
            }
        }
    }

    /// Tells a change unless it has been told. The channel itself says when some were missed.
    fn tell(&mut self, changes: &SeatChanges) {
        if changes.version <= self.version {
            return;
        }
        if changes.seats.len() > SEATS_PER_EVENT_MAX {
            return self.reset();
        }
        self.version = changes.version;
        self.ready.push_back(self.api.live.frame(self.performance, changes, frame));
    }

    fn reset(&mut self) {
        self.version = self.view.version();
        let version = self.version;
        let frame = format!("event: reset\nid: {version}\ndata: {{\"version\":{version}}}\n\n");
        self.ready.push_back(frame.into());
    }
}

fn frame(changes: &SeatChanges) -> Bytes {
    let version = changes.version;
    let mut text = format!("id: {version}\ndata: {{\"version\":{version},\"seats\":[");
    for (index, (ordinal, status)) in changes.seats.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(text, "{comma}[{ordinal},\"{}\"]", status.as_str()).expect("memory takes everything");
    }
    text.push_str("]}\n\n");
    text.into()
}
