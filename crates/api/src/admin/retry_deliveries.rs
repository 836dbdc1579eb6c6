//! `POST /api/v1/admin/webhooks/{id}/retry`

use axum::{Json, extract::State};
use onsale_domain::ids::WebhookId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Shared, caller::Organiser, extract::ApiPath, json::JsonBody, problem::Problem};

/// What to send again.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RetryInput {
    /// One delivery that waits or is parked; all of them, if left out.
    #[schema(minimum = 1, example = 1)]
    delivery_id: Option<i64>,
}

/// What is sent again.
#[derive(Serialize, ToSchema)]
pub(super) struct Retried {
    /// How many deliveries waited for another attempt or were parked.
    deliveries: u64,
}

/// Send what waits
///
/// Deliveries that wait for another attempt and those that are parked are sent at once, and tried for a day
/// again, as if they were new.
#[utoipa::path(post, path = "/api/v1/admin/webhooks/{id}/retry", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The webhook's id", minimum = 1)),
    request_body(content = Option<RetryInput>, description = "Which; all, if left out"),
    responses((status = 200, description = "They are on their way", body = Retried)))]
pub(super) async fn retry_deliveries(
    State(api): State<Shared>,
    Organiser(caller): Organiser,
    ApiPath(id): ApiPath<i64>,
    JsonBody(body): JsonBody<RetryInput>,
) -> Result<Json<Retried>, Problem> {
    let deliveries = api.engine.webhooks.deliver_again(caller, WebhookId(id), body.delivery_id).await?;
    Ok(Json(Retried { deliveries }))
}
