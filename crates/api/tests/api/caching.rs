//! Encoded answers: entity tags, compression, freshness.

use std::io::Read;

use flate2::read::GzDecoder;
use reqwest::Method;
use serde_json::json;

use crate::server::Server;

#[tokio::test]
async fn a_catalogue_read_is_compressed_revalidated_and_dropped_when_the_catalogue_changes() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let organiser = walk.organiser.clone();
    for number in 0..40 {
        let show = json!({"kind": "movie", "title": format!("Film {number}"), "genre": "Test"});
        walk.post(&organiser, "/api/v1/admin/shows", show).await;
    }
    let path = "/api/v1/movies?genre=test";
    let plain = walk.get(path).await;
    assert_eq!(plain.headers["cache-control"], "public, max-age=5");
    assert_eq!(plain.headers["vary"], "Accept-Encoding");
    let plain_tag = plain.headers["etag"].to_str().unwrap();

    let zipped =
        walk.server.request(Method::GET, path).header("accept-encoding", "br, gzip").send().await.unwrap();
    assert_eq!(zipped.headers()["content-encoding"], "gzip");
    let zipped_tag = zipped.headers()["etag"].to_str().unwrap().to_owned();
    assert_ne!(zipped_tag, plain_tag);
    let mut text = String::new();
    GzDecoder::new(&*zipped.bytes().await.unwrap()).read_to_string(&mut text).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&text).unwrap() == plain.json);

    let known = walk.call_with(Method::GET, path, None, None, &[("If-None-Match", plain_tag)]).await;
    assert_eq!((known.status.as_u16(), known.json.is_null()), (304, true));
    assert_eq!(known.headers["etag"], *plain_tag);
    let headers = [("If-None-Match", zipped_tag.as_str()), ("Accept-Encoding", "gzip")];
    assert_eq!(walk.call_with(Method::GET, path, None, None, &headers).await.status, 304);

    let show = json!({"kind": "movie", "title": "One more", "genre": "Test"});
    walk.post(&organiser, "/api/v1/admin/shows", show).await;
    let changed = walk.call_with(Method::GET, path, None, None, &[("If-None-Match", plain_tag)]).await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.json["responses"].as_array().unwrap().len(), 41);
}

#[tokio::test]
async fn a_head_request_has_the_headers_of_a_get() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let got = walk.get("/api/v1/movies").await;
    let head = walk.server.request(Method::HEAD, "/api/v1/movies").send().await.unwrap();
    assert_eq!(head.headers()["etag"], got.headers["etag"]);
    assert_eq!(head.headers()["content-length"], got.headers["content-length"]);
    assert!(head.bytes().await.unwrap().is_empty());
}
