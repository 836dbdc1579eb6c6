//! Keys that have been replaced and still read what they signed.

use onsale_domain::time::Timestamp;

/// A signing key from before the one that signs now.
#[derive(Clone)]
pub struct FormerKey {
    /// The key.
    pub key: Vec<u8>,
    /// From when on it reads nothing any more; `None`: as long as it is set.
    pub until: Option<Timestamp>,
}

impl FormerKey {
    /// Whether it still reads at a time.
    #[must_use]
    pub fn reads(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl std::fmt::Debug for FormerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FormerKey").field("until", &self.until).finish_non_exhaustive()
    }
}
