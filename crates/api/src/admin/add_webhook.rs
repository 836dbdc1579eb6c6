//! `POST /api/v1/admin/webhooks`

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::webhook::{WebhookBody, WebhookInput};
use crate::{Shared, caller::Organiser, json::JsonBody, problem::Problem};

/// Add a webhook
///
/// From a second later on, events are sent to its address, each once or more often, those about one order
/// in order. The answer has the secret that signs them; it is not answered again.
#[utoipa::path(post, path = "/api/v1/admin/webhooks", tag = "admin", security(("bearer" = [])),
    request_body = WebhookInput,
    responses((status = 201, description = "The webhook, with its secret", body = WebhookBody,
        headers(("Location" = String, description = "The webhook")))))]
pub(super) async fn add_webhook(
    State(api): State<Shared>,
    Organiser(caller): Organiser,
    JsonBody(body): JsonBody<WebhookInput>,
) -> Result<Response, Problem> {
    let webhook = api.engine.webhooks.add(caller, body.details()).await?;
    let location = format!("/api/v1/admin/webhooks/{}", webhook.id);
    let mut response = (StatusCode::CREATED, Json(WebhookBody::with_secret(webhook))).into_response();
    let location = HeaderValue::try_from(location).expect("a path is plain ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}
