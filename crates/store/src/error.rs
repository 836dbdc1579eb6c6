//! How the database's errors are told to the engine.

use onsale_engine::ports::{CommitError, StoreError, TransactionError};
use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

use crate::damage;

/// SQLite's primary result codes for "not now": busy, locked, out of memory, an I/O error, a full
/// disk, a file that cannot be opened.
const SQLITE_NOT_NOW: [i32; 6] = [5, 6, 7, 10, 13, 14];

/// PostgreSQL's states for "not now": a lock that was not granted in time, too many connections,
/// a server that is stopping, starting or recovering, and one that only reads. Its class 08 is a lost
/// connection, but for one.
const POSTGRES_NOT_NOW: [&str; 8] =
    ["55P03", "53300", "57P01", "57P02", "57P03", "57P05", "25P03", POSTGRES_READ_ONLY];

/// PostgreSQL's state for a statement that writes where only reading is allowed, as on a standby.
const POSTGRES_READ_ONLY: &str = "25006";

/// PostgreSQL's state for a message that it does not understand: our mistake, and it goes on.
const POSTGRES_PROTOCOL_VIOLATION: &str = "08P01";

/// PostgreSQL's states for a transaction that was ended in favour of another: a serialisation
/// failure and a deadlock.
const POSTGRES_LOST_RACE: [&str; 2] = ["40001", "40P01"];

/// MySQL's numbers for "not now": too many connections, a lock that was not granted in time, a
/// server that is stopping, a connection that was ended, no connection.
const MYSQL_NOT_NOW: [u16; 7] = [1040, 1205, 1053, 1077, 1080, 1927, 2013];

/// MySQL's numbers for a statement that writes where only reading is allowed: a server with `read_only`, a
/// transaction that is, an engine that is.
const MYSQL_READ_ONLY: [u16; 3] = [1290, 1792, 1836];

/// MySQL's numbers for a transaction that was ended in favour of another: a deadlock, and in
/// MariaDB a row that changed since the transaction's snapshot.
const MYSQL_LOST_RACE: [u16; 2] = [1213, 1020];

/// PostgreSQL's states for a text that it cannot keep: too long for its column, not of its encoding, zero bytes.
const POSTGRES_TEXT: [&str; 3] = ["22001", "22021", "22P05"];

/// MySQL's numbers for a text that it cannot keep: too long for its column, not of its charset.
const MYSQL_TEXT: [u16; 2] = [1406, 1366];

/// SQLite's extended result code for a column without the value that it must have.
const SQLITE_NOT_NULL: &str = "1299";

/// SQLite's primary result codes after which a COMMIT has certainly not happened: read-only,
/// busy, locked, out of memory, interrupted, disk full, a constraint. An I/O error is not among
/// them: the log may hold the whole transaction while only its flush failed, and a crash right
/// then would bring it back.
const SQLITE_NOT_COMMITTED: [i32; 7] = [5, 6, 7, 8, 9, 13, 19];

/// SQLite's primary result codes for a damaged file: a malformed page, and a file that is no database.
const SQLITE_DAMAGED: [i32; 2] = [11, 26];

/// PostgreSQL's states for damaged files: of a table, of an index.
const POSTGRES_DAMAGED: [&str; 2] = ["XX001", "XX002"];

/// MySQL's numbers for damaged files: a crashed table or index, a page that cannot be read.
const MYSQL_DAMAGED: [u16; 6] = [126, 127, 1034, 1194, 1712, 1877];

/// What an error means when nothing was being committed.
pub(crate) fn store_error(error: DbErr) -> StoreError {
    if code(&error).is_some_and(|code| code.is_damage()) {
        let what = error.to_string();
        damage::note(&what);
        return StoreError::Damaged(what);
    }
    let unavailable = match &error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        _ => match sqlx_error(&error) {
            Some(sqlx::Error::Database(_)) => code(&error).is_some_and(|code| code.is_not_now()),
            Some(
                sqlx::Error::Io(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed,
            ) => true,
            _ => false,
        },
    };
    if unavailable {
        StoreError::Unavailable(error.to_string())
    } else if code(&error).is_some_and(|code| code.is_about_a_text()) {
        tracing::warn!(%error, "the database refused a text");
        StoreError::Rejected("the database cannot keep one of the texts".to_owned())
    } else {
        broken(error)
    }
}

/// What an error means while a batch is loaded or written.
pub(crate) fn transaction_error(error: DbErr) -> TransactionError {
    if is_conflict(&error) { TransactionError::Conflict } else { store_error(error).into() }
}

/// What an error means in a text that writes a batch and commits it.
pub(crate) fn whole_error(error: DbErr) -> CommitError {
    if is_conflict(&error) {
        CommitError::NotCommitted(TransactionError::Conflict)
    } else {
        commit_error(error)
    }
}

