//! An answer encoded once and given many times: bytes, entity tag, compressed variant.

use std::{io::Write, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

/// Below this, compression gains nothing.
const GZIP_BYTES_MIN: usize = 1_024;

/// Above this, compressing would hold up other requests on the same thread.
pub(crate) const INLINE_BYTES_MAX: usize = 16 * 1_024;

/// How long somebody may keep an answer without asking.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Freshness {
    /// Ask every time; the entity tag makes that cheap.
    Revalidate,
    /// A second.
    Second,
    /// A few seconds.
    Short,
}

impl Freshness {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Revalidate => "no-cache",
            Self::Second => "public, max-age=1",
            Self::Short => "public, max-age=5",
        }
    }
}

/// A JSON answer in its variants.
#[derive(Debug)]
pub(crate) struct Encoded {
    plain: Variant,
    gzip: OnceCell<Option<Variant>>,
    tag: String,
    freshness: Freshness,
    more: HeaderMap,
}

#[derive(Debug)]
struct Variant {
    bytes: Bytes,
    tag: HeaderValue,
    /// All headers of a 200.
    headers: HeaderMap,
}

impl Encoded {
    /// An answer whose entity tag is a digest of its bytes.
    pub(crate) fn new(bytes: Vec<u8>, freshness: Freshness) -> Arc<Self> {
        let tag = digest(&bytes);
        Self::with_tag(bytes, tag, freshness)
    }

    /// An answer whose entity tag is known. `tag` is plain ASCII without quotes.
    pub(crate) fn with_tag(bytes: Vec<u8>, tag: String, freshness: Freshness) -> Arc<Self> {
        Arc::new(Self::build(bytes, tag, freshness, HeaderMap::new()))
    }

    /// As [`Encoded::new`], with more headers.
    pub(crate) fn with_headers(bytes: Vec<u8>, freshness: Freshness, more: HeaderMap) -> Arc<Self> {
        let tag = digest(&bytes);
        Arc::new(Self::build(bytes, tag, freshness, more))
    }

    fn build(bytes: Vec<u8>, tag: String, freshness: Freshness, more: HeaderMap) -> Self {
        let plain = Variant::new(bytes.into(), &tag, freshness, false, &more);
        Self { plain, gzip: OnceCell::new(), tag, freshness, more }
    }

    /// How much memory it may come to take, in bytes.
    pub(crate) fn weight(&self) -> usize {
        // The compressed variant is a fraction of the plain one; the rest is headers.
        self.plain.bytes.len() + self.plain.bytes.len() / 3 + 1_024
    }

    /// The answer to a request with these headers: the bytes, or 304 if it has them already.
    pub(crate) async fn answer(&self, request: &HeaderMap) -> Response {
        let mut variant = &self.plain;
        if accepts_gzip(request)
            && let Some(gzip) = self.gzip.get_or_init(|| self.compress()).await
        {
            variant = gzip;
        }
        variant.answer(request)
    }

    async fn compress(&self) -> Option<Variant> {
        let plain = self.plain.bytes.clone();
        let compressed = match plain.len() {
            0..GZIP_BYTES_MIN => None,
            GZIP_BYTES_MIN..INLINE_BYTES_MAX => gzip(&plain),
            _ => tokio::task::spawn_blocking(move || gzip(&plain)).await.ok().flatten(),
        }?;
        Some(Variant::new(compressed.into(), &self.tag, self.freshness, true, &self.more))
    }
}

impl Variant {
    fn new(bytes: Bytes, tag: &str, freshness: Freshness, gzip: bool, more: &HeaderMap) -> Self {
        // A strong tag names bytes, so the variants have different ones.
        let tag = if gzip { format!("\"{tag}-gzip\"") } else { format!("\"{tag}\"") };
        let tag = HeaderValue::try_from(tag).expect("a tag is plain ASCII");
        let mut headers = HeaderMap::with_capacity(8);
        headers.extend(more.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ETAG, tag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(freshness.as_str()));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Self { bytes, tag, headers }
    }

    fn answer(&self, request: &HeaderMap) -> Response {
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = self.headers.clone();
        if has_already(request, self.tag.as_bytes()) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response.headers_mut().remove(header::CONTENT_TYPE);
            response.headers_mut().remove(header::CONTENT_ENCODING);
        } else {
            *response.body_mut() = Body::from(self.bytes.clone());
        }
        response
    }
}

/// A digest that names bytes, in hexadecimal.
fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..12].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `None` only if memory for the result cannot be had.
fn gzip(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::new(6));
    encoder.write_all(plain).and_then(|()| encoder.finish()).ok()
}

fn accepts_gzip(request: &HeaderMap) -> bool {
    let Some(accepted) = request.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    accepted.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = |weight: &str| weight.parse().is_ok_and(|weight: f32| weight <= 0.0);
        named && !parts.filter_map(|part| part.strip_prefix("q=")).any(refused)
    })
}

/// Whether `If-None-Match` names the tag. Weak comparison, as RFC 9110 asks here.
pub(crate) fn has_already(request: &HeaderMap, tag: &[u8]) -> bool {
    request.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .any(|candidate| candidate == b"*" || candidate.strip_prefix(b"W/").unwrap_or(candidate) == tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn gzip_is_given_to_those_who_accept_it() {
        let accepts = |value: &str| accepts_gzip(&request(header::ACCEPT_ENCODING, value));
        assert!(accepts("gzip") && accepts("br, GZIP;q=0.5") && accepts("deflate, gzip"));
        assert!(!accepts("br") && !accepts("gzip;q=0") && !accepts("gzip; q=0.0") && !accepts(""));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_known_tag_is_recognised_in_any_list() {
        let has = |value: &str| has_already(&request(header::IF_NONE_MATCH, value), b"\"a\"");
        assert!(has("\"a\"") && has("W/\"a\"") && has("\"b\", \"a\"") && has("*"));
        assert!(!has("\"b\"") && !has("a") && !has(""));
    }

    #[tokio::test]
    async fn each_variant_is_made_once_and_has_its_own_tag() {
        let encoded = Encoded::new(vec![b' '; 100_000], Freshness::Short);
        let plain = encoded.answer(&HeaderMap::new()).await;
        let gzip = encoded.answer(&request(header::ACCEPT_ENCODING, "gzip")).await;
        assert_ne!(plain.headers()[header::ETAG], gzip.headers()[header::ETAG]);
        assert_eq!(gzip.headers()[header::CONTENT_ENCODING], "gzip");
        let mut again = request(header::ACCEPT_ENCODING, "gzip");
        again.insert(header::IF_NONE_MATCH, gzip.headers()[header::ETAG].clone());
        let not_modified = encoded.answer(&again).await;
        assert_eq!(not_modified.status(), StatusCode::NOT_MODIFIED);
        assert!(!not_modified.headers().contains_key(header::CONTENT_ENCODING));
        let first = encoded.gzip.get().unwrap().as_ref().unwrap().bytes.as_ptr();
        encoded.answer(&request(header::ACCEPT_ENCODING, "gzip")).await;
        assert_eq!(encoded.gzip.get().unwrap().as_ref().unwrap().bytes.as_ptr(), first);
    }
}
