//! The contract of [`onsale_engine::ports::Coordination`].
#![allow(missing_docs, reason = "a case's name says what it demands")]

pub mod bank;
pub mod restarts;
pub mod rooms;

pub mod fixture;
