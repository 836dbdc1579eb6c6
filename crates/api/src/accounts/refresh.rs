//! `POST /api/v1/auth/refresh`

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::ToSchema;

use super::TokensBody;
use crate::{
    Shared,
    json::JsonBody,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::InvalidToken];

/// A refresh token to exchange.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Refresh)]
pub(super) struct Body {
    /// The refresh token of the last pair.
    refresh_token: String,
}

/// Get the next pair of tokens
///
/// Exchanges a refresh token. For some seconds (`accounts.refresh_grace_seconds`) the same token gets the
/// same refresh token again: two tabs, or an answer that was lost. Using it later ends the session: one of
/// the two who used it has stolen it.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "accounts", request_body = Body,
    responses((status = 200, description = "A pair of tokens", body = TokensBody)))]
pub(super) async fn refresh(
    State(api): State<Shared>,
    JsonBody(body): JsonBody<Body>,
) -> Result<Json<TokensBody>, Problem> {
    Ok(Json(api.engine.accounts.refresh(&body.refresh_token).await?.into()))
}
