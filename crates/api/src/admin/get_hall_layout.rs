//! `GET /api/v1/admin/halls/{id}/layout`

use axum::{Json, extract::State};
use onsale_domain::ids::HallId;

use crate::{Shared, caller::Organiser, extract::ApiPath, performances::Layout, problem::Problem};

/// Get the seats of a hall
#[utoipa::path(get, path = "/api/v1/admin/halls/{id}/layout", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The hall's id", minimum = 1)),
    responses((status = 200, description = "The seats with their positions", body = Layout)))]
pub(super) async fn get_hall_layout(
    State(api): State<Shared>,
    _: Organiser,
    ApiPath(id): ApiPath<i64>,
) -> Result<Json<Layout>, Problem> {
    let seats = api.engine.catalogue.seat_map(HallId(id)).await?;
    Ok(Json(Layout::from(&*seats)))
}
