//! Lists in pages: how many there are in all, and where the next page is, beside the list itself.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use serde::Deserialize;

static TOTAL: HeaderName = HeaderName::from_static("x-total-count");

/// The members of a page by numbers that its headers are made of.
#[derive(Deserialize)]
struct Numbered {
    page: u32,
    size: u32,
    total: u64,
}

/// The headers of a page by numbers, from its `page`, `size` and `total`: `X-Total-Count`, and `Link` to the
/// next page, if there is one (RFC 8288).
pub(crate) fn numbered(uri: &Uri, body: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Ok(Numbered { page, size, total }) = serde_json::from_slice(body) else { return headers };
    headers.insert(&TOTAL, total.into());
    if (u64::from(page) + 1) * u64::from(size) < total {
        link_next(&mut headers, uri, "page", (page + 1).into());
    }
    headers
}

/// Adds the `Link` to the page whose parameter `name` is `value`.
pub(crate) fn link_next(headers: &mut HeaderMap, uri: &Uri, name: &str, value: i64) {
    let is_other = |pair: &&str| !pair.is_empty() && pair.split('=').next() != Some(name);
    let others = uri.query().unwrap_or("").split('&').filter(is_other);
    let query: Vec<String> = others.map(str::to_owned).chain([format!("{name}={value}")]).collect();
    let link = format!("<{}?{}>; rel=\"next\"", uri.path(), query.join("&"));
    if let Ok(link) = HeaderValue::try_from(link) {
        headers.insert(header::LINK, link);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(address: &str, body: &str) -> (String, String) {
        let headers = numbered(&address.parse().unwrap(), body.as_bytes());
        let text = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        (text("x-total-count"), text("link"))
    }

    #[test]
    fn the_next_page_has_the_parameters_of_this_one() {
        let first = link("/movies?title=%EB%B2%94&size=2", r#"{"page":0,"size":2,"total":5}"#);
        let next = "</movies?title=%EB%B2%94&size=2&page=1>; rel=\"next\"";
        assert_eq!(first, ("5".to_owned(), next.to_owned()));
        let second = link("/movies?page=1&size=2", r#"{"page":1,"size":2,"total":5}"#);
        assert_eq!(second.1, "</movies?size=2&page=2>; rel=\"next\"");
        assert_eq!(link("/movies", r#"{"page":2,"size":2,"total":5}"#), ("5".to_owned(), String::new()));
        assert_eq!(link("/movies", r#"{"page":0,"size":5,"total":5}"#), ("5".to_owned(), String::new()));
    }
}
