//! The strict JSON extractor.

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream, HttpBody as _},
    extract::{FromRef, FromRequest, FromRequestParts as _, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    Shared,
    extract::ApiPath,
    problem::{Kind, Problem},
};

/// The most bytes of an ordinary body.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// The most bytes of an organiser's body: seat lists and halls.
pub(crate) const ADMIN_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What most answers take, in bytes.
const ANSWER_BYTES: usize = 512;

/// A JSON object of at most `BYTES_MAX` bytes; if no member of it is required, it may be left out. Anything else
/// is a problem that says what is wrong.
pub(crate) struct JsonBody<T, const BYTES_MAX: usize = BODY_BYTES_MAX>(pub(crate) T);

/// A change of something that has been read: what an answer has and a change has not may be sent along, so
/// that what was got can be put.
pub(crate) struct Edited<T>(pub(crate) T);

/// See [`Edited`].
pub(crate) trait Editable: DeserializeOwned {
    /// The member that is the `{id}` of the address. Another one is refused. Empty: there is none.
    const ID: &'static str;

    /// The members that are passed over: they change by themselves or by another call.
    const READ_ONLY: &'static [&'static str];
}

/// A larger JSON object, for organisers.
pub(crate) type AdminBody<T> = JsonBody<T, ADMIN_BODY_BYTES_MAX>;

/// A JSON array, for organisers.
pub(crate) struct AdminList<T>(pub(crate) Vec<T>);

impl<S: Sync, T: DeserializeOwned, const BYTES_MAX: usize> FromRequest<S> for JsonBody<T, BYTES_MAX>
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if request.body().is_end_stream()
            && let Some(nothing) = nothing_said()
        {
            return Ok(Self(nothing));
        }
        let bytes = json_bytes(request, BYTES_MAX, Shared::from_ref(state).door.body_time_max).await?;
        if bytes.is_empty()
            && let Some(nothing) = nothing_said()
        {
            return Ok(Self(nothing));
        }
        // The parser would take an array for an object, its members in order.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(not_an_object(&bytes));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| not_acceptable(&error))
    }
}

impl<S: Send + Sync, T: Editable> FromRequest<S> for Edited<T>
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let id = match T::ID {
            "" => None,
            _ => Some(ApiPath::<i64>::from_request_parts(&mut parts, state).await?.0),
        };
        let request = Request::from_parts(parts, body);
        if request.body().is_end_stream()
            && let Some(nothing) = nothing_said()
        {
            return Ok(Self(nothing));
        }
        let bytes =
            json_bytes(request, ADMIN_BODY_BYTES_MAX, Shared::from_ref(state).door.body_time_max).await?;
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(not_an_object(&bytes));
        }
        match serde_json::from_slice(&bytes) {
            Ok(change) => Ok(Self(change)),
            Err(error) => without_read_only::<T>(&bytes, id)?.map(Self).ok_or_else(|| not_acceptable(&error)),
        }
    }
}

/// The change without what is only read. `None`: there is nothing of that, or something else is wrong.
fn without_read_only<T: Editable>(bytes: &[u8], id: Option<i64>) -> Result<Option<T>, Problem> {
    let Ok(mut members) = serde_json::from_slice::<Map<String, Value>>(bytes) else { return Ok(None) };
    let before = members.len();
    if let Some(given) = members.remove(T::ID)
        && given.as_i64() != id
    {
        return Err(Problem::field(T::ID, "is not the one in the address"));
    }
    for name in T::READ_ONLY {
        members.remove(*name);
    }
    if members.len() == before {
        return Ok(None);
    }
    serde_json::from_value(Value::Object(members)).map(Some).map_err(|error| not_acceptable(&error))
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for AdminList<T>
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes =
            json_bytes(request, ADMIN_BODY_BYTES_MAX, Shared::from_ref(state).door.body_time_max).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| not_acceptable(&error))
    }
}

