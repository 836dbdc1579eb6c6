//! The use cases of Onsale and the ports they need.
//!
//! [`Engine`] is the only API that surfaces (HTTP, CLI), the simulator and tests see.
//! Adapters implement the traits in [`ports`]; the composition root joins the two.

pub mod accounts;
pub mod audit;
mod background;
pub mod catalogue;
pub mod clock;
mod engine;
pub mod events;
mod former_keys;
pub mod ids;
pub mod line;
pub mod media;
pub mod owners;
pub mod ports;
pub mod rankings;
pub mod sales;
pub mod secret;
pub mod vitals;
pub mod webhooks;

pub use engine::{Engine, NotReady, Settings};
pub use former_keys::FormerKey;
