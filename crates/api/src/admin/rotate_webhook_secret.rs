//! `POST /api/v1/admin/webhooks/{id}/secret`

use axum::{Json, extract::State};
use onsale_domain::ids::WebhookId;

use super::webhook::WebhookBody;
use crate::{Shared, caller::Organiser, extract::ApiPath, problem::Problem};

/// Give a webhook a new secret
///
/// For 24 hours the secret before signs as well: each request has two signatures, and the receiver can
/// change over at any moment.
#[utoipa::path(post, path = "/api/v1/admin/webhooks/{id}/secret", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The webhook's id", minimum = 1)),
    responses((status = 200, description = "The webhook, with its new secret", body = WebhookBody)))]
pub(super) async fn rotate_webhook_secret(
    State(api): State<Shared>,
    Organiser(caller): Organiser,
    ApiPath(id): ApiPath<i64>,
) -> Result<Json<WebhookBody>, Problem> {
    let webhook = api.engine.webhooks.rotate(caller, WebhookId(id)).await?;
    Ok(Json(WebhookBody::with_secret(webhook)))
}
