//! A picture in a request's body.

use axum::{
    extract::{FromRef, FromRequest, Request},
    http::header,
};
use bytes::Bytes;
use onsale_engine::media::{IMAGE_BYTES_MAX, ImageFormat};

use crate::{
    Shared, json,
    problem::{Kind, Problem},
};

/// A picture that was sent, and what it is said to be.
pub(super) struct Picture {
    pub(super) media_type: &'static str,
    pub(super) bytes: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Picture
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let said = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let said = said.unwrap_or("").split(';').next().unwrap_or("").trim();
        let known = ImageFormat::ALL.map(ImageFormat::media_type);
        // Looked at first: what cannot be taken need not be read.
        let media_type = known.into_iter().find(|known| said.eq_ignore_ascii_case(known));
        let media_type = media_type.ok_or_else(|| {
            let known = known.join(", ");
            Problem::new(
                Kind::UnsupportedMediaType,
                format!("send the picture with Content-Type: one of {known}"),
            )
        })?;
        let time_max = Shared::from_ref(state).door.body_time_max;
        let bytes = json::read_at_pace(request.into_body(), IMAGE_BYTES_MAX, time_max).await?;
        Ok(Self { media_type, bytes })
    }
}
