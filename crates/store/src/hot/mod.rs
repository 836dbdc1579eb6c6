//! The statements that a rush runs, one file per dialect.
//!
//! A batch travels as one JSON text or as one array a column, so the statements' texts are fixed
//! and each is prepared once, whatever the batch's size. [`crate::sales`] encodes it; at each
//! statement its shape as JSON is said, whose innermost members are the arrays' columns. Where a
//! database reads literals faster than JSON, what is written stands in the text itself.
//!
//! Several statements of a batch go to the database together where the dialect has a way; see
//! [`Packing`].

mod mysql;
#[cfg(test)]
mod plans;
mod postgres;
mod sqlite;

pub(crate) use mysql::MYSQL;
pub(crate) use postgres::POSTGRES;
pub(crate) use sqlite::SQLITE;

use crate::sales::Encoding;

/// How statements that follow one another, with nothing to decide in between, are sent. Each trip
/// costs two hand-overs between threads or processes, which under load take longer than a
/// statement. A packed statement takes no parameters but its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// One text of several statements, one after the other.
    Sequence,
    /// One `UNION ALL`; the statements read and give the same columns.
    Union,
    /// One statement whose `WITH` holds them all and that counts the rows they found; they write.
    CommonTables,
    /// One text of several statements, unprepared, with everything that is otherwise a parameter.
    Literals,
}

