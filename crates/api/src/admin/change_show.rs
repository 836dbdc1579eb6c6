//! `PUT /api/v1/admin/shows/{id}`

use axum::{Json, extract::State};
use onsale_domain::ids::ShowId;

use super::show::{ShowBody, ShowInput};
use crate::{
    Shared,
    caller::OwnerOf,
    json::{AdminBody, JsonBody},
    problem::Problem,
};

/// Replace a show
#[utoipa::path(put, path = "/api/v1/admin/shows/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The show's id", minimum = 1)),
    request_body = ShowInput, responses((status = 200, description = "The show", body = ShowBody)))]
pub(super) async fn change_show(
    State(api): State<Shared>,
    OwnerOf(_caller, id): OwnerOf<ShowId>,
    JsonBody(body): AdminBody<ShowInput>,
) -> Result<Json<ShowBody>, Problem> {
    let show = api.engine.catalogue.change_show(id, body.details()?).await?;
    Ok(Json(show.into()))
}
