//! `PATCH /api/v1/admin/webhooks/{id}`

use axum::{Json, extract::State};
use onsale_domain::ids::WebhookId;

use super::webhook::{WebhookBody, WebhookChangeInput};
use crate::{Shared, caller::Organiser, extract::ApiPath, json::Edited, problem::Problem};

/// Change a webhook
///
/// Members that are left out stay as they are. Deliveries that wait are sent at once, to the new address, if
/// the address changes; likewise when the webhook is switched on.
///
/// An answer that lists the webhook can be sent: `id` may be sent along, as it is in the address, and `ownerId`,
/// `previousSecretUntil` and `createdAt`, which are passed over.
#[utoipa::path(patch, path = "/api/v1/admin/webhooks/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The webhook's id", minimum = 1)),
    request_body = WebhookChangeInput,
    responses((status = 200, description = "The webhook", body = WebhookBody)))]
pub(super) async fn change_webhook(
    State(api): State<Shared>,
    Organiser(caller): Organiser,
    ApiPath(id): ApiPath<i64>,
    Edited(body): Edited<WebhookChangeInput>,
) -> Result<Json<WebhookBody>, Problem> {
    Ok(Json(api.engine.webhooks.change(caller, WebhookId(id), body.edit()).await?.into()))
}
