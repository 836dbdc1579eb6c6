//! Joins a handler, its documentation and the problems it can answer.

use std::collections::BTreeMap;

use axum::{
    Router,
    handler::Handler,
    http::{Method, Uri},
    routing::{MethodFilter, MethodRouter},
};
use serde_json::Value;
use utoipa::openapi::{
    Content, Ref, RefOr, Response, ResponseBuilder,
    example::ExampleBuilder,
    path::{Operation, PathItem},
};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::{
    Shared,
    door::{self, Guarded},
    items::Failure,
    observe::Observe,
    problem::{Kind, PROBLEM_JSON, Problem},
};

/// Every answer may be one of these.
pub(crate) const ANY: &[Kind] = &[Kind::TooManyRequests, Kind::Blocked, Kind::Internal, Kind::Overloaded];

/// Calls that read or write the database.
pub(crate) const STORE: &[Kind] = &[Kind::Unavailable];

/// Calls with a JSON body.
pub(crate) const BODY: &[Kind] = &[
    Kind::InvalidRequest,
    Kind::MalformedJson,
    Kind::RequestTimeout,
    Kind::BodyTooLarge,
    Kind::UnsupportedMediaType,
];

/// Calls with parameters in the path or the query string.
pub(crate) const PARAMETERS: &[Kind] = &[Kind::InvalidRequest];

/// Calls that need a log-in.
pub(crate) const LOGGED_IN: &[Kind] = &[Kind::NotAuthenticated, Kind::InvalidToken];

/// Calls for organisers.
pub(crate) const ORGANISER: &[Kind] = &[Kind::NotAuthenticated, Kind::InvalidToken, Kind::Forbidden];

/// Calls for the organiser whose something is.
pub(crate) const OWNER: &[Kind] =
    &[Kind::NotAuthenticated, Kind::InvalidToken, Kind::Forbidden, Kind::NotTheOwner];

/// Calls that go through the sale pipeline.
pub(crate) const PIPELINE: &[Kind] = &[Kind::Overloaded, Kind::Unavailable, Kind::OutcomeUnknown];

/// Calls that take an `Idempotency-Key`.
pub(crate) const KEYED: &[Kind] = &[Kind::InvalidIdempotencyKey, Kind::IdempotencyKeyReused];

/// The route of one operation: its documentation with the problems it can answer, and its handler,
/// observed.
macro_rules! operation {
    ($handler:path, $problems:expr $(,)?) => {
        $crate::operation::finish(::utoipa_axum::routes!($handler), $handler, $problems)
    };
}
pub(crate) use operation;

/// As [`operation!`], for a handler whose answers and problems stand in an envelope.
macro_rules! enveloped_operation {
    ($handler:path, $problems:expr $(,)?) => {
        $crate::operation::finish_with(
            ::utoipa_axum::routes!($handler),
            $handler,
            $problems,
            $crate::operation::enveloped_response,
        )
    };
}
pub(crate) use enveloped_operation;

/// The rest of [`operation!`].
pub(crate) fn finish<H: Handler<T, Shared>, T: 'static>(
    router: UtoipaMethodRouter<Shared>,
    handler: H,
    problems: &[&[Kind]],
) -> UtoipaMethodRouter<Shared> {
    finish_with(router, handler, problems, response)
}

/// The rest of [`operation!`]; `response` documents the problems of one status.
pub(crate) fn finish_with<H: Handler<T, Shared>, T: 'static>(
    (schemas, mut paths, _): UtoipaMethodRouter<Shared>,
    handler: H,
    problems: &[&[Kind]],
    response: fn(&[Kind]) -> Response,
) -> UtoipaMethodRouter<Shared> {
    let (route, item) = paths.paths.iter_mut().next().expect("an operation has a path");
    let observe = Observe::route(route);
    let mut methods = MethodRouter::new();
    for (method, operation) in operations(item) {
        document(operation, problems.iter().copied().flatten().copied(), response);
        let guarded = Guarded::new(handler.clone(), door::route(&method, route));
        let filter = MethodFilter::try_from(method).expect("it is one of the usual methods");
        methods = methods.on(filter, observe.handler(guarded));
    }
    (schemas, paths, methods)
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn document(
    operation: &mut Operation,
    problems: impl Iterator<Item = Kind>,
    response: fn(&[Kind]) -> Response,
) {
    let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in problems.chain(ANY.iter().copied()) {
        let kinds = by_status.entry(kind.status().as_u16()).or_default();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    for (status, kinds) in by_status {
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_string()).or_insert_with(|| RefOr::T(response(&kinds)));
    }
}

fn response(kinds: &[Kind]) -> Response {
    described(kinds, "Problem", PROBLEM_JSON, |problem| serde_json::to_value(problem).ok())
}

/// The documentation of problems in an envelope.
pub(crate) fn enveloped_response(kinds: &[Kind]) -> Response {
    described(kinds, "Failure", "application/json", |problem| serde_json::to_value(Failure(problem)).ok())
}

fn described(
    kinds: &[Kind],
    schema: &str,
    media_type: &str,
    example: impl Fn(Problem) -> Option<Value>,
) -> Response {
    let lines: Vec<_> =
        kinds.iter().map(|kind| format!("- `{}`: {}", kind.uri(), kind.description())).collect();
    let mut content = Content::new(Some(Ref::from_schema_name(schema)));
    for kind in kinds {
        let name = kind.uri().trim_start_matches("/problems/").to_owned();
        let value = example(Problem::new(*kind, kind.description()));
        let example = ExampleBuilder::new().summary(kind.title()).value(value).build();
        content.examples.insert(name, RefOr::T(example));
    }
    ResponseBuilder::new().description(lines.join("\n")).content(media_type, content).build()
}

/// The router that areas add their operations to.
pub(crate) type Operations = utoipa_axum::router::OpenApiRouter<Shared>;

/// Answers what no operation does: unknown addresses and methods.
pub(crate) fn with_fallbacks(router: Router) -> Router {
    router
        .fallback(async |uri: Uri| {
            secured(Problem::new(Kind::NotFound, "there is nothing at this address"), &uri)
        })
        .method_not_allowed_fallback(async |uri: Uri| {
            let detail = "this address has no such method; `Allow` names those it has";
            secured(Problem::new(Kind::MethodNotAllowed, detail), &uri)
        })
}

fn secured(problem: Problem, uri: &Uri) -> axum::response::Response {
    let mut response = problem.answer_at(uri.path());
    door::secure(response.headers_mut());
    response
}
