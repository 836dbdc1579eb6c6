//! Telling a clock that has been set from one that is out for a moment.

/// Differences up to this are none: two clocks are never read at the very same moment.
const TOLERANCE_US: i64 = 20_000;

/// A difference must have lasted for so long until it counts.
const LASTING_US: i64 = 700_000;

/// One that never comes to rest counts after so long all the same.
const RESTLESS_US: i64 = 5_000_000;

/// The result of a look at the wall clock. Differences are in microseconds, positive if the wall clock is
/// ahead of the time that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing new.
    Nothing,
    /// They have begun to differ.
    Differs(i64),
    /// They differed for a moment.
    WasOut,
    /// The wall clock has been set: this is the right time now.
    IsSet(i64),
}

/// Looks at the wall clock beside the time that is kept.
#[derive(Debug, Default)]
pub(super) struct Steps {
    doubt: Option<Doubt>,
}

#[derive(Clone, Copy, Debug)]
struct Doubt {
    difference_us: i64,
    /// Since when it has been this one.
    since_us: i64,
    /// Since when there has been any.
    begun_us: i64,
}

impl Steps {
    /// Looks, `steady_us` after some moment, at a wall clock that differs by so much from the time kept.
    pub(super) fn look(&mut self, steady_us: i64, difference_us: i64) -> Look {
        let before = self.doubt;
        if difference_us.abs() <= TOLERANCE_US {
            self.doubt = None;
            return if before.is_some() { Look::WasOut } else { Look::Nothing };
        }
        let Some(doubt) = before else {
            self.doubt = Some(Doubt { difference_us, since_us: steady_us, begun_us: steady_us });
            return Look::Differs(difference_us);
        };
        let same = (difference_us - doubt.difference_us).abs() <= TOLERANCE_US;
        let lasting = same && steady_us - doubt.since_us >= LASTING_US;
        if lasting || steady_us - doubt.begun_us >= RESTLESS_US {
            self.doubt = None;
            return Look::IsSet(difference_us);
        }
        if !same {
            self.doubt = Some(Doubt { difference_us, since_us: steady_us, ..doubt });
        }
        Look::Nothing
    }

    /// Whether the wall clock differs.
    pub(super) const fn in_doubt(&self) -> bool {
        self.doubt.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;
    const TWO_HOURS: i64 = 7_200 * S;

    fn looks(steps: &mut Steps, looks: &[(i64, i64)]) -> Vec<Look> {
        looks.iter().map(|(at_us, difference_us)| steps.look(*at_us, *difference_us)).collect()
    }

    #[test]
    fn a_clock_that_is_out_for_half_a_second_is_not_followed() {
        let mut steps = Steps::default();
        let seen =
            looks(&mut steps, &[(0, 0), (S / 4, TWO_HOURS), (S / 2, TWO_HOURS), (S * 3 / 4, 300), (S, 0)]);
        assert_eq!(
            seen,
            [Look::Nothing, Look::Differs(TWO_HOURS), Look::Nothing, Look::WasOut, Look::Nothing]
        );
    }

    #[test]
    fn a_clock_that_has_been_set_is_followed_within_a_second() {
        for set_by in [TWO_HOURS, -TWO_HOURS, S / 10] {
            let mut steps = Steps::default();
            let seen =
                looks(&mut steps, &[(0, set_by), (S / 4, set_by), (S / 2, set_by), (S * 3 / 4, set_by)]);
            assert_eq!(seen, [Look::Differs(set_by), Look::Nothing, Look::Nothing, Look::IsSet(set_by)]);
            assert!(!steps.in_doubt());
        }
    }

    #[test]
    fn a_clock_that_is_set_twice_is_followed_where_it_rests() {
        let mut steps = Steps::default();
        let seen = looks(&mut steps, &[(0, TWO_HOURS), (S / 2, -S), (S, -S), (S + S / 4, -S)]);
        assert_eq!(seen[..3], [Look::Differs(TWO_HOURS), Look::Nothing, Look::Nothing]);
        assert_eq!(seen[3], Look::IsSet(-S));
    }

    #[test]
    fn a_clock_that_never_rests_is_followed_in_the_end() {
        let mut steps = Steps::default();
        let followed =
            (0..).map(|look| look * S / 4).find(|at| steps.look(*at, S + at / 2) != Look::Nothing && *at > 0);
        assert_eq!(followed, Some(RESTLESS_US));
    }
}
