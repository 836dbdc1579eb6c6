//! `DELETE /api/v1/admin/items/{id}/unpaid`

use axum::{Json, extract::State};
use onsale_domain::ids::ItemId;

use super::unpaid::{EndInput, EndedBody};
use crate::{Shared, caller::OwnerOf, extract::ApiQuery, problem::Problem};

/// End unpaid holds of units
///
/// One, all of an account, or all from an address that were made through the node that answers. What is
/// paid meanwhile stays. To those who held them it counts as if they had let them lapse.
#[utoipa::path(delete, path = "/api/v1/admin/items/{id}/unpaid", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The item's id", minimum = 1), EndInput),
    responses((status = 200, description = "How many ended", body = EndedBody)))]
pub(super) async fn end_unpaid_units(
    State(api): State<Shared>,
    OwnerOf(_caller, id): OwnerOf<ItemId>,
    ApiQuery(of): ApiQuery<EndInput>,
) -> Result<Json<EndedBody>, Problem> {
    Ok(Json(api.end_unpaid(id.into(), of).await?))
}
