//! The demo's accounts.

use onsale_domain::user::Role;
use onsale_engine::{Engine, accounts::AccountError, ports::Store};

use super::failed;
use crate::failure::Failure;

/// The password of all demo accounts.
pub(super) const PASSWORD: &str = "onsale-demo";

pub(super) const ADMIN: &str = "admin@example.com";
pub(super) const ORGANISER: &str = "organiser@example.com";
pub(super) const BUYERS: [&str; 4] =
    ["buyer1@example.com", "buyer2@example.com", "buyer3@example.com", "buyer4@example.com"];

/// What each buyer has in the wallet, in minor units.
pub(super) const POINTS: i64 = 1_000_000;

/// Whether this is the demo's database.
pub(super) async fn are_here(store: &dyn Store) -> Result<bool, Failure> {
    Ok(store.user_by_email(ORGANISER).await.map_err(failed())?.is_some())
}

/// Adds those that are missing. Buyers get points once.
pub(super) async fn add(engine: &Engine, store: &dyn Store) -> Result<(), Failure> {
    register(engine, ORGANISER, "Olga Organiser", Role::Organiser).await?;
    register(engine, ADMIN, "Adam Admin", Role::Admin).await?;
    for (email, name) in BUYERS.into_iter().zip(["Bora", "Bela", "Binh", "Beatriz"]) {
        register(engine, email, name, Role::User).await?;
        let Some(buyer) = store.user_by_email(email).await.map_err(failed())? else { continue };
        if engine.sales.wallet(buyer.id).await.map_err(failed())?.version == 0 {
            engine.sales.charge(buyer.id, None, POINTS).await.map_err(failed())?;
        }
    }
    Ok(())
}

async fn register(engine: &Engine, email: &str, name: &str, role: Role) -> Result<(), Failure> {
    match engine.accounts.register(email, PASSWORD, name, role).await {
        Ok(_) | Err(AccountError::EmailTaken) => Ok(()),
        Err(error) => Err(failed()(error)),
    }
}
