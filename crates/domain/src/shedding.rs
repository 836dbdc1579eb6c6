//! Which requests to turn away when there are more than can be served.

/// How much a request matters when not all can be served. The first is shed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Looking around.
    Browsing,
    /// Waiting in line, logging in.
    Arriving,
    /// Choosing and holding seats.
    Buying,
    /// Paying and giving back, running the sale: never shed because of pressure.
    Paying,
}

/// How hard the machine is pressed, from 0 (idle) to 3 (only payments are served).
///
/// Every so often it is told how late work is begun; late means that requests wait for a
/// processor. It rises fast and falls slowly, as the overload control of WeChat does (Zhou et al.,
/// "Overload Control for Scaling WeChat Microservices", 2018): the queueing delay is what is
/// measured, priorities are what is shed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure(f64);

/// Per observation, while work is late.
const RISE: f64 = 0.25;
/// Per observation, while it is not: from the top to nothing in 40 observations.
const FALL: f64 = 0.075;
const MOST: f64 = 3.0;
/// As far as it goes where work is not late: a tenth of those who browse is still served.
const MOST_IN_TIME: f64 = 0.9;

impl Pressure {
    /// What the pressure is after work was `late_ms` late, if `late_ms_max` is still all right.
    #[must_use]
    pub fn after(self, late_ms: f64, late_ms_max: f64) -> Self {
        let change = if late_ms > late_ms_max { RISE } else { -FALL };
        Self((self.0 + change).clamp(0.0, MOST))
    }

    /// What the pressure is while the processors have no time to spare, somebody buys, and yet work is
    /// not late: whoever browses takes from whoever buys, and nobody but them has to give way.
    #[must_use]
    pub fn after_saturation(self) -> Self {
        if self.0 > MOST_IN_TIME {
            Self((self.0 - FALL).max(MOST_IN_TIME))
        } else {
            Self((self.0 + RISE).min(MOST_IN_TIME))
        }
    }

    /// The share of a priority's requests to shed, from 0 to 1.
    #[must_use]
    pub fn shed(self, priority: Priority) -> f64 {
        match priority {
            Priority::Paying => 0.0,
            other => (self.0 - f64::from(other as u8)).clamp(0.0, 1.0),
        }
    }
}

impl Priority {
    /// The share of all requests under way up to which one of this priority is still taken, in
    /// percent: so there is always room for what matters more.
    #[must_use]
    pub const fn room_percent(self) -> usize {
        match self {
            Self::Browsing => 50,
            Self::Arriving => 70,
            Self::Buying => 90,
            Self::Paying => 100,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Priority; 4] = [Priority::Browsing, Priority::Arriving, Priority::Buying, Priority::Paying];

    #[test]
    fn browsing_is_shed_first_and_payments_never() {
        let mut pressure = Pressure::default();
        for _ in 0..100 {
            let shed = ALL.map(|priority| pressure.shed(priority));
            assert!(shed.windows(2).all(|pair| pair[0] >= pair[1]), "{shed:?}");
            for pair in shed.windows(2) {
                assert!(pair[1] == 0.0 || pair[0] == 1.0, "one after the other: {shed:?}");
            }
            assert_eq!(shed[3], 0.0);
            pressure = pressure.after(21.0, 20.0);
        }
        assert_eq!(ALL.map(|priority| pressure.shed(priority)), [1.0, 1.0, 1.0, 0.0]);
        assert!(ALL.windows(2).all(|pair| pair[0].room_percent() < pair[1].room_percent()));
    }

    #[test]
    fn where_work_is_in_time_only_browsing_gives_way() {
        let saturated = (0..100).fold(Pressure::default(), |pressure, _| pressure.after_saturation());
        assert_eq!(ALL.map(|priority| saturated.shed(priority)), [0.9, 0.0, 0.0, 0.0]);
        let late = (0..100).fold(Pressure::default(), |pressure, _| pressure.after(21.0, 20.0));
        assert_eq!((0..100).fold(late, |pressure, _| pressure.after_saturation()), saturated);
    }

    #[test]
    fn it_lets_go_within_five_seconds_of_ten_observations_each() {
        let pressed = (0..100).fold(Pressure::default(), |pressure, _| pressure.after(1_000.0, 20.0));
        let rested = (0..50).fold(pressed, |pressure, _| pressure.after(1.0, 20.0));
        assert_eq!(rested, Pressure::default());
        assert_ne!(pressed, rested);
    }
}
