//! A picture in a request's body.

use axum::{
    extract::{FromRequest, Request},
    http::header,
};
use bytes::Bytes;
use onsale_engine::media::{IMAGE_BYTES_MAX, ImageFormat};

use crate::{
    json,
    problem::{Kind, Problem},
};

/// A picture that was sent, and what it is said to be.
pub(super) struct Picture {
    pub(super) media_type: &'static str,
    pub(super) bytes: Bytes,
}

impl<S: Sync> FromRequest<S> for Picture {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
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
        let bytes = json::read(request.into_body(), IMAGE_BYTES_MAX).await?;
        Ok(Self { media_type, bytes })
    }
}
