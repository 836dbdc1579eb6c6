//! `GET /api/v1/admin/performances/{id}/unpaid`

use axum::{Json, extract::State};
use onsale_domain::ids::PerformanceId;

use super::unpaid::UnpaidBody;
use crate::{Shared, caller::OwnerOf, problem::Problem};

/// List who holds seats unpaid
///
/// By account and by address: of the holds that were made through the node that answers.
#[utoipa::path(get, path = "/api/v1/admin/performances/{id}/unpaid", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The performance's id", minimum = 1)),
    responses((status = 200, description = "What is held unpaid, by whom", body = UnpaidBody)))]
pub(super) async fn list_unpaid_seats(
    State(api): State<Shared>,
    OwnerOf(_caller, id): OwnerOf<PerformanceId>,
) -> Result<Json<UnpaidBody>, Problem> {
    Ok(Json(api.unpaid(id.into())))
}
