//! Who is calling: extractors that demand a log-in or a role.

use std::{convert::Infallible, net::IpAddr};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use onsale_domain::{
    ids::{HallId, ItemId, PerformanceId, RoomId, ShowId, VenueId},
    user::Role,
};
use onsale_engine::{accounts::Caller, ports::Owned};

use crate::{
    Shared,
    extract::ApiPath,
    problem::{Kind, Problem},
};

/// Somebody logged in.
pub(crate) struct LoggedIn(pub(crate) Caller);

/// Somebody who may have logged in. A log-in that is not valid is refused.
pub(crate) struct MaybeLoggedIn(pub(crate) Option<Caller>);

/// Somebody who runs sales: an organiser or an administrator.
pub(crate) struct Organiser(pub(crate) Caller);

/// Somebody who may change what the address names by `{id}`: the organiser whose it is, or an
/// administrator.
pub(crate) struct OwnerOf<T>(pub(crate) Caller, pub(crate) T);

/// The address that a request came from, as far as it can be believed.
pub(crate) struct Client(pub(crate) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Client
where
    Shared: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(Shared::from_ref(state).client(parts)))
    }
}

/// Somebody who runs the installation.
pub(crate) struct Admin(pub(crate) Caller);

impl<S: Send + Sync> FromRequestParts<S> for LoggedIn
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let api = Shared::from_ref(state);
        let headers = &parts.headers;
        if headers.contains_key(header::AUTHORIZATION) && api.door.authorization_is_a_token(headers) {
            return Ok(Self(api.engine.accounts.caller(bearer(&parts.headers)?).await?));
        }
        match api.door.gateway_user(parts) {
            None => Err(not_authenticated()),
            Some(Err(why)) => Err(Problem::new(Kind::InvalidToken, why)),
            Some(Ok(user)) => Ok(Self(api.engine.accounts.named(user).await?)),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MaybeLoggedIn
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match LoggedIn::from_request_parts(parts, state).await {
            Ok(LoggedIn(caller)) => Ok(Self(Some(caller))),
            Err(problem)
                if problem.kind == Kind::NotAuthenticated
                    && !parts.headers.contains_key(header::AUTHORIZATION) =>
            {
                Ok(Self(None))
            }
            Err(problem) => Err(problem),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Organiser
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        at_least(Role::Organiser, "this needs the role of an organiser", parts, state).await.map(Self)
    }
}

impl<S: Send + Sync, T: OwnedId> FromRequestParts<S> for OwnerOf<T>
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Organiser(caller) = Organiser::from_request_parts(parts, state).await?;
        let ApiPath(id) = ApiPath::<i64>::from_request_parts(parts, state).await?;
        let id = T::new(id);
        Shared::from_ref(state).engine.owners.check(caller, id).await?;
        Ok(Self(caller, id))
    }
}

/// The id of something that has an owner.
pub(crate) trait OwnedId: Copy + Into<Owned> + Send {
    fn new(id: i64) -> Self;
}

macro_rules! owned_ids {
    ($($id:ident),*) => {$(
        impl OwnedId for $id {
            fn new(id: i64) -> Self {
                Self(id)
            }
        }
    )*};
}

owned_ids!(ShowId, PerformanceId, ItemId, VenueId, HallId, RoomId);

impl<S: Send + Sync> FromRequestParts<S> for Admin
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        at_least(Role::Admin, "this needs the role of an administrator", parts, state).await.map(Self)
    }
}

/// The caller, if they have a role or a higher one.
async fn at_least<S: Send + Sync>(
    role: Role,
    otherwise: &'static str,
    parts: &mut Parts,
    state: &S,
) -> Result<Caller, Problem>
where
    Shared: FromRef<S>,
{
    let LoggedIn(caller) = LoggedIn::from_request_parts(parts, state).await?;
    if caller.role >= role {
        return Ok(caller);
    }
    Err(Problem::new(Kind::Forbidden, otherwise).with("requiredRole", role.as_str()))
}

fn not_authenticated() -> Problem {
    Problem::new(Kind::NotAuthenticated, "send an access token as `Authorization: Bearer TOKEN`")
}

/// The access token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(not_authenticated)
}
