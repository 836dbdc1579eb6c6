//! What is popular: what is ranked, over which days, and a count that decays.
//!
//! A sale counts for the local day on which it was paid. Given back, it is taken off that day.

mod calendar;
mod decay;

use jiff::{Span, civil::Date};

pub use calendar::Calendar;
pub use decay::{DecayingCount, HALF_LIFE_MS, heat_least};

use crate::{catalogue::ShowKind, ids::ShowId};

/// What is ranked among its like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubjectKind {
    /// Films, by seats sold.
    Movie,
    /// Concerts, by seats sold.
    Concert,
    /// Items, by units sold.
    Item,
}

impl SubjectKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Movie, Self::Concert, Self::Item];
}

impl From<ShowKind> for SubjectKind {
    fn from(kind: ShowKind) -> Self {
        match kind {
            ShowKind::Movie => Self::Movie,
            ShowKind::Concert => Self::Concert,
        }
    }
}

/// Something that is sold and ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject {
    /// Among what it is ranked.
    pub kind: SubjectKind,
    /// Which one of these it is.
    pub id: i64,
}

impl Subject {
    /// A film or a concert.
    #[must_use]
    pub fn show(kind: ShowKind, id: ShowId) -> Self {
        Self { kind: kind.into(), id: id.0 }
    }

    /// An item.
    #[must_use]
    pub const fn item(id: i64) -> Self {
        Self { kind: SubjectKind::Item, id }
    }
}

/// The whole days that a chart is about: so many, up to and including its date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    /// The date alone.
    Day,
    /// Seven days.
    Week,
    /// Thirty days.
    Month,
}

impl Period {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// The period's name in requests, answers and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// How many days it has.
    #[must_use]
    pub const fn days(self) -> i32 {
        match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
        }
    }

    /// The first of the days of which `last` is the last.
    #[must_use]
    pub fn first_day(self, last: Date) -> Date {
        last.saturating_sub(Span::new().days(self.days() - 1))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::Period;

    #[test]
    fn a_period_ends_with_its_date() {
        let last = date(2028, 3, 1);
        assert_eq!(Period::Day.first_day(last), last);
        assert_eq!(Period::Week.first_day(last), date(2028, 2, 24), "across a leap day");
        assert_eq!(Period::Month.first_day(last), date(2028, 2, 1));
        assert_eq!(Period::Month.first_day(jiff::civil::Date::MIN), jiff::civil::Date::MIN);
    }
}
