//! The `Queue-Token` header, and a place in line as it is answered.

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, header, request::Parts},
    response::Response,
};
use onsale_domain::{ids::PerformanceId, line::WaitRange};
use onsale_engine::line::{InLine, InLineStatus};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Api,
    problem::{Kind, Problem},
    time::Rfc3339,
};

pub(crate) static QUEUE_TOKEN: HeaderName = HeaderName::from_static("queue-token");

/// The token that a request shows, if any. It is never taken from the address, which ends up in
/// logs, histories and referrers.
pub(crate) struct QueueToken(Option<Box<str>>);

impl QueueToken {
    pub(crate) fn as_deref(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The token, where there is nothing to do without one.
    pub(super) fn required(&self) -> Result<&str, Problem> {
        self.as_deref().ok_or_else(|| {
            Problem::new(
                Kind::InvalidQueueToken,
                "send the token that you got when you joined as `Queue-Token`",
            )
        })
    }
}

impl<S: Sync> FromRequestParts<S> for QueueToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(&QUEUE_TOKEN).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        match (value.to_str(), values.next()) {
            (Ok(token), None) => Ok(Self(Some(token.into()))),
            _ => Err(Problem::new(Kind::InvalidQueueToken, "Queue-Token must be one token, given once")),
        }
    }
}

/// Gives a token that has been replaced along with an answer.
pub(crate) fn give_token(response: &mut Response, token: Option<String>) {
    if let Some(token) = token.and_then(|token| HeaderValue::try_from(token).ok()) {
        response.headers_mut().insert(&QUEUE_TOKEN, token);
    }
}

impl Api {
    /// Keeps caches that many share from giving away what is behind a waiting room.
    pub(crate) fn keep_private(&self, performance: PerformanceId, response: &mut Response) {
        if self.engine.rooms.room_of(performance).is_some() {
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
            headers.append(header::VARY, HeaderValue::from_static("Queue-Token"));
        }
    }
}

/// A place in line.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = QueueTicket)]
pub(super) struct TicketBody {
    /// What to send as `Queue-Token` from now on. It is another one once `status` is `active`.
    token: String,
    /// The room.
    #[schema(minimum = 1, example = 1)]
    room_id: i64,
    /// The number, from 0. Among those who came before the opening, the draw makes a place of it; whoever
    /// has it and the room's document can check that.
    #[schema(minimum = 0, example = 51_200)]
    number: u32,
    /// How it stands.
    status: Status,
    /// How many places are before it: `place` less the `cursor` of the room's document. None before
    /// lots are drawn, and when it is active.
    #[schema(minimum = 0, example = 1_200)]
    position: Option<u32>,
    /// The place in line, which never changes. None before lots are drawn, and when it is active.
    #[schema(minimum = 0, example = 51_200)]
    place: Option<u32>,
    /// How long it probably takes. None while nothing is known.
    expected_wait_seconds: Option<WaitBody>,
    /// Until when the token opens the sale, unless it is used up by paying before. None while waiting.
    expires_at: Option<Rfc3339>,
    /// After how many milliseconds to ask again; whoever asks much later may be stepped over.
    #[schema(minimum = 0, example = 5_000)]
    poll_after_ms: i64,
}

/// How a place in line stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = QueueStatus)]
enum Status {
    /// Not yet.
    Waiting,
    /// The token opens the sale.
    Active,
}

/// A range of time, in seconds.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[schema(as = WaitSeconds)]
pub(super) struct WaitBody {
    /// Probably not less.
    #[schema(minimum = 0, example = 100)]
    low: i64,
    /// Probably not more.
    #[schema(minimum = 0, example = 140)]
    high: i64,
}

impl From<WaitRange> for WaitBody {
    fn from(wait: WaitRange) -> Self {
        Self { low: wait.low_ms / 1_000, high: wait.high_ms.saturating_add(999) / 1_000 }
    }
}

impl From<InLine> for TicketBody {
    fn from(line: InLine) -> Self {
        let (status, place, position, wait, until) = match line.status {
            InLineStatus::PreQueue => (Status::Waiting, None, None, None, None),
            InLineStatus::Waiting { place, ahead, wait } => {
                (Status::Waiting, Some(place.0), Some(ahead), wait, None)
            }
            InLineStatus::Active { until } => (Status::Active, None, None, None, Some(until)),
        };
        Self {
            token: line.token,
            room_id: line.room.0,
            number: line.number.0,
            status,
            position,
            place,
            expected_wait_seconds: wait.map(WaitBody::from),
            expires_at: until.map(Rfc3339),
            poll_after_ms: line.poll_after_ms,
        }
    }
}
