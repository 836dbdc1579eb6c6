//! `POST /api/v1/users`

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::UserBody;
use crate::{
    Shared,
    caller::Client,
    json::JsonBody,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::EmailTaken, Kind::Overloaded];

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser)]
pub(super) struct Body {
    /// The e-mail address, in any spelling: upper and lower case are the same, and so are both ways to write
    /// the name of a host that is not ASCII.
    #[schema(min_length = 3, max_length = 254, example = "mina@example.com")]
    email: String,
    /// The password. One that is guessed first is refused, such as `password1`, a row of the keyboard, or
    /// what stands before the @ of the address.
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
    Client(client): Client,
    JsonBody(body): JsonBody<Body>,
) -> Result<(StatusCode, Json<UserBody>), Problem> {
    let user = api.engine.accounts.sign_up(&body.email, &body.password, &body.name, client).await?;
    Ok((StatusCode::CREATED, Json(user.into())))
}
