//! An account, as administrators see it.

use onsale_engine::ports::User;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{accounts::RoleBody, time::Rfc3339};

/// Somebody's account.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Account)]
pub(super) struct AccountBody {
    /// The account's id.
    #[schema(minimum = 1, example = 1)]
    pub(super) id: i64,
    /// The e-mail address, in lower case; empty if the identity provider tells none.
    #[schema(example = "mina@example.com")]
    email: String,
    /// As they want to be called.
    #[schema(example = "Mina")]
    name: String,
    /// The role, which says what they may do.
    role: RoleBody,
    /// Since when.
    created_at: Rfc3339,
    /// Whether they have a password here; else they log in with the identity provider.
    has_password: bool,
    /// Since when they may not log in; none if they may.
    disabled_at: Option<Rfc3339>,
}

impl From<User> for AccountBody {
    fn from(user: User) -> Self {
        Self {
            id: user.id.0,
            email: user.email,
            name: user.name,
            role: user.role.into(),
            created_at: Rfc3339(user.created_at),
            has_password: !user.password_hash.is_empty(),
            disabled_at: user.disabled_at.map(Rfc3339),
        }
    }
}
