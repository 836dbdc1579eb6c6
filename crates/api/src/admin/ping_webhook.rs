//! `POST /api/v1/admin/webhooks/{id}/ping`

use axum::{Json, extract::State, http::StatusCode};
use onsale_domain::ids::WebhookId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Shared, caller::Organiser, extract::ApiPath, problem::Problem};

/// A test event.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ping {
    /// Its id, under which the deliveries list it.
    event_id: String,
}

/// Send a webhook a test event
///
/// It is of type `onsale.webhook.ping.v1`. It is sent at once, before what waits, and otherwise as every other event
/// is.
#[utoipa::path(post, path = "/api/v1/admin/webhooks/{id}/ping", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The webhook's id", minimum = 1)),
    responses((status = 202, description = "It is on its way", body = Ping)))]
pub(super) async fn ping_webhook(
    State(api): State<Shared>,
    Organiser(caller): Organiser,
    ApiPath(id): ApiPath<i64>,
) -> Result<(StatusCode, Json<Ping>), Problem> {
    let event_id = api.engine.webhooks.ping(caller, WebhookId(id)).await?;
    Ok((StatusCode::ACCEPTED, Json(Ping { event_id })))
}
