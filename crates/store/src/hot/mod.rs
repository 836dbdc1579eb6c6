//! The statements that a rush runs, one file per dialect.
//!
//! A batch travels as one JSON text, so the statements' texts are fixed and each is prepared
//! once, whatever the batch's size. [`crate::sales`] writes the JSON; its shape is said at each
//! statement, since a dialect may read one shape faster than another.

mod sqlite;

pub(crate) use sqlite::SQLITE;

/// One text per statement. The rows that a statement gives are the same in every dialect.
#[derive(Debug)]
pub(crate) struct HotStatements {
    /// `[performance, ...]` -> id, revision, version.
    pub(crate) load_performances: &'static str,
    /// `{"performance": [seat, ...]}` -> performance, seat, order (null: locked), then the
    /// order's columns.
    pub(crate) load_claims: &'static str,
    /// `{"performance": [user, ...]}` -> the columns of each buyer's held and paid orders.
    pub(crate) load_buyers: &'static str,
    /// `["order in hex", ...]` -> the order's columns.
    pub(crate) load_orders: &'static str,
    /// `["order in hex", ...]` -> the payment's columns.
    pub(crate) load_payments: &'static str,
    /// `[user, ...]` -> user, balance, version.
    pub(crate) load_wallets: &'static str,
    /// `["key in hex, then user", ...]` -> user, key, fingerprint, target, order, balance after.
    pub(crate) load_keys: &'static str,

    /// `[[performance, seat, "order in hex" or null], ...]`
    pub(crate) delete_claims: &'static str,
    /// `[[performance, seat, "order in hex" or null], ...]`
    pub(crate) insert_claims: &'static str,
    /// `[["id in hex", user, performance, status, [[seat, price], ...], amount, "currency",
    /// created, expires, version], ...]`
    pub(crate) insert_orders: &'static str,
    /// `[["id in hex", version before, version, status], ...]`
    pub(crate) update_orders: &'static str,
    /// `[["order in hex", "id in hex", user, amount, "currency", balance after, refunded,
    /// created], ...]`
    pub(crate) insert_payments: &'static str,
    /// `["order in hex", ...]`
    pub(crate) refund_payments: &'static str,
    /// `[["transfer in hex", account, amount, "kind", "order in hex" or null, created], ...]`
    pub(crate) insert_ledger: &'static str,
    /// `[[user, version before, balance, version], ...]`
    pub(crate) insert_wallets: &'static str,
    /// `[[user, version before, balance, version], ...]`
    pub(crate) update_wallets: &'static str,
    /// `[[user, "key in hex", fingerprint, target, "order in hex" or null, balance after or null,
    /// created], ...]`
    pub(crate) insert_keys: &'static str,
    /// `[["type", "order in hex", version, {data}, created], ...]`
    pub(crate) insert_events: &'static str,
    /// `[[performance, version], ...]`; the version before is one less.
    pub(crate) update_versions: &'static str,

    /// `[[row, place, "number", category, x, y, "guid" or null], ...]`, and the first one's id.
    pub(crate) insert_seats: &'static str,
    /// A category, the first and the last id of a hall's seats.
    pub(crate) categorise_all: &'static str,
    /// The same and `[row, ...]`.
    pub(crate) categorise_rows: &'static str,
    /// The same and `[seat, ...]`.
    pub(crate) categorise_seats: &'static str,
    /// `["gram", ...]`, and the show's id.
    pub(crate) insert_grams: &'static str,
}
