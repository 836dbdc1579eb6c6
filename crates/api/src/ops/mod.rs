//! What operators and tools ask for: probes, metrics, documentation.

use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_axum::routes;

use crate::{
    observe::Observe,
    operation::{Operations, operation},
};

mod documentation;
mod livez;
mod metrics;
mod problems;
mod readyz;

pub(crate) fn operations() -> Operations {
    Operations::new()
        .routes(operation(routes!(livez::livez), &[]))
        .routes(operation(routes!(readyz::readyz), &[readyz::PROBLEMS]))
        .routes(operation(routes!(metrics::metrics), &[]))
        .routes(operation(routes!(problems::problem_type), &[problems::PROBLEMS]))
}

/// `/openapi.json` and `/docs`.
pub(crate) fn documentation(document: &OpenApi) -> Router {
    documentation::router(document).layer(Observe::route("/docs"))
}
