//! The sale pipeline over a real store: races, deadlines, and what happens without the guards.

pub mod deadlines;
pub mod idempotency;
pub mod races;
pub mod seat_locks;
pub mod stage;
pub mod unit_sales;
