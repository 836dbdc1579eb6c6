//! `GET /api/v1/users/me`

use axum::{Json, extract::State};

use super::UserBody;
use crate::{
    Shared,
    caller::LoggedIn,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::NoSuchUser];

/// Get one's own account
#[utoipa::path(get, path = "/api/v1/users/me", tag = "accounts", security(("bearer" = [])),
    responses((status = 200, description = "The account", body = UserBody)))]
pub(super) async fn get_profile(
    State(api): State<Shared>,
    LoggedIn(caller): LoggedIn,
) -> Result<Json<UserBody>, Problem> {
    Ok(Json(api.engine.accounts.profile(caller.user).await?.into()))
}
