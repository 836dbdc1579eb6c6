//! The statements that a rush runs, one file per dialect.
//!
//! A batch travels as one JSON text, so the statements' texts are fixed and each is prepared
//! once, whatever the batch's size. [`crate::sales`] writes the JSON; its shape is said at each
//! statement, since a dialect may read one shape faster than another.

mod sqlite;

pub(crate) use sqlite::SQLITE;

/// Makes the struct of statements, and for the tests the list of all.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One text per statement. The rows that a statement gives are the same in every dialect.
        #[derive(Debug)]
        pub(crate) struct HotStatements {
            $($(#[$doc])* pub(crate) $name: &'static str,)*
        }

        #[cfg(test)]
        impl HotStatements {
            /// Every statement with its name.
            pub(crate) fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

statements! {
    // The first column of what the load statements give is a number that tells them apart, given
    // in brackets: they are run together.

    /// `[performance, ...]` -> (0) id, revision, version.
    load_performances,
    /// `{"performance": [seat, ...]}` -> (1) performance, seat, order (null: locked), then the
    /// order's columns.
    load_claims,
    /// `{"performance": [user, ...]}` -> (2) the columns of each buyer's held and paid orders.
    load_buyers,
    /// `["order in hex", ...]` -> (3) the order's columns.
    load_orders,
    /// `["order in hex", ...]` -> (4) the payment's columns.
    load_payments,
    /// `[user, ...]` -> (5) user, balance, version.
    load_wallets,
    /// `["key in hex, then user", ...]` -> (6) user, key, fingerprint, target, order, balance after.
    load_keys,

    /// `[[performance, seat, "order in hex" or null], ...]`
    delete_claims,
    /// `[[performance, seat, "order in hex" or null], ...]`
    insert_claims,
    /// `[["id in hex", user, performance, status, [[seat, price], ...], amount, "currency",
    /// created, expires, version], ...]`
    insert_orders,
    /// `[["id in hex", version before, version, status], ...]`
    update_orders,
    /// `[["order in hex", "id in hex", user, amount, "currency", balance after, refunded,
    /// created], ...]`
    insert_payments,
    /// `["order in hex", ...]`
    refund_payments,
    /// `[["transfer in hex", account, amount, "kind", "order in hex" or null, created], ...]`
    insert_ledger,
    /// `[[user, version before, balance, version], ...]`
    insert_wallets,
    /// `[[user, version before, balance, version], ...]`
    update_wallets,
    /// `[[user, "key in hex", fingerprint, target, "order in hex" or null, balance after or null,
    /// created], ...]`
    insert_keys,
    /// `[["type", "order in hex", version, {data}, created], ...]`
    insert_events,
    /// `[[performance, version], ...]`; the version before is one less.
    update_versions,

    /// `[[row, place, "number", category, x, y, "guid" or null], ...]`, and the first one's id.
    insert_seats,
    /// A category, the first and the last id of a hall's seats.
    categorise_all,
    /// The same and `[row, ...]`.
    categorise_rows,
    /// The same and `[seat, ...]`.
    categorise_seats,
    /// `["gram", ...]`, and the show's id.
    insert_grams,
}
