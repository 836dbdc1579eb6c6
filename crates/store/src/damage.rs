//! Whether the database's file has turned out to be damaged.
//!
//! A file does not heal, so once a statement met a damaged page the process says so until it ends: every ping
//! fails, and with it the node's readiness. It is a matter of the process, not of a connection: a process that
//! serves has one database.

use std::sync::OnceLock;

use onsale_engine::ports::StoreError;

/// The error of the first statement that met a damaged page.
static DAMAGE: OnceLock<String> = OnceLock::new();

/// Notes what a statement was told, once and loudly.
pub(crate) fn note(what: &str) {
    DAMAGE.get_or_init(|| {
        tracing::error!(
            what,
            "the database's file is damaged: this node stops being ready; stop it, check the file with \
             `onsale audit`, and restore it from a backup"
        );
        what.to_owned()
    });
}

/// Fails once damage has been met.
pub(crate) fn check() -> Result<(), StoreError> {
    DAMAGE.get().map_or(Ok(()), |what| Err(StoreError::Damaged(what.clone())))
}
