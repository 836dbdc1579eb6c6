//! `GET /api/v1/admin/accounts/{id}`

use axum::{Json, extract::State};
use onsale_domain::ids::UserId;

use super::account::AccountBody;
use crate::{Shared, caller::Admin, extract::ApiPath, problem::Problem};

/// Get an account
#[utoipa::path(get, path = "/api/v1/admin/accounts/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The account's id", minimum = 1)),
    responses((status = 200, description = "The account", body = AccountBody)))]
pub(super) async fn get_account(
    State(api): State<Shared>,
    _: Admin,
    ApiPath(id): ApiPath<i64>,
) -> Result<Json<AccountBody>, Problem> {
    Ok(Json(api.engine.accounts.profile(UserId(id)).await?.into()))
}
