//! `GET /api/v1/admin/performances/{id}`

use axum::{Json, extract::State};
use onsale_domain::ids::PerformanceId;

use super::performance::PerformanceBody;
use crate::{Shared, caller::OwnerOf, problem::Problem};

/// Get a performance as an organiser wrote it
#[utoipa::path(get, path = "/api/v1/admin/performances/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The performance's id", minimum = 1)),
    responses((status = 200, description = "The performance", body = PerformanceBody)))]
pub(super) async fn get_admin_performance(
    State(api): State<Shared>,
    OwnerOf(_caller, id): OwnerOf<PerformanceId>,
) -> Result<Json<PerformanceBody>, Problem> {
    let performance = api.engine.catalogue.performance(id).await?;
    let hall = api.engine.catalogue.hall(performance.details.hall).await?;
    Ok(Json(PerformanceBody::new(&performance, &hall.categories)))
}
