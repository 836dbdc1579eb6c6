//! The manifest: the last file of a backup, which says what the others are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The manifest's name in the archive.
pub(super) const MANIFEST: &str = "manifest.json";

/// The form of backups that this program writes; a newer one is refused.
pub(super) const FORMAT: u32 = 1;

/// The most bytes of a manifest: room for a million pictures.
pub(super) const MANIFEST_BYTES_MAX: u64 = 256 << 20;

/// The contents of a backup.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// [`FORMAT`] of the program that wrote it.
    pub(super) format: u32,
    /// The version of Onsale that wrote it.
    pub(super) onsale: String,
    /// When the database was as it is in here, RFC 3339.
    pub(super) made_at: String,
    /// Each other file of the archive by its name.
    pub(super) files: BTreeMap<String, Contents>,
}

/// The contents of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contents {
    /// How many bytes.
    pub(super) bytes: u64,
    /// Their SHA-256, in hexadecimal.
    pub(super) sha256: String,
}
