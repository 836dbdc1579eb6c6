//! `GET /api/v1/admin/webhooks/{id}`

use axum::{Json, extract::State};
use onsale_domain::ids::WebhookId;

use super::webhook::WebhookBody;
use crate::{Shared, caller::Organiser, extract::ApiPath, problem::Problem};

/// Get a webhook
#[utoipa::path(get, path = "/api/v1/admin/webhooks/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The webhook's id", minimum = 1)),
    responses((status = 200, description = "The webhook", body = WebhookBody)))]
pub(super) async fn get_webhook(
    State(api): State<Shared>,
    Organiser(caller): Organiser,
    ApiPath(id): ApiPath<i64>,
) -> Result<Json<WebhookBody>, Problem> {
    Ok(Json(api.engine.webhooks.get(caller, WebhookId(id)).await?.into()))
}
