//! New ids and secrets as a port, so that tests can foretell them.

use std::sync::atomic::{AtomicU64, Ordering};

use onsale_domain::time::Timestamp;
use uuid::{Builder, Uuid};

/// Makes ids that nobody else has.
pub trait Ids: Send + Sync + 'static {
    /// A new UUIDv7 for this time.
    fn next(&self, now: Timestamp) -> Uuid;

    /// 32 bytes that nobody can guess.
    fn secret(&self) -> [u8; 32];
}

/// Ids from the operating system's randomness. Ids made by one process ascend, so that rows
/// made one after the other stand one beside the other.
#[derive(Debug, Default)]
pub struct RandomIds {
    last: AtomicU64,
}

impl Ids for RandomIds {
    fn next(&self, now: Timestamp) -> Uuid {
        // RFC 9562, 6.2, method 3: 48 bits of milliseconds, then 12 bits that count within
        // the millisecond, carrying into it when they overflow.
        let least = u64::try_from(now.0).unwrap_or(0) << 12;
        let before = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(least.max(last + 1)))
            .expect("the update never declines");
        let counter = least.max(before + 1);
        let mut random = [0_u8; 10];
        rand::fill(&mut random);
        random[0] = (counter >> 8 & 0x0F) as u8;
        random[1] = (counter & 0xFF) as u8;
        Builder::from_unix_timestamp_millis(counter >> 12, &random).into_uuid()
    }

    fn secret(&self) -> [u8; 32] {
        rand::random()
    }
}

/// Ids that count up, for tests.
#[derive(Debug, Default)]
pub struct CountingIds {
    count: AtomicU64,
    secrets: AtomicU64,
}

impl Ids for CountingIds {
    fn next(&self, now: Timestamp) -> Uuid {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let mut rest = [0_u8; 10];
        rest[2..].copy_from_slice(&count.to_be_bytes());
        Builder::from_unix_timestamp_millis(u64::try_from(now.0).unwrap_or(0), &rest).into_uuid()
    }

    fn secret(&self) -> [u8; 32] {
        let count = self.secrets.fetch_add(1, Ordering::Relaxed) + 1;
        let mut secret = [0x5E; 32];
        secret[24..].copy_from_slice(&count.to_be_bytes());
        secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_process_ascend_also_when_the_clock_goes_back() {
        let ids = RandomIds::default();
        let made: Vec<Uuid> = (0..10_000).map(|step| ids.next(Timestamp(1_000_000 - step / 100))).collect();
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(made.iter().all(|id| id.get_version_num() == 7));
    }
}
