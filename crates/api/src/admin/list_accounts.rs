//! `GET /api/v1/admin/accounts`

use axum::{Json, extract::State};
use onsale_domain::ids::UserId;
use onsale_engine::ports::UserQuery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::account::AccountBody;
use crate::{
    Shared,
    accounts::RoleBody,
    caller::Admin,
    extract::{self, ApiQuery},
    problem::Problem,
};

/// Which accounts are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AccountPaging {
    /// Only those whose e-mail address has this in it.
    #[param(example = "@example.com")]
    email: Option<String>,
    /// Only those with this role.
    #[param(inline)]
    role: Option<RoleBody>,
    /// Only accounts after this one: `next` of the page before.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Accounts a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    size: Option<u32>,
}

/// Some accounts.
#[derive(Serialize, ToSchema)]
pub(super) struct AccountList {
    /// The oldest first.
    accounts: Vec<AccountBody>,
    /// The value of `after` that gets the next page; none if this is the last.
    next: Option<i64>,
}

/// List accounts
///
/// Those that are disabled are among them, those that are closed are not.
#[utoipa::path(get, path = "/api/v1/admin/accounts", tag = "admin", security(("bearer" = [])),
    params(AccountPaging),
    responses((status = 200, description = "The accounts, the oldest first", body = AccountList)))]
pub(super) async fn list_accounts(
    State(api): State<Shared>,
    _: Admin,
    ApiQuery(paging): ApiQuery<AccountPaging>,
) -> Result<Json<AccountList>, Problem> {
    let size = extract::size(paging.size, 100, 500)? as usize;
    if paging.after.is_some_and(|after| after < 0) {
        return Err(Problem::field("after", "must not be below 0"));
    }
    let query = UserQuery {
        email: paging.email,
        role: paging.role.map(Into::into),
        after: paging.after.map(UserId),
        // One more than asked for tells whether there is a next page.
        max: size as u64 + 1,
    };
    let mut accounts = api.engine.accounts.list(query).await?;
    let more = accounts.len() > size;
    accounts.truncate(size);
    let accounts: Vec<_> = accounts.into_iter().map(AccountBody::from).collect();
    let next = accounts.last().filter(|_| more).map(|account| account.id);
    Ok(Json(AccountList { accounts, next }))
}
