//! `GET /api/v1/admin/webhooks`

use axum::{Json, extract::State};
use onsale_domain::ids::WebhookId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::webhook::WebhookBody;
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
pub(super) struct WebhookPaging {
    /// Only webhooks after this one: `next` of the page before.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Webhooks a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    size: Option<u32>,
}

/// Some webhooks.
#[derive(Serialize, ToSchema)]
pub(super) struct WebhookList {
    /// By id.
    webhooks: Vec<WebhookBody>,
    /// What to ask for as `after` to get the next page; none if this is the last.
    next: Option<i64>,
}

/// List webhooks
///
/// An organiser's own; for an administrator, everybody's.
#[utoipa::path(get, path = "/api/v1/admin/webhooks", tag = "admin", security(("bearer" = [])),
    params(WebhookPaging),
    responses((status = 200, description = "The webhooks, by id", body = WebhookList)))]
pub(super) async fn list_webhooks(
    State(api): State<Shared>,
    Organiser(caller): Organiser,
    ApiQuery(paging): ApiQuery<WebhookPaging>,
) -> Result<Json<WebhookList>, Problem> {
    let size = extract::size(paging.size, 100, 500)? as usize;
    if paging.after.is_some_and(|after| after < 0) {
        return Err(Problem::field("after", "must not be below 0"));
    }
    // One more than asked for tells whether there is a next page.
    let mut webhooks = api.engine.webhooks.list(caller, paging.after.map(WebhookId), size + 1).await?;
    let more = webhooks.len() > size;
    webhooks.truncate(size);
    let next = webhooks.last().filter(|_| more).map(|webhook| webhook.id.0);
    Ok(Json(WebhookList { webhooks: webhooks.into_iter().map(WebhookBody::from).collect(), next }))
}
