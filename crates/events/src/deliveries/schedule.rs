//! When a delivery that failed is tried again.

use std::hash::{DefaultHasher, Hash, Hasher};

use onsale_domain::time::Timestamp;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// From each attempt to the next: a day in all, at first quickly, for a receiver that restarts, at
/// last seldom, for one that somebody has to repair.
pub(super) const DELAYS_MS: [i64; 10] = [
    5 * SECOND_MS,
    30 * SECOND_MS,
    2 * MINUTE_MS,
    10 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    4 * HOUR_MS,
    8 * HOUR_MS,
    8 * HOUR_MS,
];

/// A delivery is not tried again so long after it was due at first, however few attempts there were.
const WINDOW_MS: i64 = 27 * HOUR_MS;

/// The most that a receiver may ask to be left alone.
const RETRY_AFTER_MS_MAX: i64 = HOUR_MS;

/// When delivery `id`, due at first at `since`, is tried again after its attempt number `attempts`
/// failed at `now`; never, if that was the last. Not before `retry_after_ms` if the receiver said so.
///
/// Delays are stretched or shortened by up to a tenth, each delivery's differently, so that what failed
/// together does not come back together.
pub(super) fn next_attempt(
    id: i64,
    attempts: u32,
    since: Timestamp,
    now: Timestamp,
    retry_after_ms: i64,
) -> Option<Timestamp> {
    let delay_ms = DELAYS_MS.get(usize::try_from(attempts).ok()?.checked_sub(1)?)?;
    let mut hasher = DefaultHasher::new();
    (id, attempts).hash(&mut hasher);
    let thousandths = 900 + i64::try_from(hasher.finish() % 201).expect("it is small");
    let delay_ms = (delay_ms * thousandths / 1_000).max(retry_after_ms.min(RETRY_AFTER_MS_MAX));
    let next = now.plus_ms(delay_ms);
    (next.since_ms(since) <= WINDOW_MS).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_over_a_day_and_then_end() {
        let (mut now, mut delays) = (Timestamp(0), Vec::new());
        let mut attempts = 1;
        while let Some(next) = next_attempt(7, attempts, Timestamp(0), now, 0) {
            delays.push(next.since_ms(now));
            (now, attempts) = (next, attempts + 1);
        }
        assert_eq!(delays.len(), DELAYS_MS.len());
        assert!(delays[..9].windows(2).all(|pair| pair[0] < pair[1]), "{delays:?}");
        let hours = now.0 as f64 / HOUR_MS as f64;
        assert!((21.0..27.0).contains(&hours), "{hours} hours");
        assert_eq!(next_attempt(7, 2, Timestamp(0), Timestamp(WINDOW_MS), 0), None, "it came late");
    }

    #[test]
    fn delays_differ_from_delivery_to_delivery_by_a_tenth_at_most() {
        let at = |id| next_attempt(id, 6, Timestamp(0), Timestamp(0), 0).unwrap().0;
        let delays: Vec<i64> = (0..1_000).map(at).collect();
        assert!(delays.iter().all(|delay| (HOUR_MS * 9 / 10..=HOUR_MS * 11 / 10).contains(delay)));
        let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
        assert!(most - least > HOUR_MS / 6, "they spread from {least} to {most}");
    }

    #[test]
    fn a_receiver_may_ask_for_a_pause_of_an_hour() {
        let at = |pause| next_attempt(1, 1, Timestamp(0), Timestamp(0), pause).unwrap().0;
        assert_eq!((at(120_000), at(i64::MAX)), (120_000, HOUR_MS));
        assert!(at(1_000) >= 4_500);
    }
}
