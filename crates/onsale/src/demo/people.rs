//! The demo's accounts.

use onsale_domain::{ids::UserId, user::Role};
use onsale_engine::{Engine, accounts::AccountError, ports::Store};

use super::failed;
use crate::failure::Failure;

/// An account that everybody may use.
pub(super) struct DemoAccount {
    pub(super) email: &'static str,
    pub(super) password: &'static str,
    name: &'static str,
    role: Role,
}

/// The first account made, which marks the database as the demo's.
pub(super) const ORGANISER: DemoAccount = DemoAccount {
    email: "organiser@demo.example",
    password: "demo-organiser",
    name: "Olga Organiser",
    role: Role::Organiser,
};

pub(super) const ADMIN: DemoAccount = DemoAccount {
    email: "admin@demo.example",
    password: "demo-admin",
    name: "Adam Admin",
    role: Role::Admin,
};

pub(super) const BUYERS: [DemoAccount; 4] = [
    buyer("buyer1@demo.example", "Bora"),
    buyer("buyer2@demo.example", "Bela"),
    buyer("buyer3@demo.example", "Binh"),
    buyer("buyer4@demo.example", "Beatriz"),
];

const fn buyer(email: &'static str, name: &'static str) -> DemoAccount {
    DemoAccount { email, password: "demo-buyer", name, role: Role::User }
}

/// What each buyer has in the wallet, in minor units.
pub(super) const POINTS: i64 = 1_000_000;

/// Whether this is the demo's database.
pub(super) async fn are_here(store: &dyn Store) -> Result<bool, Failure> {
    Ok(store.user_by_email(ORGANISER.email).await.map_err(failed())?.is_some())
}

/// Adds those that are missing. Buyers get points once. The organiser, whose everything new is.
pub(super) async fn add(engine: &Engine, store: &dyn Store) -> Result<Option<UserId>, Failure> {
    register(engine, &ORGANISER).await?;
    register(engine, &ADMIN).await?;
    for account in &BUYERS {
        register(engine, account).await?;
        let Some(buyer) = store.user_by_email(account.email).await.map_err(failed())? else { continue };
        if engine.sales.wallet(buyer.id).await.map_err(failed())?.version == 0 {
            engine.sales.charge(buyer.id, None, POINTS).await.map_err(failed())?;
        }
    }
    let organiser = store.user_by_email(ORGANISER.email).await.map_err(failed())?;
    Ok(organiser.map(|organiser| organiser.id))
}

async fn register(engine: &Engine, account: &DemoAccount) -> Result<(), Failure> {
    let &DemoAccount { email, password, name, role } = account;
    match engine.accounts.register(email, password, name, role).await {
        Ok(_) | Err(AccountError::EmailTaken) => Ok(()),
        Err(error) => Err(failed()(error)),
    }
}
