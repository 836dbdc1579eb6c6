//! `DELETE /api/v1/admin/webhooks/{id}`

use axum::{extract::State, http::StatusCode};
use onsale_domain::ids::WebhookId;

use crate::{Shared, caller::Organiser, extract::ApiPath, problem::Problem};

/// Remove a webhook
///
/// What waits to be sent to it is forgotten.
#[utoipa::path(delete, path = "/api/v1/admin/webhooks/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The webhook's id", minimum = 1)),
    responses((status = 204, description = "It is gone")))]
pub(super) async fn remove_webhook(
    State(api): State<Shared>,
    Organiser(caller): Organiser,
    ApiPath(id): ApiPath<i64>,
) -> Result<StatusCode, Problem> {
    api.engine.webhooks.remove(caller, WebhookId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
