//! `PUT /api/v1/admin/shows/{id}/image`

use axum::{
    extract::{FromRequest, Request, State},
    http::{StatusCode, header},
};
use bytes::Bytes;
use onsale_domain::ids::ShowId;
use onsale_engine::media::{IMAGE_BYTES_MAX, ImageFormat};

use crate::{
    Shared,
    caller::OwnerOf,
    json,
    problem::{Kind, Problem},
};

/// Set a show's picture
///
/// The body is the picture itself: PNG, JPEG, WebP or GIF, at most 5 MiB, 16,384 pixels on a side and
/// 50 million in all. It becomes the show's `thumbnailImage`. What follows the picture in the body is
/// cut off.
#[utoipa::path(put, path = "/api/v1/admin/shows/{id}/image", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The show's id", minimum = 1)),
    request_body(content = Vec<u8>, content_type = "image/*"),
    responses((status = 204, description = "The show has the picture")))]
pub(super) async fn set_show_image(
    State(api): State<Shared>,
    OwnerOf(_caller, id): OwnerOf<ShowId>,
    picture: Picture,
) -> Result<StatusCode, Problem> {
    api.engine.set_show_image(id, picture.media_type, picture.bytes).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A picture that was sent, and what it is said to be.
pub(super) struct Picture {
    media_type: &'static str,
    bytes: Bytes,
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
