//! How a store fails. The difference between "did not happen" and "unknown" is in the type.

use onsale_domain::money::Currency;

/// Something did not happen, for a reason that is not the caller's.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database could not be reached in time, or is being restarted. Trying again may help.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// What was to be written exists already: an e-mail address, a seating plan's name.
    #[error("{0} exists already")]
    Conflict(&'static str),
    /// What was referred to does not exist.
    #[error("there is no such {0}")]
    Missing(&'static str),
    /// What is asked cannot be done as things stand; the text says why.
    #[error("{0}")]
    Rejected(String),
    /// The database answered something that this version does not understand.
    #[error("unexpected answer from the database: {0}")]
    Broken(String),
    /// The database's file is damaged. It does not heal: nothing should be sold from it until it is repaired.
    #[error("the database is damaged: {0}; stop, check it with `onsale audit`, and restore it from a backup")]
    Damaged(String),
    /// The database was begun in another currency: amounts would mean something else.
    #[error(
        "the money in this database is in {database}, but sales.currency is {configured}; set it to {database}, or \
         use another database"
    )]
    OtherCurrency {
        /// The database's.
        database: Currency,
        /// The one that it was opened with.
        configured: Currency,
    },
}

/// Why a transaction cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// Somebody else changed a row in between, or the database ended this transaction in favour
    /// of another one; decide again on fresh facts.
    #[error("another writer was first")]
    Conflict,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a commit was not confirmed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// It did not happen.
    #[error("the transaction was not committed: {0}")]
    NotCommitted(TransactionError),
    /// It may or may not have happened: the connection was lost at COMMIT.
    #[error("the outcome of the commit is unknown: {0}")]
    Unknown(String),
}
