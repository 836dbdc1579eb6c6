//! Whether a replica may be used: what is known of one, and how it changes.

use std::time::Duration;

use onsale_engine::ports::ReplicaCondition;
use tokio::time::Instant;

use super::heartbeat::Beats;

/// Good checks in a row after which a replica is used.
const GOOD_CHECKS: u32 = 2;

/// What is known of a replica.
#[derive(Debug)]
pub(super) struct Health {
    pub(super) condition: ReplicaCondition,
    good_checks: u32,
    /// The moment as of which it is complete.
    complete_as_of: Option<Instant>,
    /// The beat that it showed last, and a moment after that.
    shown: Option<(i64, Instant)>,
}

impl Health {
    pub(super) const fn new() -> Self {
        Self { condition: ReplicaCondition::Unchecked, good_checks: 0, complete_as_of: None, shown: None }
    }

    /// It does not answer, or a read on it has failed.
    pub(super) fn failed(&mut self) {
        self.condition = ReplicaCondition::Failing;
        self.good_checks = 0;
    }

    /// It has answered a check with this beat.
    pub(super) fn answered(&mut self, beat: i64, beats: &Beats, lag_max: Duration, now: Instant) {
        let follows = self.follows(beats);
        self.complete_as_of = beats.complete_as_of(beat);
        self.shown = Some((beat, now));
        let fault = if follows == Some(false) {
            Some(ReplicaCondition::Foreign)
        } else if self.lag(now).is_none_or(|lag| lag >= lag_max) {
            Some(ReplicaCondition::Behind)
        } else {
            None
        };
        self.good_checks = match (fault, follows) {
            (Some(_), _) => 0,
            // The first one proves nothing yet, and neither does one without a beat since.
            (None, None) => self.good_checks.max(1),
            (None, Some(_)) => self.good_checks.saturating_add(1),
        };
        self.condition = match fault {
            Some(fault) => fault,
            None if self.good_checks < GOOD_CHECKS => ReplicaCondition::Returning,
            None => ReplicaCondition::Usable,
        };
    }

    /// Whether it follows this database: it does not if the beat that it showed last is one that the
    /// database came to only later. `None` if there has been no beat since by which to tell.
    fn follows(&self, beats: &Beats) -> Option<bool> {
        let ((shown, when), (beat, before)) = (self.shown?, beats.last()?);
        (before > when).then_some(beat > shown)
    }

    /// How far it is behind at most.
    pub(super) fn lag(&self, now: Instant) -> Option<Duration> {
        self.complete_as_of.map(|moment| now.saturating_duration_since(moment))
    }

    /// Whether it may be asked for something that must be complete as of `needed`.
    pub(super) fn is_usable(&self, needed: Option<Instant>, lag_max: Duration, now: Instant) -> bool {
        self.condition == ReplicaCondition::Usable && is_complete(self.complete_as_of, needed, lag_max, now)
    }
}

/// Whether a state that is complete as of one moment is new enough.
pub(super) fn is_complete(
    as_of: Option<Instant>,
    needed: Option<Instant>,
    lag_max: Duration,
    now: Instant,
) -> bool {
    as_of.is_some_and(|as_of| {
        now.saturating_duration_since(as_of) < lag_max && needed.is_none_or(|needed| as_of >= needed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAG_MAX: Duration = Duration::from_secs(1);

    /// The database beats every 100 ms, 100 first.
    struct Scene {
        start: Instant,
        beats: Beats,
        beaten: i64,
        health: Health,
    }

    impl Scene {
        fn new() -> Self {
            Self { start: Instant::now(), beats: Beats::default(), beaten: 0, health: Health::new() }
        }

        fn at(&self, ms: i64) -> Instant {
            self.start + Duration::from_millis(ms as u64)
        }

        /// The database beats up to a moment.
        fn beat_until(&mut self, ms: i64) {
            while self.beaten * 100 <= ms {
                self.beats.add(100 + self.beaten, self.at(self.beaten * 100));
                self.beaten += 1;
            }
        }

        /// A check with this answer at a moment.
        fn answered(&mut self, beat: i64, ms: i64) -> ReplicaCondition {
            self.beat_until(ms);
            let now = self.at(ms);
            self.health.answered(beat, &self.beats, LAG_MAX, now);
            self.health.condition
        }
    }

    #[test]
    fn it_takes_two_good_checks_and_one_bad_one() {
        let mut scene = Scene::new();
        assert_eq!(scene.health.condition, ReplicaCondition::Unchecked);
        assert_eq!(scene.answered(110, 1_500), ReplicaCondition::Returning);
        assert_eq!(scene.answered(110, 1_550), ReplicaCondition::Returning, "no beat since: no proof");
        assert!(!scene.health.is_usable(None, LAG_MAX, scene.at(1_550)));
        assert_eq!(scene.answered(112, 1_700), ReplicaCondition::Usable);
        assert!(scene.health.is_usable(None, LAG_MAX, scene.at(1_700)));
        scene.health.failed();
        assert!(!scene.health.is_usable(None, LAG_MAX, scene.at(1_700)));
        assert_eq!(scene.answered(113, 1_850), ReplicaCondition::Returning);
        assert_eq!(scene.answered(113, 1_950), ReplicaCondition::Usable);
        assert_eq!(scene.answered(113, 2_300), ReplicaCondition::Behind, "one second behind");
        assert_eq!(scene.health.lag(scene.at(2_300)), Some(LAG_MAX));
        assert_eq!(scene.answered(99, 2_400), ReplicaCondition::Behind, "before our time");
        assert_eq!(scene.health.lag(scene.at(2_400)), None);
    }

    #[test]
    fn it_must_have_what_was_written() {
        let mut scene = Scene::new();
        scene.answered(110, 1_500);
        scene.answered(110, 1_650);
        let now = scene.at(1_650);
        assert!(scene.health.is_usable(Some(scene.at(1_000)), LAG_MAX, now), "the beat came after");
        assert!(!scene.health.is_usable(Some(scene.at(1_001)), LAG_MAX, now), "the beat came before");
        assert!(!scene.health.is_usable(None, LAG_MAX, scene.at(2_000)), "time goes on between checks");
    }

    #[test]
    fn what_was_never_written_here_is_from_elsewhere() {
        let mut scene = Scene::new();
        assert_eq!(scene.answered(1_000, 550), ReplicaCondition::Returning, "another node may have beaten");
        assert_eq!(scene.answered(1_001, 600), ReplicaCondition::Foreign, "none has, up to 600");
        assert_eq!(scene.answered(1_002, 850), ReplicaCondition::Foreign);
    }
}
