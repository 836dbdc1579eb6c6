//! The tables as SeaORM entities, for the everyday queries.

mod accounts;
mod catalogue;
mod replicas;
mod rooms;
mod sales;

pub(crate) use accounts::{session, user};
pub(crate) use catalogue::{
    hall, hall_category, hall_row, id_run, performance, price_level, seat, show, show_gram, venue,
};
pub(crate) use replicas::replica_heartbeat;
pub(crate) use rooms::{room, room_change, room_performance};
pub(crate) use sales::{claim, idempotency_key, ledger_entry, order, payment, wallet};
