//! The OpenAPI document: complete, and true of every answer that the other tests get.

use std::{fs, path::Path, sync::LazyLock};

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::server::{Answer, Server};

pub(crate) static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(onsale_api::openapi()).unwrap());

/// Every operation as (method, path, operation).
pub(crate) fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    DOCUMENT["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
    })
}

/// The calls whose answers and problems stand in an envelope.
fn is_enveloped(path: &str) -> bool {
    ["/api/item", "/api/stock", "/api/order"].iter().any(|start| path.starts_with(start))
}

fn media_type_of_problems(path: &str) -> &'static str {
    if is_enveloped(path) { "application/json" } else { "application/problem+json" }
}

fn matches(template: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap();
    template.split('/').count() == path.split('/').count()
        && template
            .split('/')
            .zip(path.split('/'))
            .all(|(part, given)| part.starts_with('{') || part == given)
}

/// Checks that an answer is one of those that the document names, down to the problem's type.
pub(crate) fn check(method: &Method, path: &str, answer: &Answer) {
    let method = method.as_str().to_lowercase();
    let mut matching: Vec<_> =
        operations().filter(|(known, template, _)| *known == method && matches(template, path)).collect();
    // `/users/me` goes before `/users/{id}`.
    matching.sort_by_key(|(_, template, _)| template.matches('{').count());
    let Some((_, template, operation)) = matching.first() else {
        let fallback = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
        assert!(
            fallback.contains(&answer.status) || path.starts_with("/docs") || path == "/openapi.json",
            "{method} {path} answered {} and is not in the document",
            answer.status
        );
        return;
    };
    let response = &operation["responses"][answer.status.as_str()];
    assert!(response.is_object(), "{method} {template}: {} is not documented", answer.status);
    if answer.status.is_client_error() || answer.status.is_server_error() {
        assert_eq!(answer.headers["content-type"], media_type_of_problems(template));
        let kind = answer.json["type"].as_str().unwrap();
        let described = response["description"].as_str().unwrap();
        assert!(described.contains(&format!("`{kind}`")), "{method} {template}: {kind} is not documented");
    }
}

#[test]
fn every_operation_says_what_it_does_and_how_it_fails() {
    let mut ids: Vec<&str> = Vec::new();
    for (method, path, operation) in operations() {
        let id = operation["operationId"].as_str().unwrap();
        assert!(!ids.contains(&id), "{id} twice");
        ids.push(id);
        assert!(operation["summary"].is_string(), "{method} {path} has no summary");
        assert!(operation["tags"].is_array(), "{method} {path} has no tag");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.contains_key("500"), "{method} {path}");
        for (status, response) in responses {
            assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{path} {status}");
            if status.starts_with(['4', '5']) {
                let problem = &response["content"][media_type_of_problems(path)];
                let schema = if is_enveloped(path) { "Failure" } else { "Problem" };
                let schema = format!("#/components/schemas/{schema}");
                assert_eq!(problem["schema"]["$ref"], schema, "{path} {status}");
                assert!(problem["examples"].as_object().is_some_and(|examples| !examples.is_empty()));
            }
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = &parameter["name"];
            assert!(parameter["description"].is_string(), "{method} {path}: {name} is not described");
        }
        // The two calls that check other credentials than an access token.
        let log_in = path.ends_with("/auth/login") || path.ends_with("/auth/refresh");
        assert_eq!(operation["security"].is_array(), responses.contains_key("401") && !log_in, "{path}");
        let organisers_only = responses.get("403").is_some_and(|response| {
            response["description"].as_str().unwrap().contains("`/problems/forbidden`")
        });
        assert_eq!(organisers_only, path.contains("/admin/"), "{method} {path}");
    }
    assert!(ids.len() > 40, "{ids:?}");
}

#[test]
fn requests_refuse_what_is_not_documented_and_all_references_lead_somewhere() {
    let text = DOCUMENT.to_string();
    for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(DOCUMENT["components"]["schemas"][name].is_object(), "{name} is not there");
    }
    for (_, path, operation) in operations() {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        if let Some(name) = schema.as_str().and_then(|reference| reference.rsplit('/').next()) {
            let schema = &DOCUMENT["components"]["schemas"][name];
            assert_eq!(schema["additionalProperties"], false, "{path}: {name}");
        }
    }
}

#[test]
fn every_problem_type_is_answered_in_some_walk() {
    // What only a failing database or a crowd brings about; `problem.rs` tests how they are written.
    let elsewhere = ["internal", "overloaded", "unavailable", "outcome-unknown"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/snapshots");
    let walks: String =
        fs::read_dir(folder).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let kinds =
        DOCUMENT["components"]["schemas"]["Problem"]["properties"]["type"]["enum"].as_array().unwrap();
    let missing: Vec<_> = kinds
        .iter()
        .map(|kind| kind.as_str().unwrap().trim_start_matches("/problems/"))
        .filter(|kind| !elsewhere.contains(kind))
        .filter(|kind| !walks.contains(&format!("\"/problems/{kind}\"")))
        .collect();
    assert!(missing.is_empty(), "no walk answers {missing:?}");
}

#[tokio::test]
async fn documentation_is_served() {
    let mut walk = Server::start().await.walk().await;
    let served = walk.get("/openapi.json").await;
    assert_eq!(served.json, *DOCUMENT);
    let page = walk.get("/docs/").await;
    assert!(page.status.is_success() && page.json.as_str().unwrap().contains("swagger-ui"));
    let initializer = walk.get("/docs/swagger-initializer.js").await;
    assert!(initializer.json.as_str().unwrap().contains("/openapi.json"));
    // Only what its own origin serves may run there: no script stands in the page itself.
    let html = page.json.as_str().unwrap();
    for script in html.split("<script").skip(1) {
        let (attributes, rest) = script.split_once('>').unwrap();
        assert!(attributes.contains("src=\"./"), "{attributes}");
        assert!(rest.trim_start().starts_with("</script>"), "a script in the page: {rest}");
    }
    for answer in [&page, &initializer, &walk.get("/docs").await, &walk.get("/docs/nothing.js").await] {
        let header = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap());
        let policy = header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(header("x-content-type-options"), Some("nosniff"));
        assert_eq!(header("referrer-policy"), Some("no-referrer"));
    }
}
