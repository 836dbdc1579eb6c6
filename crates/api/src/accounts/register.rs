//! `POST /api/v1/users`

use axum::{Json, extract::State, http::StatusCode};
use onsale_domain::user::Role;
use serde::Deserialize;
use utoipa::ToSchema;

use super::UserBody;
use crate::{
    Shared,
    json::JsonBody,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::EmailTaken, Kind::Overloaded];

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser)]
pub(super) struct Body {
    /// The e-mail address; upper and lower case are the same.
    #[schema(min_length = 3, max_length = 254, example = "mina@example.com")]
    email: String,
    /// The password.
    #[schema(format = Password, min_length = 8, max_length = 128, example = "correct horse battery")]
    password: String,
    /// As they want to be called.
    #[schema(min_length = 1, max_length = 100, example = "Mina")]
    name: String,
}

/// Sign up
///
/// Makes an account that may buy.
#[utoipa::path(post, path = "/api/v1/users", tag = "accounts", request_body = Body,
    responses((status = 201, description = "The account", body = UserBody)))]
pub(super) async fn register(
    State(api): State<Shared>,
    JsonBody(body): JsonBody<Body>,
) -> Result<(StatusCode, Json<UserBody>), Problem> {
    let user = api.engine.accounts.register(&body.email, &body.password, &body.name, Role::User).await?;
    Ok((StatusCode::CREATED, Json(user.into())))
}
