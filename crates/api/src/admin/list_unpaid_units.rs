//! `GET /api/v1/admin/items/{id}/unpaid`

use axum::{Json, extract::State};
use onsale_domain::ids::ItemId;

use super::unpaid::UnpaidBody;
use crate::{Shared, caller::OwnerOf, problem::Problem};

/// List who holds units unpaid
///
/// By account and by address: of the holds that were made through the node that answers.
#[utoipa::path(get, path = "/api/v1/admin/items/{id}/unpaid", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The item's id", minimum = 1)),
    responses((status = 200, description = "What is held unpaid, by whom", body = UnpaidBody)))]
pub(super) async fn list_unpaid_units(
    State(api): State<Shared>,
    OwnerOf(_caller, id): OwnerOf<ItemId>,
) -> Result<Json<UnpaidBody>, Problem> {
    Ok(Json(api.unpaid(id.into())))
}
