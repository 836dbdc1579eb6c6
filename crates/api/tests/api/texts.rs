//! Hostile texts in every place of the OpenAPI document that takes one, on every database. Whatever is typed,
//! it is taken or refused, and never a mistake of ours.

use std::collections::BTreeMap;

use onsale_domain::user::Role;
use reqwest::{Method, header::HeaderValue};
use serde_json::{Map, Value, json};

use crate::{
    document::{DOCUMENT, operations},
    server::Server,
};

/// Where a text goes.
#[derive(Clone, Debug)]
enum Place {
    Path(String),
    Query(String),
    Header(String),
    /// The members on the way to it, from the body's root; `[]` is an array's only item.
    Body(Vec<String>),
}

/// A text as JSON writes it, and as an address does.
struct Hostile {
    json: String,
    address: String,
}

fn hostile() -> Vec<Hostile> {
    let texts = [
        "\0",
        "a\0b",
        "\u{1b}[31m\u{7}",
        "\u{202e}evil\u{2066}",
        "🎬 4-byte 👩\u{200d}🚀",
        "Ame\u{301}lie",
        "'; DROP TABLE shows; -- \" \\ % _ ! ?",
        "\u{feff}\u{fffe}\u{ffff}",
        "\u{200b}",
        "기생충",
    ];
    let grown = ["İ", "\u{fdfa}", "e\u{301}\u{302}\u{303}"].map(|text| text.repeat(100));
    let long = ["x".repeat(191), "é".repeat(255), "𝕏".repeat(2_001), "ẞ".repeat(11_000)];
    let texts = texts.into_iter().map(str::to_owned).chain(grown).chain(long);
    let mut all: Vec<_> = texts
        .map(|text| Hostile {
            json: Value::String(text.clone()).to_string(),
            // An address has a bound of its own.
            address: encoded(text.chars().take(500).collect::<String>().as_bytes()),
        })
        .collect();
    // Half a surrogate pair: no text at all, but it can be written.
    all.push(Hostile { json: r#""\ud83d""#.to_owned(), address: "%ED%A0%BD".to_owned() });
    all.push(Hostile { json: r#""\udc00\ud83d""#.to_owned(), address: "%FF%00".to_owned() });
    all
}

fn encoded(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

fn resolved(schema: &'static Value) -> &'static Value {
    if let Some(name) = schema["$ref"].as_str() {
        return resolved(DOCUMENT.pointer(&name[1..]).expect("a schema"));
    }
    let alternatives = schema["oneOf"].as_array().or(schema["anyOf"].as_array());
    let first = alternatives.and_then(|all| all.iter().find(|one| one["type"] != "null"));
    first.map_or(schema, resolved)
}

fn is_of(schema: &Value, name: &str) -> bool {
    let kind = &schema["type"];
    kind == name || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == name))
}

/// The ways to all texts of a schema.
fn texts_in(schema: &'static Value, way: &[String], found: &mut Vec<Vec<String>>) {
    let schema = resolved(schema);
    let deeper = |step: &str| [way, &[step.to_owned()]].concat();
    if is_of(schema, "string") {
        found.push(way.to_vec());
    } else if is_of(schema, "array") {
        texts_in(&schema["items"], &deeper("[]"), found);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        texts_in(property, &deeper(name), found);
    }
}

/// The placeholder of the text until the body is written.
const HERE: &str = "@here@";

/// The least that a schema takes, with a text at the end of a way.
fn body(schema: &'static Value, way: Option<&[String]>) -> Value {
    let schema = resolved(schema);
    if way == Some(&[]) {
        return json!(HERE);
    }
    if let Some(example) =
        schema.get("example").or_else(|| schema["examples"].get(0)).filter(|_| way.is_none())
    {
        return example.clone();
    }
    let one = schema["enum"].get(0).cloned();
    if is_of(schema, "object") || schema.get("properties").is_some() {
        let required: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
        let mut members = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let on_the_way = way.filter(|way| way[0] == *name).map(|way| &way[1..]);
            if on_the_way.is_some() || required.iter().any(|required| *required == name) {
                members.insert(name.clone(), body(property, on_the_way));
            }
        }
        // Seats must be meant somehow.
        if members.is_empty() && schema["properties"].get("all").is_some() {
            members.insert("all".to_owned(), json!(true));
        }
        Value::Object(members)
    } else if is_of(schema, "array") {
        match way {
            Some(way) => json!([body(&schema["items"], Some(&way[1..]))]),
            None => json!([]),
        }
    } else if is_of(schema, "string") {
        one.unwrap_or_else(|| match schema["format"].as_str() {
            Some("date-time") => json!("2027-01-01T00:00:00Z"),
            Some("date") => json!("2027-01-01"),
            Some("uuid") => json!("01a1fd8c-6900-7000-8000-000000000003"),
            _ => json!("text"),
        })
    } else if is_of(schema, "boolean") {
        json!(false)
    } else {
        schema.get("minimum").cloned().unwrap_or(json!(1))
    }
}

/// Every place of an operation that takes a text.
fn places(operation: &'static Value) -> Vec<Place> {
    let mut places = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().expect("a name").to_owned();
        // Numbers are texts on the way.
        match parameter["in"].as_str() {
            Some("path") => places.push(Place::Path(name)),
            Some("query") => places.push(Place::Query(name)),
            _ => places.push(Place::Header(name)),
        }
    }
    let mut ways = Vec::new();
    texts_in(&operation["requestBody"]["content"]["application/json"]["schema"], &[], &mut ways);
    places.extend(ways.into_iter().map(Place::Body));
    places
}

/// Sends one text to one place; what was answered.
async fn send(
    server: &Server,
    token: &str,
    (method, path, operation): (&str, &str, &'static Value),
    place: &Place,
    hostile: &Hostile,
) -> Option<u16> {
    let mut address = path.to_owned();
    let given = |name: &str| matches!(place, Place::Path(other) if other == name);
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().expect("a name");
        let value = if given(name) { &hostile.address } else { "1" };
        address = address.replace(&format!("{{{name}}}"), value);
    }
    if let Place::Query(name) = place {
        address += &format!("?{name}={}", hostile.address);
    }
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
    let mut request = server.request(method, &address).bearer_auth(token);
    if let Place::Header(name) = place {
        let text: String = serde_json::from_str(&hostile.json).ok()?;
        // Others no client can send.
        request = request.header(name, HeaderValue::from_bytes(text.as_bytes()).ok()?);
    }
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !schema.is_null() {
        let way = if let Place::Body(way) = place { Some(&way[..]) } else { None };
        let body = body(schema, way).to_string().replace(&format!("\"{HERE}\""), &hostile.json);
        request = request.header("Content-Type", "application/json").body(body);
    }
    let answer = request.send().await.unwrap_or_else(|error| panic!("{address} {place:?}: {error}"));
    Some(answer.status().as_u16())
}

/// Operations that end what the others need.
const LAST: [(&str, &str); 4] = [
    ("post", "/api/v1/auth/logout"),
    ("delete", "/api/v1/users/me"),
    ("delete", "/api/v1/admin/webhooks/{id}"),
    ("patch", "/api/v1/admin/rooms/{id}"),
];

async fn nothing_typed_is_a_mistake_of_ours(server: Server) {
    let mut walk = server.walk().await;
    walk.set_up().await;
    let admin = walk.server.log_in("admin", Role::Admin).await;
    for (path, what) in [
        (
            "items",
            json!({"stock": 10, "item": {"name": "라면", "content": "Noodles", "price": 1, "type": "GENERAL"}}),
        ),
        (
            "rooms",
            json!({"name": "Room", "performanceIds": [2], "mode": {"type": "bankWindow", "insideMax": 10}}),
        ),
        ("webhooks", json!({"url": "https://example.com/hook"})),
    ] {
        let added = walk.post(&admin, &format!("/api/v1/admin/{path}"), what).await;
        assert!(added.status.is_success(), "{path}: {}", added.json);
    }
    let (mut ours, mut places_total, mut by_status) = (Vec::new(), 0, BTreeMap::<u16, usize>::new());
    let texts = hostile();
    for operation in operations().filter(|(method, path, _)| !LAST.contains(&(*method, *path))) {
        for place in places(operation.2) {
            places_total += 1;
            for text in &texts {
                let Some(status) = send(&walk.server, &admin, operation, &place, text).await else {
                    continue;
                };
                *by_status.entry(status).or_default() += 1;
                if status >= 500 {
                    let shown: String = text.json.chars().take(20).collect();
                    ours.push(format!("{status} {} {} {place:?} {shown}", operation.0, operation.1));
                }
            }
        }
    }
    println!("{places_total} places, {} texts: {by_status:?}", texts.len());
    assert!(ours.is_empty(), "{ours:#?}");
    let taken: usize = by_status.range(200..300).map(|(_, count)| count).sum();
    assert!(places_total > 150 && taken > 250, "{places_total} places, {taken} texts were taken");
    for list in ["movies?showing=false&size=500", "concerts", "admin/venues", "admin/rooms", "admin/webhooks"]
    {
        let (method, path) = (Method::GET, format!("/api/v1/{list}"));
        let listed = walk.server.request(method, &path).bearer_auth(&admin).send().await.expect("an answer");
        assert_eq!(listed.status(), 200, "{list}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_typed_is_a_mistake_of_ours_on_sqlite() {
    nothing_typed_is_a_mistake_of_ours(Server::start().await).await;
}

mod postgres {
    use crate::server::Server;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_typed_is_a_mistake_of_ours() {
        let url = onsale_testbed::postgres().fresh_database().await;
        super::nothing_typed_is_a_mistake_of_ours(Server::start_on(&url).await).await;
    }
}

mod mariadb {
    use crate::server::Server;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_typed_is_a_mistake_of_ours() {
        let url = onsale_testbed::mariadb().fresh_database().await;
        super::nothing_typed_is_a_mistake_of_ours(Server::start_on(&url).await).await;
    }
}
