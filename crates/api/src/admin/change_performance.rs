//! `PUT /api/v1/admin/performances/{id}`

use axum::{Json, extract::State};
use onsale_domain::{catalogue::Performance, ids::PerformanceId};

use super::performance::{PerformanceBody, PerformanceInput};
use crate::{Shared, caller::OwnerOf, json::Edited, problem::Problem};

/// Replace a performance
///
/// Prices included. The hall cannot change once there are reservations.
///
/// The answer of a GET can be put: `id` may be sent along, as it is in the address.
#[utoipa::path(put, path = "/api/v1/admin/performances/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The performance's id", minimum = 1)),
    request_body = PerformanceInput,
    responses((status = 200, description = "The performance", body = PerformanceBody)))]
pub(super) async fn change_performance(
    State(api): State<Shared>,
    OwnerOf(caller, id): OwnerOf<PerformanceId>,
    Edited(body): Edited<PerformanceInput>,
) -> Result<Json<PerformanceBody>, Problem> {
    // It may be moved to another show.
    api.engine.owners.check(caller, body.show()).await?;
    let categories = api.engine.catalogue.hall(body.hall()).await?.categories;
    let cancelled = body.cancelled();
    let performance = Performance { id, details: body.details(&categories)?, cancelled };
    let performance = api.engine.catalogue.change_performance(performance).await?;
    Ok(Json(PerformanceBody::new(&performance, &categories)))
}
