//! The contracts of [`onsale_engine::ports::Coordination`] and [`onsale_engine::ports::Limiter`].
#![allow(missing_docs, reason = "a case's name says what it demands")]

pub mod bank;
pub mod broadcast;
pub mod cache;
pub mod limits;
pub mod locks;
pub mod restarts;
pub mod rooms;

pub mod fixture;
