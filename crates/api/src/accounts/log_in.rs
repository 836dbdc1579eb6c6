//! `POST /api/v1/auth/login`

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::ToSchema;

use super::TokensBody;
use crate::{
    Shared,
    caller::Client,
    json::JsonBody,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::WrongCredentials, Kind::AccountDisabled, Kind::Overloaded];

/// A log-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LogIn)]
pub(super) struct Body {
    /// The e-mail address.
    #[schema(example = "mina@example.com")]
    email: String,
    /// The password.
    #[schema(format = Password, example = "correct horse battery")]
    password: String,
}

/// Log in
///
/// Begins a session and gives its first pair of tokens.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "accounts", request_body = Body,
    responses((status = 200, description = "A pair of tokens", body = TokensBody)))]
pub(super) async fn log_in(
    State(api): State<Shared>,
    Client(client): Client,
    JsonBody(body): JsonBody<Body>,
) -> Result<Json<TokensBody>, Problem> {
    Ok(Json(api.engine.accounts.log_in(&body.email, &body.password, client).await?.into()))
}
