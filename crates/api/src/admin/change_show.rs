//! `PUT /api/v1/admin/shows/{id}`

use axum::{Json, extract::State};
use onsale_domain::ids::ShowId;

use super::show::{ShowBody, ShowInput};
use crate::{Shared, caller::OwnerOf, json::Edited, problem::Problem};

/// Replace a show
///
/// The answer of a GET can be put: `id` may be sent along, as it is in the address.
#[utoipa::path(put, path = "/api/v1/admin/shows/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The show's id", minimum = 1)),
    request_body = ShowInput, responses((status = 200, description = "The show", body = ShowBody)))]
pub(super) async fn change_show(
    State(api): State<Shared>,
    OwnerOf(_caller, id): OwnerOf<ShowId>,
    Edited(body): Edited<ShowInput>,
) -> Result<Json<ShowBody>, Problem> {
    let show = api.engine.catalogue.change_show(id, body.details()?).await?;
    Ok(Json(show.into()))
}
