//! When those in line came, generation by generation.

use crate::time::Timestamp;

/// How many generations are told apart; of more, neighbours are taken together.
const GENERATIONS_MAX: usize = 64;

/// Places up to `end` came around `at`, the middle of their generation.
#[derive(Clone, Copy, Debug)]
struct Generation {
    end: u32,
    at: Timestamp,
}

/// Who came when, roughly.
#[derive(Clone, Debug)]
pub(super) struct Arrivals {
    generations: Vec<Generation>,
    /// When the last generation was complete.
    until: Timestamp,
}

impl Arrivals {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { generations: Vec::new(), until: now }
    }

    /// The clock has been set.
    pub(super) fn clock_set(&mut self, by_ms: i64) {
        self.until = self.until.plus_ms(by_ms);
        for generation in &mut self.generations {
            generation.at = generation.at.plus_ms(by_ms);
        }
    }

    /// A generation is complete: places up to `tail` have come by now.
    pub(super) fn note(&mut self, tail: u32, now: Timestamp) {
        if self.generations.len() == GENERATIONS_MAX {
            self.generations =
                self.generations.chunks(2).map(|pair| together(pair, self.begin(pair))).collect();
        }
        let at = self.until.plus_ms(now.since_ms(self.until) / 2);
        self.generations.push(Generation { end: tail, at });
        self.until = now;
    }

    /// Lots are drawn: whoever has come so far may have come at any time.
    pub(super) fn shuffle(&mut self, tail: u32, now: Timestamp) {
        self.note(tail, now);
        self.generations = vec![together(&self.generations, 0)];
    }

    /// For how long those with these places have been in line, on average, in seconds.
    pub(super) fn age_s(&self, from: u32, to: u32, now: Timestamp) -> f64 {
        let mut first = 0;
        let mut sum_ms = 0.0;
        for generation in &self.generations {
            let here = generation.end.min(to).saturating_sub(first.max(from));
            sum_ms += f64::from(here) * now.since_ms(generation.at) as f64;
            first = generation.end;
        }
        sum_ms / f64::from(to.saturating_sub(from).max(1)) / 1_000.0
    }

    /// The first place of some of the generations.
    fn begin(&self, part: &[Generation]) -> u32 {
        let before = self.generations.iter().rev().find(|generation| generation.at < part[0].at);
        before.map_or(0, |before| before.end)
    }

    pub(super) fn bytes(&self) -> usize {
        self.generations.capacity() * size_of::<Generation>()
    }
}

/// Neighbouring generations as one. `first` is the place that they begin with.
fn together(generations: &[Generation], first: u32) -> Generation {
    let last = generations.last().expect("there is one at least");
    let mut begin = first;
    let mut sum_ms = 0;
    for generation in generations {
        sum_ms += i128::from(generation.end - begin) * i128::from(last.at.since_ms(generation.at));
        begin = generation.end;
    }
    let before_ms = sum_ms / i128::from((last.end - first).max(1));
    Generation { end: last.end, at: last.at.plus_ms(-i64::try_from(before_ms).expect("a mean of times")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_s(seconds: i64) -> Timestamp {
        Timestamp(1_000_000 + seconds * 1_000)
    }

    /// Ten places a second, in generations of two minutes.
    fn steady(generations: i64) -> Arrivals {
        let mut arrivals = Arrivals::new(after_s(0));
        for generation in 1..=generations {
            arrivals.note(u32::try_from(generation * 1_200).unwrap(), after_s(generation * 120));
        }
        arrivals
    }

    #[test]
    fn ages_are_those_of_the_places_asked_for() {
        let arrivals = steady(5);
        assert_eq!(arrivals.age_s(0, 6_000, after_s(600)), 300.0);
        assert_eq!(arrivals.age_s(0, 1_200, after_s(600)), 540.0);
        assert_eq!(arrivals.age_s(4_800, 6_000, after_s(700)), 160.0);
        assert_eq!(arrivals.age_s(600, 1_800, after_s(600)), 480.0);
        assert_eq!(arrivals.age_s(7, 7, after_s(600)), 0.0);
    }

    #[test]
    fn after_the_draw_everybody_who_took_part_is_as_old() {
        let mut arrivals = steady(4);
        arrivals.shuffle(6_000, after_s(600));
        for places in [(0, 6_000), (0, 10), (5_990, 6_000)] {
            assert_eq!(arrivals.age_s(places.0, places.1, after_s(600)), 300.0, "{places:?}");
        }
        arrivals.note(7_000, after_s(720));
        assert_eq!(arrivals.age_s(6_000, 7_000, after_s(720)), 60.0);
    }

    #[test]
    fn a_long_line_takes_no_more_memory() {
        let arrivals = steady(1_000);
        assert!(arrivals.generations.len() <= GENERATIONS_MAX && arrivals.bytes() < 4_096);
        let end = after_s(120_000);
        assert!((arrivals.age_s(0, 1_200_000, end) - 60_000.0).abs() < 100.0);
        assert!((arrivals.age_s(1_198_800, 1_200_000, end) - 60.0).abs() < 1.0);
    }
}
