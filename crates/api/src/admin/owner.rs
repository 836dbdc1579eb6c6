//! An owner, as it is asked for and answered.

use onsale_engine::ports::User;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who is to own something.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GiveTo)]
pub(super) struct OwnerInput {
    /// The e-mail address of an organiser's or an administrator's account.
    #[schema(max_length = 320, example = "organiser@example.com")]
    pub(super) email: String,
}

/// Who owns something.
#[derive(Serialize, ToSchema)]
#[schema(as = Owner)]
pub(super) struct OwnerBody {
    /// The account's id.
    #[schema(minimum = 1, example = 1)]
    id: i64,
    /// Its e-mail address.
    #[schema(example = "organiser@example.com")]
    email: String,
    /// As they want to be called.
    name: String,
}

impl From<User> for OwnerBody {
    fn from(user: User) -> Self {
        Self { id: user.id.0, email: user.email, name: user.name }
    }
}
