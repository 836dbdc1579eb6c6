//! How the database's errors are told to the engine.

use onsale_engine::ports::{CommitError, StoreError, WriteError};
use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

/// SQLite's primary result codes for "not now": busy, locked, out of memory, an I/O error, a full
/// disk, a file that cannot be opened.
const SQLITE_NOT_NOW: [i32; 6] = [5, 6, 7, 10, 13, 14];

/// SQLite's primary result codes after which a COMMIT has certainly not happened: read-only,
/// busy, locked, out of memory, interrupted, disk full, a constraint. An I/O error is not among
/// them: the log may hold the whole transaction while only its flush failed, and a crash right
/// then would bring it back.
const SQLITE_NOT_COMMITTED: [i32; 7] = [5, 6, 7, 8, 9, 13, 19];

/// What an error means when nothing was being committed.
pub(crate) fn store_error(error: DbErr) -> StoreError {
    let unavailable = match &error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        _ => match sqlx_error(&error) {
            Some(sqlx::Error::Database(_)) => {
                sqlite_code(&error).is_some_and(|code| SQLITE_NOT_NOW.contains(&code))
            }
            Some(
                sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed,
            ) => true,
            _ => false,
        },
    };
    if unavailable { StoreError::Unavailable(error.to_string()) } else { broken(error) }
}

/// What an error means while a batch is written.
pub(crate) fn write_error(error: DbErr) -> WriteError {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => WriteError::Conflict,
        _ => WriteError::Store(store_error(error)),
    }
}

/// What an error means at COMMIT.
pub(crate) fn commit_error(error: DbErr) -> CommitError {
    match sqlite_code(&error) {
        Some(code) if SQLITE_NOT_COMMITTED.contains(&code) => CommitError::NotCommitted(store_error(error)),
        _ => CommitError::Unknown(error.to_string()),
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

fn sqlx_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// The primary result code: the low byte of the extended one.
fn sqlite_code(error: &DbErr) -> Option<i32> {
    let sqlx::Error::Database(error) = sqlx_error(error)? else { return None };
    let extended: i32 = error.code()?.parse().ok()?;
    Some(extended & 0xFF)
}
