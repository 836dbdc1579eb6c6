//! `PUT /api/v1/admin/performances/{id}/prices`

use axum::{Json, extract::State};
use onsale_domain::ids::PerformanceId;

use super::performance::{PerformanceBody, PriceBody, levels};
use crate::{Shared, caller::OwnerOf, json::AdminList, problem::Problem};

/// Replace the prices of a performance
///
/// Reservations keep the prices they were made at. Seats of categories that are not named are no
/// longer for sale.
#[utoipa::path(put, path = "/api/v1/admin/performances/{id}/prices", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The performance's id", minimum = 1)),
    request_body = Vec<PriceBody>,
    responses((status = 200, description = "The performance", body = PerformanceBody)))]
pub(super) async fn change_prices(
    State(api): State<Shared>,
    OwnerOf(_caller, id): OwnerOf<PerformanceId>,
    AdminList(prices): AdminList<PriceBody>,
) -> Result<Json<PerformanceBody>, Problem> {
    let catalogue = &api.engine.catalogue;
    let hall = catalogue.performance(id).await?.details.hall;
    let categories = catalogue.hall(hall).await?.categories;
    let performance = catalogue.set_prices(id, &levels(prices, &categories)?).await?;
    Ok(Json(PerformanceBody::new(&performance, &categories)))
}
