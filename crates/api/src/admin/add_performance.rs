//! `POST /api/v1/admin/performances`

use axum::{Json, extract::State, http::StatusCode};

use super::performance::{PerformanceBody, PerformanceInput};
use crate::{
    Shared,
    caller::Organiser,
    json::{AdminBody, JsonBody},
    problem::Problem,
};

/// Add a performance
#[utoipa::path(post, path = "/api/v1/admin/performances", tag = "admin", security(("bearer" = [])),
    request_body = PerformanceInput,
    responses((status = 201, description = "The performance", body = PerformanceBody)))]
pub(super) async fn add_performance(
    State(api): State<Shared>,
    Organiser(caller): Organiser,
    JsonBody(body): AdminBody<PerformanceInput>,
) -> Result<(StatusCode, Json<PerformanceBody>), Problem> {
    if body.cancelled() {
        return Err(Problem::field("cancelled", "a new performance cannot be called off already"));
    }
    api.engine.owners.check(caller, body.show()).await?;
    let categories = api.engine.catalogue.hall(body.hall()).await?.categories;
    let performance = api.engine.catalogue.add_performance(&body.details(&categories)?).await?;
    Ok((StatusCode::CREATED, Json(PerformanceBody::new(&performance, &categories))))
}
