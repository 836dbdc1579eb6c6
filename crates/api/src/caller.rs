//! Who is calling: extractors that demand a log-in or a role.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use onsale_domain::user::Role;
use onsale_engine::accounts::Caller;

use crate::{
    Shared,
    problem::{Kind, Problem},
};

/// Somebody logged in.
pub(crate) struct LoggedIn(pub(crate) Caller);

/// Somebody who may have logged in. A log-in that is not valid is refused.
pub(crate) struct MaybeLoggedIn(pub(crate) Option<Caller>);

/// Somebody who runs sales: an organiser or an administrator.
pub(crate) struct Organiser(pub(crate) Caller);

impl<S: Send + Sync> FromRequestParts<S> for LoggedIn
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let token = bearer(&parts.headers)?;
        Ok(Self(Shared::from_ref(state).engine.accounts.authenticate(token)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MaybeLoggedIn
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(Self(None));
        }
        LoggedIn::from_request_parts(parts, state).await.map(|LoggedIn(caller)| Self(Some(caller)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Organiser
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let LoggedIn(caller) = LoggedIn::from_request_parts(parts, state).await?;
        if caller.role >= Role::Organiser {
            return Ok(Self(caller));
        }
        Err(Problem::new(Kind::Forbidden, "this needs the role of an organiser")
            .with("requiredRole", Role::Organiser.as_str()))
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| {
            Problem::new(Kind::NotAuthenticated, "send an access token as `Authorization: Bearer TOKEN`")
        })
}
