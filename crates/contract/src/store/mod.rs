//! The contract of the ports behind [`onsale_engine::ports::Store`].
#![allow(missing_docs, reason = "a case's name says what it demands")]

pub mod accounts;
pub mod audits;
pub mod bulk;
pub mod catalogue;
pub mod deliveries;
pub mod identities;
pub mod items;
pub mod listings;
pub mod media;
pub mod outbox;
pub mod owners;
pub mod popularity;
pub mod rooms;
pub mod sales;
pub mod transactions;
pub mod webhooks;
pub mod writers;

pub mod fixture;
