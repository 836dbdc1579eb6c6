//! What operators and tools ask for: probes, metrics, documentation.

use axum::Router;
use utoipa::openapi::OpenApi;

use crate::operation::{Operations, operation};

mod documentation;
mod livez;
mod metrics;
mod problems;
mod readyz;

pub(crate) fn operations() -> Operations {
    Operations::new()
        .routes(operation!(livez::livez, &[]))
        .routes(operation!(readyz::readyz, &[readyz::PROBLEMS]))
        .routes(operation!(metrics::metrics, &[]))
        .routes(operation!(problems::problem_type, &[problems::PROBLEMS]))
}

/// `/openapi.json` and `/docs`.
pub(crate) fn documentation(document: &OpenApi) -> Router {
    documentation::router(document)
}
