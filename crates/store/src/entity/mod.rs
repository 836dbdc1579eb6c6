//! The tables as SeaORM entities, for the everyday queries.

mod accounts;
mod catalogue;
mod events;
mod items;
mod media;
mod popularity;
mod replicas;
mod rooms;
mod sales;
mod terms;
mod webhooks;

pub(crate) use accounts::{identity, session, user};
pub(crate) use catalogue::{
    hall, hall_category, hall_draft, hall_row, id_run, performance, price_level, seat, show, show_gram,
    show_import, venue,
};
pub(crate) use events::{event_log, event_task, outbox};
pub(crate) use items::{item, stock};
pub(crate) use media::picture;
pub(crate) use popularity::{chart, chart_run, counted_event, popularity_day, popularity_now};
pub(crate) use replicas::replica_heartbeat;
pub(crate) use rooms::{room, room_change, room_log, room_offer};
pub(crate) use sales::{claim, idempotency_key, ledger_entry, order, payment, wallet};
pub(crate) use terms::offer_terms;
pub(crate) use webhooks::{delivery, webhook};
