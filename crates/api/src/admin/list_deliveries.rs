//! `GET /api/v1/admin/webhooks/{id}/deliveries`

use axum::{Json, extract::State};
use onsale_domain::ids::WebhookId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::webhook::{DeliveryBody, DeliveryStateBody};
use crate::{
    Shared,
    caller::Organiser,
    extract::{self, ApiPath, ApiQuery},
    problem::Problem,
};

/// Which deliveries are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveryPaging {
    /// Only those that stand so.
    #[param(inline)]
    state: Option<DeliveryStateBody>,
    /// Only deliveries before this one: `next` of the page before.
    #[param(minimum = 1)]
    before: Option<i64>,
    /// Deliveries a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    size: Option<u32>,
}

/// Some deliveries.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryList {
    /// The newest first.
    deliveries: Vec<DeliveryBody>,
    /// What to ask for as `before` to get the next page; none if this is the last.
    next: Option<i64>,
}

/// List a webhook's deliveries
///
/// Those that were made are listed for 7 days, parked ones for 30.
#[utoipa::path(get, path = "/api/v1/admin/webhooks/{id}/deliveries", tag = "admin",
    security(("bearer" = [])),
    params(("id" = i64, Path, description = "The webhook's id", minimum = 1), DeliveryPaging),
    responses((status = 200, description = "The deliveries, the newest first", body = DeliveryList)))]
pub(super) async fn list_deliveries(
    State(api): State<Shared>,
    Organiser(caller): Organiser,
    ApiPath(id): ApiPath<i64>,
    ApiQuery(paging): ApiQuery<DeliveryPaging>,
) -> Result<Json<DeliveryList>, Problem> {
    let size = extract::size(paging.size, 100, 500)? as usize;
    if paging.before.is_some_and(|before| before < 1) {
        return Err(Problem::field("before", "must not be below 1"));
    }
    let state = paging.state.map(Into::into);
    // One more than asked for tells whether there is a next page.
    let webhooks = &api.engine.webhooks;
    let mut deliveries = webhooks.deliveries(caller, WebhookId(id), state, paging.before, size + 1).await?;
    let more = deliveries.len() > size;
    deliveries.truncate(size);
    let next = deliveries.last().filter(|_| more).map(|delivery| delivery.id);
    Ok(Json(DeliveryList { deliveries: deliveries.into_iter().map(DeliveryBody::from).collect(), next }))
}