/// What an error means at COMMIT.
pub(crate) fn commit_error(error: DbErr) -> CommitError {
    if code(&error).is_some_and(|code| code.is_damage()) {
        damage::note(&error.to_string());
    }
    if is_lost_race(&error) {
        return CommitError::NotCommitted(TransactionError::Conflict);
    }
    match code(&error) {
        Some(Code::Sqlite(code)) if SQLITE_NOT_COMMITTED.contains(&code) => {
            CommitError::NotCommitted(store_error(error).into())
        }
        _ => CommitError::Unknown(error.to_string()),
    }
}

/// Whether somebody else was first: with a row, with a version, or for the database.
fn is_conflict(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
        || is_lost_race(error)
        || is_without_version(error)
}

/// Whether a row of SQLite was not as it was known; see `hot/sqlite.rs`.
fn is_without_version(error: &DbErr) -> bool {
    let Some(sqlx::Error::Database(error)) = sqlx_error(error) else { return false };
    error.code().is_some_and(|code| code == SQLITE_NOT_NULL) && error.message().ends_with(".version")
}

/// Whether the database ended this transaction in favour of another one.
pub(crate) fn is_lost_race(error: &DbErr) -> bool {
    match code(error) {
        Some(Code::Postgres(state)) => POSTGRES_LOST_RACE.contains(&state.as_str()),
        Some(Code::MySql(number)) => MYSQL_LOST_RACE.contains(&number),
        Some(Code::Sqlite(_)) | None => false,
    }
}

/// Whether the connection leads to a server that only reads: one that has become a standby. The server that
/// writes may have taken its name or address, so another connection may well find it.
pub(crate) fn is_read_only(error: &DbErr) -> bool {
    match code(error) {
        Some(Code::Postgres(state)) => state == POSTGRES_READ_ONLY,
        Some(Code::MySql(number)) => MYSQL_READ_ONLY.contains(&number),
        Some(Code::Sqlite(_)) | None => false,
    }
}

/// Whether a column or an index that was to be made is there already.
pub(crate) fn is_existing(error: &DbErr) -> bool {
    matches!(code(error), Some(Code::MySql(1060 | 1061)))
}

/// Whether the connection that was to be used turned out to be lost, or none could be opened.
pub(crate) fn is_connection_lost(error: &DbErr) -> bool {
    match sqlx_error(error) {
        Some(sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed) => true,
        Some(sqlx::Error::Database(_)) => code(error).is_some_and(|code| code.is_not_now()),
        _ => false,
    }
}

/// [`StoreError::Conflict`] on `what` if a unique key was violated.
pub(crate) fn conflict_on(what: &'static str) -> impl Fn(DbErr) -> StoreError {
    move |error| match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => StoreError::Conflict(what),
        _ => store_error(error),
    }
}

/// The database holds something that it should not.
#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
pub(crate) fn broken(what: impl ToString) -> StoreError {
    StoreError::Broken(what.to_string())
}

pub(crate) fn sqlx_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// What a database calls an error.
enum Code {
    /// The primary result code.
    Sqlite(i32),
    /// The SQLSTATE.
    Postgres(String),
    /// The server's number.
    MySql(u16),
}

impl Code {
    /// A last line of defence: texts are bounded and checked before they come here.
    fn is_about_a_text(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(state) => POSTGRES_TEXT.contains(&state.as_str()),
            Self::MySql(number) => MYSQL_TEXT.contains(number),
        }
    }

    fn is_damage(&self) -> bool {
        match self {
            Self::Sqlite(code) => SQLITE_DAMAGED.contains(code),
            Self::Postgres(state) => POSTGRES_DAMAGED.contains(&state.as_str()),
            Self::MySql(number) => MYSQL_DAMAGED.contains(number),
        }
    }

    fn is_not_now(&self) -> bool {
        match self {
            Self::Sqlite(code) => SQLITE_NOT_NOW.contains(code),
            Self::Postgres(state) => {
                POSTGRES_NOT_NOW.contains(&state.as_str())
                    || (state.starts_with("08") && state != POSTGRES_PROTOCOL_VIOLATION)
            }
            Self::MySql(number) => MYSQL_NOT_NOW.contains(number) || MYSQL_READ_ONLY.contains(number),
        }
    }
}

fn code(error: &DbErr) -> Option<Code> {
    let sqlx::Error::Database(error) = sqlx_error(error)? else { return None };
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return Some(Code::MySql(error.number()));
    }
    let code = error.code()?;
    if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
        return Some(Code::Postgres(code.into_owned()));
    }
    // The low byte of the extended result code.
    let extended: i32 = code.parse().ok()?;
    Some(Code::Sqlite(extended & 0xFF))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_not_understood_is_no_lost_connection() {
        let is_not_now = |state: &str| Code::Postgres(state.to_owned()).is_not_now();
        assert!(is_not_now("08006") && is_not_now("57P01"));
        assert!(!is_not_now("08P01"), "it would come again and again");
    }
}
