//! The settings of accounts, and their bounds.

use std::fmt;

/// The settings of accounts.
#[derive(Clone)]
pub struct AccountSettings {
    /// The key that signs access tokens, at least 32 bytes.
    pub signing_key: Vec<u8>,
    /// How long an access token is good, in seconds.
    pub access_s: i64,
    /// How long a refresh token is good, in seconds.
    pub refresh_s: i64,
    /// How long a refresh token that has been exchanged gets the same answer again, in seconds. 0: it
    /// gets none.
    pub refresh_grace_s: i64,
    /// argon2id memory, in KiB.
    pub argon2_memory_kib: u32,
    /// argon2id passes.
    pub argon2_passes: u32,
    /// Threads that hash passwords. They run at a lower priority than everything else.
    pub hashing_threads: usize,
    /// Log-ins that may wait for a hash, and as many sign-ups; of either, half from one address. More are
    /// refused with [`AccountError::Overloaded`](super::AccountError::Overloaded).
    pub hashing_queue_max: usize,
}

/// Without the key.
impl fmt::Debug for AccountSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountSettings").field("access_s", &self.access_s).finish_non_exhaustive()
    }
}

/// The most threads that hash.
const HASHING_THREADS_MAX: usize = 256;

/// The most hashes that may wait.
const HASHING_QUEUE_MAX: usize = 65_536;

/// The least and the most memory of a hash, in KiB: what argon2 needs, and a gibibyte.
const MEMORY_KIB: std::ops::RangeInclusive<u32> = 8..=1 << 20;

/// The most passes of a hash.
const PASSES_MAX: u32 = 64;

/// The most memory of all threads together, in KiB: 16 GiB.
const ALL_MEMORY_KIB_MAX: u64 = 1 << 24;

/// The longest grace, in seconds: a stolen token is not to be good for long.
const REFRESH_GRACE_S_MAX: i64 = 300;

impl AccountSettings {
    /// Defaults for everything but the signing key.
    #[must_use]
    pub fn new(signing_key: Vec<u8>) -> Self {
        Self {
            signing_key,
            access_s: 3_600,
            refresh_s: 7 * 86_400,
            refresh_grace_s: 10,
            argon2_memory_kib: 19_456,
            argon2_passes: 2,
            hashing_threads: 1,
            hashing_queue_max: 256,
        }
    }

    /// Whether the settings are within their bounds.
    ///
    /// # Errors
    /// Which setting is not, and what it may be.
    pub fn check(&self) -> Result<(), String> {
        let out_of = |key, least: u64, most: u64| Err(format!("{key}: must be from {least} to {most}"));
        if !(1..=HASHING_THREADS_MAX).contains(&self.hashing_threads) {
            return out_of("hashing_threads", 1, HASHING_THREADS_MAX as u64);
        }
        if !(1..=HASHING_QUEUE_MAX).contains(&self.hashing_queue_max) {
            return out_of("hashing_queue_max", 1, HASHING_QUEUE_MAX as u64);
        }
        if !MEMORY_KIB.contains(&self.argon2_memory_kib) {
            return out_of("argon2_memory_kib", (*MEMORY_KIB.start()).into(), (*MEMORY_KIB.end()).into());
        }
        if !(1..=PASSES_MAX).contains(&self.argon2_passes) {
            return out_of("argon2_passes", 1, PASSES_MAX.into());
        }
        if !(0..=REFRESH_GRACE_S_MAX).contains(&self.refresh_grace_s) {
            return out_of("refresh_grace_seconds", 0, REFRESH_GRACE_S_MAX.unsigned_abs());
        }
        let all_kib = u64::from(self.argon2_memory_kib).saturating_mul(self.hashing_threads as u64);
        if all_kib > ALL_MEMORY_KIB_MAX {
            return Err(format!(
                "hashing_threads: each takes argon2_memory_kib, together {all_kib} KiB; at most \
                 {ALL_MEMORY_KIB_MAX} KiB may be taken"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut AccountSettings);

    #[test]
    fn every_setting_of_hashing_has_both_bounds() {
        let check = |change: Change| {
            let mut settings = AccountSettings::new(vec![0; 32]);
            change(&mut settings);
            settings.check()
        };
        check(|_| {}).unwrap();
        check(|settings| settings.hashing_threads = 256).unwrap();
        let changes: [(Change, &str); 10] = [
            (|settings| settings.hashing_threads = 0, "hashing_threads: must be from 1 to 256"),
            (|settings| settings.hashing_threads = 1_000_000, "hashing_threads: must be from 1 to 256"),
            (|settings| settings.hashing_queue_max = 0, "hashing_queue_max"),
            (|settings| settings.hashing_queue_max = usize::MAX, "hashing_queue_max"),
            (|settings| settings.argon2_memory_kib = 7, "argon2_memory_kib: must be from 8 to 1048576"),
            (|settings| settings.argon2_memory_kib = u32::MAX, "argon2_memory_kib"),
            (|settings| settings.argon2_passes = 0, "argon2_passes"),
            (|settings| settings.argon2_passes = u32::MAX, "argon2_passes: must be from 1 to 64"),
            (|settings| settings.refresh_grace_s = 86_400, "refresh_grace_seconds: must be from 0 to 300"),
            (
                |settings| (settings.hashing_threads, settings.argon2_memory_kib) = (100, 1 << 20),
                "together 104857600 KiB",
            ),
        ];
        for (change, expected) in changes {
            let error = check(change).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
