//! `POST /api/v1/admin/shows`

use axum::{Json, extract::State, http::StatusCode};

use super::show::{ShowBody, ShowInput};
use crate::{
    Shared,
    caller::Organiser,
    json::{AdminBody, JsonBody},
    problem::Problem,
};

/// Add a show
#[utoipa::path(post, path = "/api/v1/admin/shows", tag = "admin", security(("bearer" = [])),
    request_body = ShowInput, responses((status = 201, description = "The show", body = ShowBody)))]
pub(super) async fn add_show(
    State(api): State<Shared>,
    Organiser(caller): Organiser,
    JsonBody(body): AdminBody<ShowInput>,
) -> Result<(StatusCode, Json<ShowBody>), Problem> {
    let show = api.engine.catalogue.add_show(body.details()?, Some(caller.user)).await?;
    Ok((StatusCode::CREATED, Json(show.into())))
}
