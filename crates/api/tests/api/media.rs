//! Pictures of shows and items.

use std::{fs, path::Path, time::Duration};

use futures_util::{StreamExt as _, stream};
use onsale_api::{ApiSettings, door::DoorSettings};
use onsale_domain::{ids::UserId, user::Role};
use onsale_engine::{Settings, media::MediaQuota};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::server::{Answer, Server, Walk};

const IMAGE: &str = "/api/v1/admin/shows/1/image";

fn picture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/images").join(name)).unwrap()
}

/// The files that are kept.
fn files(walk: &Walk) -> Vec<String> {
    let files = fs::read_dir(walk.server.folder.path().join("media")).unwrap();
    files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

async fn put(walk: &mut Walk, media_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = walk.server.request(Method::PUT, IMAGE).bearer_auth(walk.organiser.clone());
    walk.note(&format!("PUT {IMAGE} {media_type}"));
    walk.send(&Method::PUT, IMAGE, request.header("content-type", media_type).body(body.into())).await
}

async fn image(walk: &mut Walk) -> String {
    walk.get("/api/v1/movies/1").await.json["thumbnailImage"].as_str().unwrap_or("none").to_owned()
}

#[tokio::test]
async fn a_picture_is_set_served_replaced_and_removed() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    image(&mut walk).await;
    for (name, media_type) in [
        ("small.png", "image/png"),
        ("small.jpg", "IMAGE/JPEG; x=y"),
        ("animated.gif", "image/gif"),
        ("alpha.webp", "image/webp"),
    ] {
        let bytes = picture(name);
        let with_more = [&bytes[..], b"<script>"].concat();
        assert_eq!(put(&mut walk, media_type, with_more).await.status, StatusCode::NO_CONTENT);
        let path = image(&mut walk).await;
        assert!(path.starts_with("/media/"), "the catalogue's cache knows: {path}");
        let served = walk.server.request(Method::GET, &path).send().await.unwrap();
        let headers = served.headers().clone();
        let plain = media_type.split(';').next().unwrap().to_lowercase();
        assert_eq!(headers["content-type"], *plain);
        assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["content-security-policy"], "default-src 'none'; sandbox");
        assert_eq!(served.bytes().await.unwrap(), bytes, "without what followed it");
        let tag = headers["etag"].to_str().unwrap();
        let known =
            walk.server.request(Method::GET, &path).header("if-none-match", tag).send().await.unwrap();
        assert_eq!((known.status(), &known.headers()["etag"]), (StatusCode::NOT_MODIFIED, &headers["etag"]));
        assert!(known.bytes().await.unwrap().is_empty());
    }
    // Pages that show the pictures before are still about; after an hour they are removed.
    assert_eq!(files(&walk).len(), 4);
    let (organiser, path) = (walk.organiser.clone(), image(&mut walk).await);
    let removed = walk.call(Method::DELETE, IMAGE, Some(&organiser), None).await;
    assert_eq!((removed.status, image(&mut walk).await), (StatusCode::NO_CONTENT, "none".to_owned()));
    assert_eq!(walk.server.request(Method::GET, &path).send().await.unwrap().status(), StatusCode::OK);
    walk.server.clock.advance_ms(3_600_001);
    for _ in 0..1_000 {
        if files(&walk).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(files(&walk), [] as [String; 0]);
    assert_eq!(walk.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_item_has_a_picture_likewise() {
    const IMAGE: &str = "/api/v1/admin/items/1/image";
    let mut walk = Server::start().await.walk().await;
    let (organiser, buyer) = (walk.organiser.clone(), walk.buyer.clone());
    let soup = json!({"stock": 10, "item": {"name": "라면", "content": "라면입니다.", "price": 1_000,
        "type": "GENERAL", "imageUrl": "https://example.com/soup.jpg"}});
    walk.post(&organiser, "/api/v1/admin/items", soup).await;
    let image = async |walk: &mut Walk| {
        let (item, list) = (walk.get("/api/item/1").await.json, walk.get("/api/item").await.json);
        let image = item["data"]["imageUrl"].clone();
        let listed = &list["data"][0]["imageUrl"];
        assert!(*listed == image, "{list} says otherwise than {item}");
        image.as_str().unwrap_or("none").to_owned()
    };
    assert_eq!(image(&mut walk).await, "https://example.com/soup.jpg");
    let put = async |walk: &mut Walk, path: &str, token: &str, bytes: Vec<u8>| {
        let request = walk.server.request(Method::PUT, path).bearer_auth(token);
        let request = request.header("content-type", "image/png").body(bytes);
        let answer = walk.send(&Method::PUT, path, request).await;
        (answer.status.as_u16(), answer.json["type"].as_str().unwrap_or_default().to_owned())
    };
    let png = picture("small.png");
    assert_eq!(put(&mut walk, IMAGE, &organiser, png.clone()).await.0, 204);
    let path = image(&mut walk).await;
    assert!(path.starts_with("/media/"), "the catalogue's cache knows: {path}");
    let served = walk.server.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(served.headers()["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(served.bytes().await.unwrap(), png);

    let other = "/api/v1/admin/items/99/image";
    let missing = "/problems/no-such-item".to_owned();
    assert_eq!(put(&mut walk, other, &organiser, png.clone()).await, (404, missing.clone()));
    assert_eq!(put(&mut walk, IMAGE, &buyer, png).await.0, 403);
    assert_eq!(put(&mut walk, IMAGE, &organiser, b"<svg/>".to_vec()).await.0, 415);
    let refused = walk.call(Method::DELETE, other, Some(&organiser), None).await;
    assert_eq!((refused.status, &refused.json["type"]), (StatusCode::NOT_FOUND, &missing.into()));
    assert_eq!(image(&mut walk).await, path, "as it was");

    let removed = walk.call(Method::DELETE, IMAGE, Some(&organiser), None).await;
    assert_eq!((removed.status, image(&mut walk).await), (StatusCode::NO_CONTENT, "none".to_owned()));
}

#[tokio::test]
async fn what_is_no_picture_or_too_large_is_refused_and_leaves_nothing() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    walk.forget();
    let png = picture("small.png");
    put(&mut walk, "image/jpeg", png.clone()).await;
    put(&mut walk, "image/svg+xml", "<svg/>").await;
    put(&mut walk, "text/html", png.clone()).await;
    put(&mut walk, "image/png", "<svg onload=\"alert(1)\"/>").await;
    put(&mut walk, "image/png", "").await;
    put(&mut walk, "image/gif", "GIF89a/*\0\0*/=1;alert(1)//;").await;
    put(&mut walk, "image/png", png[..png.len() - 1].to_vec()).await;
    put(&mut walk, "image/png", vec![0; 5 * 1024 * 1024 + 1]).await;
    insta::assert_snapshot!(walk.text());
    assert_eq!(image(&mut walk).await, "https://example.com/4.jpg", "as it was");
    assert_eq!(files(&walk), [] as [String; 0]);

    let buyer = walk.server.request(Method::PUT, IMAGE).bearer_auth(walk.buyer.clone());
    let refused = buyer.header("content-type", "image/png").body(png.clone()).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let nobody =
        walk.server.request(Method::PUT, IMAGE).header("content-type", "image/png").body(png.clone());
    assert_eq!(nobody.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let request = walk.server.request(Method::PUT, "/api/v1/admin/shows/99/image");
    let request = request.bearer_auth(walk.organiser.clone()).header("content-type", "image/png").body(png);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let png = picture("small.png");
    let address = walk.server.url.strip_prefix("http://").unwrap().to_owned();
    for (length, sent) in [(png.len(), png.len() - 1), (png.len() + 1_000_000, png.len())] {
        let mut connection = TcpStream::connect(&address).await.unwrap();
        let head = format!(
            "PUT {IMAGE} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: image/png\r\n\
             content-length: {length}\r\n\r\n",
            walk.organiser
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(&png[..sent]).await.unwrap();
        connection.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(connection);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(image(&mut walk).await, "https://example.com/4.jpg", "as it was");
    assert_eq!(files(&walk), [] as [String; 0]);
}

/// A body that goes on dripping is cut off; one that comes at a pace may take longer.
#[tokio::test]
async fn an_upload_that_drips_is_cut_off() {
    let server = Server::start_with(|settings| ApiSettings {
        door: DoorSettings { body_time_max: Duration::from_millis(300), ..DoorSettings::default() },
        ..settings
    });
    let mut walk = server.await.walk().await;
    walk.set_up().await;
    let png = picture("small.png");
    // The picture, then what is cut off, so many bytes every 50 ms.
    let upload = async |walk: &Walk, at_once: usize, drips: usize| {
        let drips = stream::iter(0..drips).then(move |_| async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok::<_, std::io::Error>(vec![0_u8; at_once])
        });
        let body = stream::iter([Ok(png.clone())]).chain(drips);
        let request = walk.server.request(Method::PUT, IMAGE).bearer_auth(walk.organiser.clone());
        let request = request.header("content-type", "image/png");
        let answer = request.body(reqwest::Body::wrap_stream(body)).send().await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!(upload(&walk, 1, 1_000).await, 408);
    assert_eq!(image(&mut walk).await, "https://example.com/4.jpg", "as it was");
    assert_eq!(upload(&walk, 16 * 1_024, 16).await, 204, "800 ms at more than the least pace");
}

#[tokio::test]
async fn a_picture_does_not_tell_where_it_was_taken() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let jpeg = picture("small.jpg");
    let exif = b"Exif\0\0II\x2a\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\
                 \x25\x88\x04\0\x01\0\0\0\x28\0\0\0\0\0\0\0SECRET";
    let segment = [&[0xFF, 0xE1][..], &(exif.len() as u16 + 2).to_be_bytes(), exif].concat();
    let tells = [&jpeg[..2], &segment, &jpeg[2..]].concat();
    assert_eq!(put(&mut walk, "image/jpeg", tells.clone()).await.status, StatusCode::NO_CONTENT);
    let path = image(&mut walk).await;
    let served = walk.server.request(Method::GET, &path).send().await.unwrap().bytes().await.unwrap();
    assert!(served.starts_with(&jpeg[..2]) && !served.windows(6).any(|window| window == b"SECRET"));
    assert!(served.windows(4).any(|window| window == [0x01, 0x12, 0, 3]), "but which way is up");
    // One that was kept before pictures were cleaned.
    let old = path.strip_prefix("/media/").unwrap();
    fs::write(walk.server.folder.path().join("media").join(old), &tells).unwrap();
    let again = walk.server.request(Method::GET, &path).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(again, served);
}

#[tokio::test]
async fn an_account_has_so_many_pictures_and_no_more() {
    let quota = MediaQuota { pictures: 3, bytes: 2_000_000 };
    let server = Server::start_with_all(
        |settings| Settings { media: quota, ..settings },
        |settings, _| settings,
        |engine| engine,
    );
    let mut walk = Box::pin(server).await.walk().await;
    walk.set_up().await;
    let put = async |walk: &mut Walk, name: &str, media_type: &str| {
        put(walk, media_type, picture(name)).await.status.as_u16()
    };
    for _ in 0..2 {
        assert_eq!(put(&mut walk, "small.png", "image/png").await, 204, "the same one is one");
        assert_eq!(put(&mut walk, "small.jpg", "image/jpeg").await, 204);
        assert_eq!(put(&mut walk, "small.gif", "image/gif").await, 204);
    }
    assert_eq!(put(&mut walk, "small.webp", "image/webp").await, 409);
    // Somebody else's are theirs.
    let admin = walk.server.log_in("admin", Role::Admin).await;
    let organiser = std::mem::replace(&mut walk.organiser, admin);
    assert_eq!(put(&mut walk, "small.webp", "image/webp").await, 204);
    // Those that nobody sees any more are removed in time.
    walk.server.clock.advance_ms(3_600_001);
    for _ in 0..1_000 {
        if files(&walk).len() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let session = walk.server.engine.accounts.begin_session(UserId(1), Role::Organiser).await.unwrap();
    assert_ne!(session.access, organiser);
    walk.organiser = session.access;
    assert_eq!(put(&mut walk, "animated.webp", "image/webp").await, 204);
}

#[tokio::test]
async fn names_lead_nowhere_else() {
    let mut walk = Server::start().await.walk().await;
    fs::write(walk.server.folder.path().join("media/secret.png"), "secret").unwrap();
    let digits = "0".repeat(64);
    for name in [
        "secret.png",
        "..%2fonsale.db",
        "%2e%2e%2fonsale.db",
        "..%5consale.db",
        "%00",
        "onsale.db",
        &format!("{digits}.svg"),
        &format!("{digits}.png"),
        &format!("{digits}.png%00.html"),
        &format!("..%2f{digits}.png"),
    ] {
        let answer = walk.get(&format!("/media/{name}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{name}");
        assert_eq!(answer.json["type"], "/problems/not-found", "{name}");
    }
}
