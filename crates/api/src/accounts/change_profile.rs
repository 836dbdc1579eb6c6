//! `PATCH /api/v1/users/me`

use axum::{Json, extract::State};
use onsale_engine::accounts::ProfileChange;
use serde::Deserialize;
use utoipa::ToSchema;

use super::UserBody;
use crate::{
    Shared,
    caller::{Client, LoggedIn},
    json::JsonBody,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] =
    &[Kind::NoSuchUser, Kind::EmailTaken, Kind::WrongCredentials, Kind::Overloaded];

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ProfileChange)]
pub(super) struct Body {
    /// A new name.
    #[schema(min_length = 1, max_length = 100, example = "Mina Kim")]
    name: Option<String>,
    /// A new e-mail address. Needs `currentPassword`.
    #[schema(min_length = 3, max_length = 254, example = "mina.kim@example.com")]
    email: Option<String>,
    /// A new password, not one that is guessed first. Needs `currentPassword`; ends all other sessions.
    #[schema(format = Password, min_length = 8, max_length = 128)]
    password: Option<String>,
    /// The password as it is. Wrong ones count as those of log-ins do.
    #[schema(format = Password)]
    current_password: Option<String>,
}

/// Change one's own account
#[utoipa::path(patch, path = "/api/v1/users/me", tag = "accounts", security(("bearer" = [])),
    request_body = Body, responses((status = 200, description = "The account", body = UserBody)))]
pub(super) async fn change_profile(
    State(api): State<Shared>,
    LoggedIn(caller): LoggedIn,
    Client(client): Client,
    JsonBody(body): JsonBody<Body>,
) -> Result<Json<UserBody>, Problem> {
    let change = ProfileChange {
        name: body.name,
        email: body.email,
        password: body.password,
        current_password: body.current_password,
    };
    Ok(Json(api.engine.accounts.change_profile(caller, change, client).await?.into()))
}
