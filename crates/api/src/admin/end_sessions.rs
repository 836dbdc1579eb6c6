//! `DELETE /api/v1/admin/accounts/{id}/sessions`

use axum::{extract::State, http::StatusCode};
use onsale_domain::ids::UserId;
use onsale_engine::accounts::OnTheWordOf;

use crate::{Shared, caller::Admin, extract::ApiPath, problem::Problem};

/// End an account's sessions
///
/// As if its owner had logged out everywhere. An identity provider's log-ins are not ours to end: disable
/// the account.
#[utoipa::path(delete, path = "/api/v1/admin/accounts/{id}/sessions", tag = "admin",
    security(("bearer" = [])),
    params(("id" = i64, Path, description = "The account's id", minimum = 1)),
    responses((status = 204, description = "They have ended")))]
pub(super) async fn end_sessions(
    State(api): State<Shared>,
    Admin(caller): Admin,
    ApiPath(id): ApiPath<i64>,
) -> Result<StatusCode, Problem> {
    api.engine.accounts.end_sessions(OnTheWordOf::Admin(caller.user), UserId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
