//! Local days: when they begin, which one a moment belongs to.

use jiff::{civil::Date, tz::TimeZone};

use crate::time::Timestamp;

/// The minute after a midnight until which the chart of the day before last is good: the new one is
/// made meanwhile.
const GRACE_MIN: i8 = 5;

/// The days of one time zone. A day is as long as the zone's clocks say: 23, 24 or 25 hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    zone: TimeZone,
}

impl Calendar {
    /// The days of a zone.
    #[must_use]
    pub const fn new(zone: TimeZone) -> Self {
        Self { zone }
    }

    /// The zone's name, such as `Asia/Seoul`.
    #[must_use]
    pub fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The local day of a moment.
    #[must_use]
    pub fn day_of(&self, at: Timestamp) -> Date {
        let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or(match at.0 {
            ..0 => jiff::Timestamp::MIN,
            _ => jiff::Timestamp::MAX,
        });
        self.zone.to_datetime(at).date()
    }

    /// The last local day that is over.
    #[must_use]
    pub fn yesterday(&self, now: Timestamp) -> Date {
        before(self.day_of(now))
    }

    /// The end of the local day of a moment.
    #[must_use]
    pub fn next_midnight(&self, now: Timestamp) -> Timestamp {
        self.midnight(after(self.day_of(now)))
    }

    /// When a day begins: its first moment, which is not 00:00 where clocks are moved at midnight.
    #[must_use]
    pub fn midnight(&self, day: Date) -> Timestamp {
        self.moment(day, 0)
    }

    /// Until when the chart of a day may be shown as the latest: 00:05 of the second day after it,
    /// five minutes after the next one could be made.
    #[must_use]
    pub fn latest_until(&self, day: Date) -> Timestamp {
        self.moment(after(after(day)), GRACE_MIN)
    }

    /// The first moment of a day with the minutes added that its clocks count from there.
    fn moment(&self, day: Date, minute: i8) -> Timestamp {
        // A local time that is left out is taken as that much after the gap's beginning, one that
        // comes twice as the first of the two: no day begins before midnight or twice.
        let zoned = self.zone.to_zoned(day.at(0, minute, 0, 0));
        Timestamp(zoned.map_or(i64::MAX, |zoned| zoned.timestamp().as_millisecond()))
    }
}

fn before(day: Date) -> Date {
    day.yesterday().unwrap_or(Date::MIN)
}

fn after(day: Date) -> Date {
    day.tomorrow().unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn calendar(zone: &str) -> Calendar {
        Calendar::new(TimeZone::get(zone).unwrap())
    }

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn a_moment_is_of_different_days_in_different_zones() {
        let moment = at("2026-11-21T15:00:00Z");
        assert_eq!(calendar("Asia/Seoul").day_of(moment), date(2026, 11, 22));
        assert_eq!(calendar("Asia/Seoul").day_of(moment.plus_ms(-1)), date(2026, 11, 21));
        assert_eq!(calendar("America/New_York").day_of(moment), date(2026, 11, 21));
        assert_eq!(calendar("Asia/Kathmandu").midnight(date(2026, 11, 22)), at("2026-11-21T18:15:00Z"));
    }

    #[test]
    fn days_are_as_long_as_the_clocks_say() {
        for (zone, day, hours) in [
            ("Europe/Berlin", date(2026, 3, 29), 23),
            ("Europe/Berlin", date(2026, 10, 25), 25),
            ("America/New_York", date(2026, 3, 8), 23),
            ("America/New_York", date(2026, 11, 1), 25),
            ("Asia/Seoul", date(2026, 3, 29), 24),
            ("Africa/Cairo", date(2026, 4, 24), 23),
            ("Africa/Cairo", date(2026, 10, 29), 25),
        ] {
            let calendar = calendar(zone);
            let (begins, ends) = (calendar.midnight(day), calendar.midnight(after(day)));
            assert_eq!(ends.since_ms(begins), hours * HOUR_MS, "{zone} {day}");
            assert_eq!(calendar.day_of(begins), day, "{zone}");
            assert_eq!(calendar.day_of(ends.plus_ms(-1)), day, "{zone}");
            assert_eq!(calendar.day_of(ends), after(day), "{zone}");
            assert_eq!(calendar.yesterday(ends), day, "{zone}");
            assert_eq!(calendar.next_midnight(ends.plus_ms(-1)), ends, "{zone}");
            assert_eq!(calendar.next_midnight(begins), ends, "{zone}");
        }
    }

    #[test]
    fn a_day_whose_midnight_is_left_out_begins_after_it() {
        // In Cairo, 2026-04-24 begins at 01:00.
        let cairo = calendar("Africa/Cairo");
        assert_eq!(cairo.midnight(date(2026, 4, 24)), at("2026-04-23T22:00:00Z"));
        let until = cairo.latest_until(date(2026, 4, 22));
        assert_eq!(until, at("2026-04-23T22:05:00Z"), "00:05 is left out, too");
        // In Cairo, the hour before midnight comes twice on 2026-10-29.
        assert_eq!(cairo.midnight(date(2026, 10, 30)), at("2026-10-29T22:00:00Z"));
    }

    #[test]
    fn the_latest_chart_is_good_until_five_past_midnight() {
        let seoul = calendar("Asia/Seoul");
        assert_eq!(seoul.latest_until(date(2026, 11, 20)), at("2026-11-21T15:05:00Z"));
        // The clocks are moved at 02:00 that day, after the chart's end.
        let berlin = calendar("Europe/Berlin");
        assert_eq!(berlin.latest_until(date(2026, 10, 23)), at("2026-10-24T22:05:00Z"));
        assert_eq!(berlin.latest_until(date(2026, 10, 24)), at("2026-10-25T23:05:00Z"));
    }

    #[test]
    fn the_ends_of_time_do_no_harm() {
        let seoul = calendar("Asia/Seoul");
        assert_eq!(seoul.day_of(Timestamp(i64::MAX)), Date::MAX);
        assert_eq!(seoul.day_of(Timestamp(i64::MIN)).year(), -9999);
        assert!(seoul.latest_until(Date::MAX) >= seoul.midnight(Date::MAX));
    }
}
