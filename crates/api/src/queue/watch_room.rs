//! `GET /api/v1/queue/rooms/{id}/events`

use std::time::Duration;

use axum::{extract::State, response::Response};
use bytes::Bytes;
use futures_util::stream;
use onsale_domain::ids::RoomId;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::{
    Shared,
    event_stream::{event_stream, stopped},
    extract::ApiPath,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::Overloaded];

/// How often the room is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After how many looks without news a comment is sent, so that proxies keep the connection.
const LOOKS_PER_SIGN: u32 = 15;

/// Watch a waiting room
///
/// Server-sent events: `data` is the room's document, whenever it has changed, at most once a second.
/// A comment is sent every 15 seconds.
#[utoipa::path(get, path = "/api/v1/queue/rooms/{id}/events", tag = "queue",
    params(("id" = i64, Path, description = "The room's id", minimum = 1)),
    responses((status = 200, description = "The room, as it changes", content_type = "text/event-stream", body = String)))]
pub(super) async fn watch_room(
    State(api): State<Shared>,
    ApiPath(id): ApiPath<i64>,
) -> Result<Response, Problem> {
    let room = RoomId(id);
    let (_, first) = api.room_document(room).await?;
    let place = api.watchers.clone().try_acquire_owned().map_err(|_| {
        Problem::new(Kind::Overloaded, "too many are watching; poll the room's document instead")
    })?;
    let stopping = api.stopping.clone();
    let watcher = Watcher { api, room, told: None, ready: Some(first), stopping, _place: place };
    Ok(event_stream(stream::unfold(watcher, |mut watcher| async move {
        watcher.next().await.map(|frame| (frame, watcher))
    })))
}

/// One who watches.
struct Watcher {
    api: Shared,
    room: RoomId,
    told: Option<Bytes>,
    ready: Option<Bytes>,
    stopping: Option<watch::Receiver<bool>>,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    /// The next bytes to send; none when the server stops or the room is not run here any more.
    async fn next(&mut self) -> Option<Bytes> {
        let mut looks = 0;
        loop {
            if let Some(frame) = self.ready.take()
                && self.told.as_ref() != Some(&frame)
            {
                self.told = Some(frame.clone());
                return Some(frame);
            }
            looks += 1;
            if looks > LOOKS_PER_SIGN {
                return Some(Bytes::from_static(b": still here\n\n"));
            }
            tokio::select! {
                () = stopped(&mut self.stopping) => return None,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            self.ready = Some(self.api.room_document(self.room).await.ok()?.1);
        }
    }
}