/// The value of an empty body. `None` where a member is required.
fn nothing_said<T: DeserializeOwned>() -> Option<T> {
    serde_json::from_str("{}").ok()
}

/// An answer in JSON.
///
/// As axum's own, with room from the start for what most answers take.
pub(crate) fn json_answer(status: StatusCode, body: &impl Serialize) -> Response {
    let mut bytes = Vec::with_capacity(ANSWER_BYTES);
    serde_json::to_writer(&mut bytes, body).expect("what we answer is JSON");
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response()
}

async fn json_bytes(request: Request, bytes_max: usize, time_max: Duration) -> Result<Bytes, Problem> {
    check_media_type(request.headers())?;
    timeout(time_max, read(request.into_body(), bytes_max)).await.unwrap_or_else(|_| {
        let seconds = time_max.as_secs_f32();
        Err(Problem::new(Kind::RequestTimeout, format!("the body took longer than {seconds} s to arrive")))
    })
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = media_type.split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(Kind::UnsupportedMediaType, "send the body with Content-Type: application/json"))
}

/// How fast a large body must come after its first moments, in bytes a second.
const PACE_MIN: f64 = 16.0 * 1_024.0;

/// A whole body of at most so many bytes, which may take `time_max` and, beyond that, as long as it comes at
/// a pace of [`PACE_MIN`].
pub(crate) async fn read_at_pace(body: Body, bytes_max: usize, time_max: Duration) -> Result<Bytes, Problem> {
    let begun = Instant::now();
    let may_take = |bytes: usize| time_max + Duration::from_secs_f64(bytes as f64 / PACE_MIN);
    read_until(body, bytes_max, |bytes| Some(begun + may_take(bytes))).await
}

/// A whole body of at most so many bytes.
pub(crate) async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    read_until(body, bytes_max, |_| None).await
}

/// A whole body of at most so many bytes. `until` tells, after so many, when the next ones must be there.
async fn read_until(
    body: Body,
    bytes_max: usize,
    until: impl Fn(usize) -> Option<Instant>,
) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(Kind::BodyTooLarge, format!("the body is larger than {bytes_max} bytes"))
            .with("bytesMax", bytes_max)
    };
    let mut chunks = body.into_data_stream();
    let next = async |chunks: &mut BodyDataStream, bytes: usize| {
        let chunk = match until(bytes) {
            None => chunks.next().await,
            Some(until) => timeout_at(until, chunks.next()).await.map_err(|_| too_slow())?,
        };
        chunk.transpose().map_err(|_| broken_off())
    };
    let mut whole = match next(&mut chunks, 0).await? {
        None => return Ok(Bytes::new()),
        Some(first) if first.len() > bytes_max => return Err(too_large()),
        Some(first) => first,
    };
    // Nearly every body arrives in one piece and is not copied.
    let mut rest = BytesMut::new();
    while let Some(chunk) = next(&mut chunks, whole.len() + rest.len()).await? {
        if rest.is_empty() {
            rest.extend_from_slice(&whole);
            whole = Bytes::new();
        }
        if rest.len() + chunk.len() > bytes_max {
            return Err(too_large());
        }
        rest.extend_from_slice(&chunk);
    }
    Ok(if rest.is_empty() { whole } else { rest.freeze() })
}

fn too_slow() -> Problem {
    Problem::new(Kind::RequestTimeout, "the body came too slowly")
}

fn broken_off() -> Problem {
    Problem::new(Kind::MalformedJson, "the body broke off")
}

fn not_an_object(bytes: &[u8]) -> Problem {
    match serde_json::from_slice::<IgnoredAny>(bytes) {
        Ok(_) => Problem::new(Kind::InvalidRequest, "the body must be a JSON object"),
        Err(error) => not_acceptable(&error),
    }
}

fn not_acceptable(error: &serde_json::Error) -> Problem {
    let kind = if error.is_data() { Kind::InvalidRequest } else { Kind::MalformedJson };
    Problem::new(kind, error.to_string())
}