impl Packing {
    /// One text for several statements, each given with its number of parameters.
    pub(crate) fn pack(self, statements: &[(&'static str, usize)]) -> String {
        let texts = numbered(statements);
        match self {
            Self::Sequence => texts.join(";"),
            Self::Union => texts.join(" UNION ALL "),
            Self::CommonTables => common_tables(&texts),
            Self::Literals => unreachable!("its batches stand in its text, which is put together with them"),
        }
    }

    /// Whether the rows of a statement are counted. In common tables those that are inserted are not: all are
    /// inserted or the statement fails, and counting them is a tenth of their cost.
    pub(crate) fn counts(self, sql: &str) -> bool {
        self != Self::CommonTables || !sql.trim_start().starts_with("INSERT")
    }
}

/// The statements with their parameters counted through, where these have numbers: `$1`, `$2`, ...
fn numbered(statements: &[(&'static str, usize)]) -> Vec<String> {
    let mut before = 0;
    let mut texts = Vec::with_capacity(statements.len());
    for (sql, parameters) in statements {
        texts.push(if before == 0 { (*sql).to_owned() } else { raised(sql, before) });
        before += parameters;
    }
    texts
}

/// The statement with every parameter's number raised.
fn raised(sql: &str, by: usize) -> String {
    let mut parts = sql.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        // Without a number it is the root of a JSON path.
        let number =
            part[..digits].parse::<usize>().map_or(String::new(), |number| (number + by).to_string());
        text.extend(["$", &number, &part[digits..]]);
    }
    text
}

/// What is counted runs in its order, as its rows are counted one by one, and before what is not.
fn common_tables(statements: &[String]) -> String {
    let (mut tables, mut counts) = (Vec::new(), Vec::new());
    for (index, sql) in statements.iter().enumerate() {
        if Packing::CommonTables.counts(sql) {
            tables.push(format!("t{index} AS ({sql} RETURNING 1)"));
            counts.push(format!("(SELECT count(*) FROM t{index})"));
        } else {
            tables.push(format!("t{index} AS ({sql})"));
        }
    }
    let counted = if counts.is_empty() { "0::bigint".to_owned() } else { counts.join(" + ") };
    format!("WITH {} SELECT {counted}", tables.join(", "))
}

/// Makes the struct of statements, and for the tests the list of all.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One text per statement. The rows that a statement gives are the same in every dialect.
        #[derive(Debug)]
        pub(crate) struct HotStatements {
            /// How batches are encoded.
            pub(crate) encoding: Encoding,
            /// How the rows are encoded that a batch inserts. As literals they stand where their
            /// statement has a group with a `?`.
            pub(crate) insert_encoding: Encoding,
            /// How the load statements are sent.
            pub(crate) load_packing: Packing,
            /// How the statements that write a batch's changes are sent.
            pub(crate) write_packing: Packing,
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
    /// As `load_performances`; locks the rows in their order, if that is needed.
    lock_performances,
    /// As `load_stocks`; locks the rows in their order, if that is needed.
    lock_stocks,
    /// As `load_wallets`; locks the rows in their order, if that is needed.
    lock_wallets,

    // What the load statements give has the same columns, so that they can be packed: a number
    // that tells the statements apart, given in brackets; three columns `a`, `b` (integers) and
    // `c` (a UUID); and the columns of an order, into which other rows are put as said.

    /// `[performance, ...]` -> (0) a: id, b: revision, version.
    load_performances,
    /// `[[performance, [seat, ...]], ...]` -> (1) a: performance, b: seat, c: order (null: locked), the
    /// order.
    load_claims,
    /// `[[offer, [user, ...]], ...]` -> (2) each buyer's held and paid orders.
    load_buyers,
    /// `["order in hex", ...]` -> (3) the order.
    load_orders,
    /// `["order in hex", ...]` -> (4) the payment: order as id, user, amount, currency, created;
    /// a: balance after, b: refunded, c: id.
    load_payments,
    /// `[user, ...]` -> (5) user, balance as amount, version.
    load_wallets,
    /// `["key in hex, then user", ...]` -> (6) user, target as status, order as id, balance after
    /// as amount; a: fingerprint, c: key.
    load_keys,

    /// `[item, ...]` -> (7) a: item, b: revision, what is left as amount, the total as created, version.
    load_stocks,
    /// A time, and `[offer, ...]` -> (8) these offers' orders among those written as held that ended
    /// first, if that was by then. Of all offers no more than 1,000 are looked at.
    load_lapsed,

    /// `[[performance, seat, "order in hex" or null], ...]`
    delete_claims,
    /// `[[performance, seat, "order in hex" or null], ...]`
    insert_claims,
    /// When they were made, and `[["id in hex", user, offer, [[seat or count, price], ...], amount,
    /// "currency", expires], ...]`; they are held, and of version 1.
    insert_orders,
    /// `[["id in hex", version before or null for any, version, status], ...]`
    update_orders,
    /// `[["order in hex", "id in hex", user, amount, "currency", balance after, refunded,
    /// created], ...]`
    insert_payments,
    /// `["order in hex", ...]`
    refund_payments,
    /// `[["transfer in hex", account, amount, "kind", "order in hex" or null, created], ...]`
    insert_ledger,
    /// `[[user, balance, version], ...]`
    insert_wallets,
    /// `[[user, version before or null for any, balance, version], ...]`
    update_wallets,
    /// When they were used, and `[[user, "key in hex", fingerprint, target, "order in hex" or null,
    /// balance after or null], ...]`
    insert_keys,
    /// When they happened, and `[["type", "order in hex", version, [["other order in hex", version], ...]],
    /// ...]`
    insert_events,
    /// `[["type", "nil in hex", 0, created, "subject", data], ...]`
    insert_notes,
    /// `[[performance, version before or null for any, revision or null for any, version], ...]`
    update_versions,
    /// `[[item, version before or null for any, revision or null for any, version, difference of the
    /// total, of what is left], ...]`
    update_stocks,

    // These are run alone and take further parameters.

    /// The first one's id, and `[[row, place, "number", category, x, y, "guid" or null], ...]`.
    insert_seats,
    /// A category, the first and the last id of a hall's seats.
    categorise_all,
    /// The same and `[row, ...]`.
    categorise_rows,
    /// The same and `[seat, ...]`.
    categorise_seats,
    /// The show's id, and `["gram", ...]`.
    insert_grams,
    /// `[seq, ...]`
    delete_outbox,
    /// `[[event, created], ...]`
    insert_log,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_tables_count_what_they_find() {
        let packed =
            Packing::CommonTables.pack(&[("UPDATE a SET b = $1", 1), ("INSERT INTO c SELECT $1, $2", 2)]);
        let expected = "WITH t0 AS (UPDATE a SET b = $1 RETURNING 1), t1 AS (INSERT INTO c SELECT $2, $3) \
                        SELECT (SELECT count(*) FROM t0)";
        assert_eq!(packed, expected);
        let inserts = Packing::CommonTables.pack(&[("INSERT INTO c SELECT $1", 1)]);
        assert_eq!(inserts, "WITH t0 AS (INSERT INTO c SELECT $1) SELECT 0::bigint");
    }
}
