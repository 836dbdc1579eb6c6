//! `DELETE /api/v1/users/me`

use axum::{extract::State, http::StatusCode};

use crate::{
    Shared,
    caller::LoggedIn,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::NoSuchUser, Kind::NotPossible];

/// Close one's own account
///
/// Erases name, e-mail address and password and ends all sessions. Reservations stay on record
/// without them. The last administrator who is not disabled cannot leave.
#[utoipa::path(delete, path = "/api/v1/users/me", tag = "accounts", security(("bearer" = [])),
    responses((status = 204, description = "The account is closed")))]
pub(super) async fn close_account(
    State(api): State<Shared>,
    LoggedIn(caller): LoggedIn,
) -> Result<StatusCode, Problem> {
    api.engine.accounts.close(caller.user).await?;
    Ok(StatusCode::NO_CONTENT)
}
