//! `GET /api/v1/admin/venues`

use axum::{Json, extract::State};
use onsale_domain::ids::VenueId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::venue::VenueBody;
use crate::{
    Shared,
    caller::Organiser,
    extract::{self, ApiQuery},
    problem::Problem,
};

/// Which page is wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// Only venues after this one: `next` of the page before.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Venues a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    size: Option<u32>,
}

/// Some venues.
#[derive(Serialize, ToSchema)]
pub(super) struct Venues {
    /// By id.
    venues: Vec<VenueBody>,
    /// What to ask for as `after` to get the next page; none if this is the last.
    next: Option<i64>,
}

/// List venues
#[utoipa::path(get, path = "/api/v1/admin/venues", tag = "admin", security(("bearer" = [])), params(Paging),
    responses((status = 200, description = "The venues, by id", body = Venues)))]
pub(super) async fn list_venues(
    State(api): State<Shared>,
    _: Organiser,
    ApiQuery(paging): ApiQuery<Paging>,
) -> Result<Json<Venues>, Problem> {
    let size = extract::size(paging.size, 100, 500)? as usize;
    if paging.after.is_some_and(|after| after < 0) {
        return Err(Problem::field("after", "must not be below 0"));
    }
    // One more than asked for tells whether there is a next page.
    let mut venues = api.engine.catalogue.venues(paging.after.map(VenueId), size + 1).await?;
    let more = venues.len() > size;
    venues.truncate(size);
    let next = venues.last().filter(|_| more).map(|venue| venue.id.0);
    Ok(Json(Venues { venues: venues.into_iter().map(VenueBody::from).collect(), next }))
}
