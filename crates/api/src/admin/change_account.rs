//! `PATCH /api/v1/admin/accounts/{id}`

use axum::{Json, extract::State};
use onsale_domain::ids::UserId;
use onsale_engine::accounts::{AccountChange, OnTheWordOf};
use serde::Deserialize;
use utoipa::ToSchema;

use super::account::AccountBody;
use crate::{
    Shared,
    accounts::RoleBody,
    caller::Admin,
    extract::ApiPath,
    json::JsonBody,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::NotPossible];

/// Changes to an account; members that are left out stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccountChange)]
pub(super) struct AccountInput {
    /// The role, which says what they may do.
    role: Option<RoleBody>,
    /// Whether they may not log in.
    #[schema(example = true)]
    disabled: Option<bool>,
}

/// Change an account's role, disable or enable it
///
/// Ends the account's sessions, so that it counts at once: on this node with the next request, on others
/// within three seconds, over Redis within 0.2 s. What is so already changes nothing. The last administrator
/// who is not disabled stays one. Roles that the identity provider says are changed there.
#[utoipa::path(patch, path = "/api/v1/admin/accounts/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The account's id", minimum = 1)),
    request_body = AccountInput,
    responses((status = 200, description = "The account", body = AccountBody)))]
pub(super) async fn change_account(
    State(api): State<Shared>,
    Admin(caller): Admin,
    ApiPath(id): ApiPath<i64>,
    JsonBody(body): JsonBody<AccountInput>,
) -> Result<Json<AccountBody>, Problem> {
    let change = AccountChange { role: body.role.map(Into::into), is_disabled: body.disabled };
    let by = OnTheWordOf::Admin(caller.user);
    Ok(Json(api.engine.accounts.change_account(by, UserId(id), change).await?.into()))
}
