//! `POST /api/v1/auth/logout`

use axum::{extract::State, http::StatusCode};

use crate::{Shared, caller::LoggedIn, problem::Problem};

/// Log out
///
/// Ends the session: both its tokens are void at once on this node; on others its access token within three
/// seconds, over Redis within 0.2 s.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "accounts", security(("bearer" = [])),
    responses((status = 204, description = "The session has ended")))]
pub(super) async fn log_out(
    State(api): State<Shared>,
    LoggedIn(caller): LoggedIn,
) -> Result<StatusCode, Problem> {
    api.engine.accounts.log_out(caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
