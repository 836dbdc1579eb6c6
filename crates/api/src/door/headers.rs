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
    let sent = ["idempotency-key", "queue-token"].map(HeaderName::from_static);
    let seen = ["idempotent-replayed", "queue-token", "ratelimit", "ratelimit-policy", "retry-after"]
        .map(HeaderName::from_static);
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(
            [header::AUTHORIZATION, header::CONTENT_TYPE, header::IF_NONE_MATCH]
                .into_iter()
                .chain(sent)
                .collect::<Vec<_>>(),
        )
        .expose_headers([header::ETAG, header::LOCATION].into_iter().chain(seen).collect::<Vec<_>>())
        .max_age(PREFLIGHT_KEPT);
    router.layer(layer)
}
