//! `GET /readyz`

use std::time::Duration;

use axum::extract::State;

use crate::{
    Shared,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::Unavailable];

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether requests can be served
#[utoipa::path(get, path = "/readyz", tag = "operation",
    responses((status = 200, description = "They can", content_type = "text/plain", body = String)))]
pub(super) async fn readyz(State(api): State<Shared>) -> Result<&'static str, Problem> {
    match tokio::time::timeout(PATIENCE, api.engine.ready()).await {
        Ok(Ok(())) => Ok("ok\n"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            Err(Problem::new(Kind::Unavailable, "the database cannot be reached"))
        }
        Err(_) => Err(Problem::new(Kind::Unavailable, "the database does not answer in time")),
    }
}
