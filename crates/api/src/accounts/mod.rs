//! People, log-ins and points.

use onsale_domain::user::Role;
use onsale_engine::{accounts::Tokens, ports::User};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::operation::{BODY, KEYED, LOGGED_IN, Operations, PIPELINE, STORE, operation};

mod change_profile;
mod charge_points;
mod close_account;
mod get_points;
mod get_profile;
mod log_in;
mod log_out;
mod refresh;
mod register;

pub(crate) fn operations() -> Operations {
    Operations::new()
        .routes(operation!(register::register, &[BODY, STORE, register::PROBLEMS]))
        .routes(operation!(log_in::log_in, &[BODY, STORE, log_in::PROBLEMS]))
        .routes(operation!(refresh::refresh, &[BODY, STORE, refresh::PROBLEMS]))
        .routes(operation!(log_out::log_out, &[LOGGED_IN, STORE]))
        .routes(operation!(get_profile::get_profile, &[LOGGED_IN, STORE, get_profile::PROBLEMS]))
        .routes(operation!(
            change_profile::change_profile,
            &[LOGGED_IN, BODY, STORE, change_profile::PROBLEMS],
        ))
        .routes(operation!(close_account::close_account, &[LOGGED_IN, STORE, close_account::PROBLEMS]))
        .routes(operation!(get_points::get_points, &[LOGGED_IN, STORE]))
        .routes(operation!(
            charge_points::charge_points,
            &[LOGGED_IN, BODY, KEYED, PIPELINE, charge_points::PROBLEMS],
        ))
}

/// What an account may do.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RoleBody {
    /// Buys.
    User,
    /// Runs sales.
    Organiser,
    /// Runs the installation.
    Admin,
}

/// An account.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
struct UserBody {
    /// The account's id.
    #[schema(minimum = 1, example = 1)]
    id: i64,
    /// The e-mail address, in lower case; empty if the identity provider tells none.
    #[schema(example = "mina@example.com")]
    email: String,
    /// As they want to be called.
    #[schema(example = "Mina")]
    name: String,
    /// What they may do.
    role: RoleBody,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self { id: user.id.0, email: user.email, name: user.name, role: user.role.into() }
    }
}

impl From<Role> for RoleBody {
    fn from(role: Role) -> Self {
        match role {
            Role::User => Self::User,
            Role::Organiser => Self::Organiser,
            Role::Admin => Self::Admin,
        }
    }
}

impl From<RoleBody> for Role {
    fn from(role: RoleBody) -> Self {
        match role {
            RoleBody::User => Self::User,
            RoleBody::Organiser => Self::Organiser,
            RoleBody::Admin => Self::Admin,
        }
    }
}

/// What a log-in gives.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Tokens)]
struct TokensBody {
    /// Goes with every request as `Authorization: Bearer`.
    access_token: String,
    /// Gets the next pair.
    refresh_token: String,
    /// How long the access token is good, in seconds.
    #[schema(minimum = 1, example = 3600)]
    expires_in: i64,
    /// How to send the access token.
    #[schema(example = "Bearer")]
    token_type: &'static str,
}

impl From<Tokens> for TokensBody {
    fn from(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access,
            refresh_token: tokens.refresh,
            expires_in: tokens.expires_in_s,
            token_type: "Bearer",
        }
    }
}

/// A wallet of points.
#[derive(Serialize, ToSchema)]
#[schema(as = Points)]
pub(crate) struct PointsBody {
    /// What is in it, in minor units of the currency.
    #[schema(minimum = 0, example = 50_000)]
    pub(crate) balance: i64,
    /// The currency, by its ISO 4217 code.
    #[schema(example = "KRW")]
    pub(crate) currency: String,
}
