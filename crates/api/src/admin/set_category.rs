//! `PATCH /api/v1/admin/halls/{id}/seats`

use axum::{Json, extract::State};
use onsale_domain::ids::HallId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::seats::SeatsInput;
use crate::{
    Shared,
    caller::OwnerOf,
    json::{AdminBody, JsonBody},
    problem::Problem,
};

/// Seats to put into a category.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetCategory)]
pub(super) struct Body {
    /// Which seats.
    seats: SeatsInput,
    /// The category; it is added if the hall has none of this name.
    #[schema(min_length = 1, max_length = 100, example = "VIP")]
    category: String,
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub(super) struct CategorySet {
    /// How many seats changed.
    #[schema(example = 60)]
    changed: u64,
}

/// Put seats of a hall into a category
///
/// The price of a category is said per performance. Many seats change in portions, between which others buy. If
/// this ends with an error, some may have changed: the same request again changes the rest.
#[utoipa::path(patch, path = "/api/v1/admin/halls/{id}/seats", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The hall's id", minimum = 1)),
    request_body = Body, responses((status = 200, description = "How many seats changed", body = CategorySet)))]
pub(super) async fn set_category(
    State(api): State<Shared>,
    OwnerOf(_caller, id): OwnerOf<HallId>,
    JsonBody(body): AdminBody<Body>,
) -> Result<Json<CategorySet>, Problem> {
    let seats = body.seats.selector()?;
    let changed = api.engine.catalogue.set_category(id, &seats, &body.category).await?;
    Ok(Json(CategorySet { changed }))
}
