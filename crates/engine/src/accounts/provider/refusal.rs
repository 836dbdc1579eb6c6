//! Why a provider's token was refused: told in the log, so that a wrong setting is found. Its sender is
//! told nothing but that the token is not valid.

use std::fmt;

use onsale_domain::time::Timestamp;
use parking_lot::Mutex;

/// The most characters that are told of what somebody sent.
const FOUND_CHARS_MAX: usize = 120;

/// So many refusals are told of in so many milliseconds; anybody can send tokens.
const TOLD_MAX: u32 = 20;
const TOLD_IN_MS: i64 = 10_000;

/// The part of a token for which it is refused. Never the token itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    claim: &'static str,
    found: String,
    expected: String,
}

impl Refusal {
    /// A part of a token that is not as expected. `found` is what somebody sent, so it is cut and escaped.
    pub(super) fn new(claim: &'static str, found: impl fmt::Debug, expected: impl Into<String>) -> Self {
        let found = format!("{found:?}");
        let found = match found.char_indices().nth(FOUND_CHARS_MAX) {
            Some((end, _)) => format!("{}...", &found[..end]),
            None => found,
        };
        Self { claim, found, expected: expected.into() }
    }
}

/// Tells of refusals, not too often.
#[derive(Default)]
pub(super) struct Refusals(Mutex<Told>);

#[derive(Default)]
struct Told {
    since: Option<Timestamp>,
    refusals: u32,
}

impl Refusals {
    pub(super) fn tell(&self, refusal: &Refusal, now: Timestamp) {
        let (is_told, untold) = self.count(now);
        if untold > 0 {
            tracing::info!(untold, "more tokens of the identity provider were refused");
        }
        if is_told {
            let Refusal { claim, found, expected } = refusal;
            tracing::info!(claim, found, expected, "a token of the identity provider was refused");
        }
    }

    /// Whether this one is told, and how many before it were not.
    fn count(&self, now: Timestamp) -> (bool, u32) {
        let mut told = self.0.lock();
        let is_recent = told.since.is_some_and(|since| (0..TOLD_IN_MS).contains(&now.since_ms(since)));
        let mut untold = 0;
        if !is_recent {
            untold = told.refusals.saturating_sub(TOLD_MAX);
            *told = Told { since: Some(now), refusals: 0 };
        }
        told.refusals = told.refusals.saturating_add(1);
        (told.refusals <= TOLD_MAX, untold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_cut_and_escaped() {
        let refusal = Refusal::new("aud", format!("a\nb{}", "x".repeat(10_000)), "\"onsale\"");
        assert!(
            refusal.found.starts_with("\"a\\nbxxx") && refusal.found.chars().count() <= FOUND_CHARS_MAX + 3
        );
    }

    #[test]
    fn a_flood_of_refusals_is_summed_up() {
        let (refusals, start) = (Refusals::default(), Timestamp(1_000));
        let told = (0..500).filter(|_| refusals.count(start).0).count();
        assert_eq!(told, 20);
        assert_eq!(refusals.count(start.plus_ms(9_999)), (false, 0));
        assert_eq!(refusals.count(start.plus_ms(10_000)), (true, 481));
        assert_eq!(refusals.count(start.plus_ms(10_001)), (true, 0));
    }
}
