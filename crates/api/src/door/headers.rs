//! Headers for browsers.

use std::time::Duration;

use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// What no browser may do with an answer of the API: guess its type, show it in a frame, load
/// anything for it, tell others where it came from.
const SECURE: [(HeaderName, HeaderValue); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// As above, for the pages that show the documentation: they load their own scripts and pictures, call
/// the API, and their library writes styles into the page.
const PAGES: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// How long a browser may remember that a site may call.
const PREFLIGHT_KEPT: Duration = Duration::from_secs(600);

/// The headers that the API reads of a page's request. A browser sends `last-event-id` when it takes a
/// stream up again.
const SENT: [HeaderName; 7] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_TYPE,
    header::IF_NONE_MATCH,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("queue-token"),
];

/// The headers of an answer that a page may read, beside those that any page may.
const SEEN: [HeaderName; 13] = [
    header::ALLOW,
    header::DATE,
    header::ETAG,
    header::LINK,
    header::LOCATION,
    header::RETRY_AFTER,
    header::VARY,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("idempotent-replayed"),
    HeaderName::from_static("queue-token"),
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("x-total-count"),
];

/// Adds what keeps browsers out of trouble.
pub(crate) fn secure(headers: &mut HeaderMap) {
    for (name, value) in &SECURE {
        headers.entry(name).or_insert_with(|| value.clone());
    }
}

/// As [`secure`], for the pages that show the documentation.
pub(crate) fn secure_page(headers: &mut HeaderMap) {
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(PAGES);
    secure(headers);
}

/// Lets pages of other sites call, if any may. There are no cookies, so no credentials are sent
/// that the page does not have.
pub(crate) fn cors(router: Router, origins: &[String]) -> Router {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    if origins.is_empty() {
        return router;
    }
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(SENT)
        .expose_headers(SEEN)
        .max_age(PREFLIGHT_KEPT);
    router.layer(layer)
}
