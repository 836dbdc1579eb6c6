//! `GET /media/{name}`

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use onsale_engine::media::{MediaError, MediaName};

use crate::{
    Shared,
    encoded::has_already,
    extract::{ApiPath, Head},
    problem::{Kind, Problem},
};

/// A name says what is in the file, so what was answered once is right for ever.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Should a browser be talked into taking a picture for a page, it does nothing.
const NO_PAGE: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// Get a picture
#[utoipa::path(get, path = "/media/{name}", tag = "catalogue",
    params(("name" = String, Path, description = "The picture's name, as a show's `thumbnailImage` or an item's `imageUrl` has it")),
    responses(
        (status = 200, description = "The picture", body = Vec<u8>, content_type = "image/*"),
        (status = 304, description = "Not changed since `If-None-Match`")))]
pub(super) async fn get_media(
    State(api): State<Shared>,
    ApiPath(name): ApiPath<String>,
    head: Head,
) -> Result<Response, Problem> {
    let no_such = || Problem::new(Kind::NotFound, "there is no such picture");
    let media = api.engine.media.as_ref().ok_or(MediaError::None)?;
    let name: MediaName = name.parse().map_err(|_| no_such())?;
    let bytes = media.get(&name).await?.ok_or_else(no_such)?;
    let tag = HeaderValue::try_from(format!("\"{name}\"")).expect("a name is plain ASCII");
    let mut answer = if has_already(&head.0.headers, tag.as_bytes()) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let media_type = HeaderValue::from_static(name.format().media_type());
        ([(header::CONTENT_TYPE, media_type)], Body::from(bytes)).into_response()
    };
    let headers = answer.headers_mut();
    headers.insert(header::ETAG, tag);
    headers.insert(header::CACHE_CONTROL, FOR_EVER);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, NO_PAGE);
    Ok(answer)
}
