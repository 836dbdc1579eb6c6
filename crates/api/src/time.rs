//! Points in time as they are written in JSON.

use std::fmt;

use jiff::{Zoned, civil::Date, tz::TimeZone};
use onsale_domain::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

use crate::problem::Problem;

/// A point in time in RFC 3339 format. Answers are in UTC; requests may have any offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime, examples("2026-11-21T10:00:00Z"))]
pub(crate) struct Rfc3339(pub(crate) Timestamp);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        moment(self.0).fmt(f)
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rfc3339 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let moment: jiff::Timestamp = text.parse().map_err(|_| {
            de::Error::custom(format_args!(
                "`{text}` is not a time with an offset such as 2026-11-21T19:00:00+09:00"
            ))
        })?;
        // Up to the millisecond: nothing opens before the moment that was asked for.
        let ms = moment.as_nanosecond().div_euclid(1_000_000);
        let up = i64::from(moment.as_nanosecond().rem_euclid(1_000_000) > 0);
        Ok(Self(Timestamp(i64::try_from(ms).unwrap_or(i64::MAX).saturating_add(up))))
    }
}

/// A point in time, seen in a time zone.
pub(crate) fn local(at: Timestamp, zone: &TimeZone) -> Zoned {
    moment(at).to_zoned(zone.clone())
}

/// RFC 3339 with the local offset: `2026-11-21T19:00:00+09:00`.
pub(crate) fn with_offset(local: &Zoned) -> String {
    local.timestamp().display_with_offset(local.offset()).to_string()
}

/// The date in a field.
pub(crate) fn date(field: &str, text: &str) -> Result<Date, Problem> {
    let not_a_date = || Problem::field(field, "must be a date such as 2024-04-24");
    // Stricter than the parser, which would take a time along with the date.
    if text.len() != "2024-04-24".len() {
        return Err(not_a_date());
    }
    text.parse().map_err(|_| not_a_date())
}

/// The zone with this name; UTC should the time zone database not know it any more.
pub(crate) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// Times beyond the year 9999 cannot be written; they become the last that can.
fn moment(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or(if at.0 < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_and_read_with_any_offset() {
        let read: Rfc3339 = serde_json::from_str("\"2026-11-21T19:00:00.250+09:00\"").unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), "\"2026-11-21T10:00:00.25Z\"");
        let read: Rfc3339 = serde_json::from_str("\"2026-11-21T10:00:00.0000001Z\"").unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), "\"2026-11-21T10:00:00.001Z\"", "never early");
        let refused = serde_json::from_str::<Rfc3339>("\"2026-11-21T19:00:00\"").unwrap_err();
        assert!(refused.to_string().contains("offset"), "{refused}");
        assert_eq!(Rfc3339(Timestamp(i64::MAX)).to_string(), jiff::Timestamp::MAX.to_string());
    }

    #[test]
    fn local_times_carry_the_offset_of_their_zone() {
        let at = Timestamp(1_780_000_000_000);
        assert_eq!(with_offset(&local(at, &zone("Asia/Seoul"))), "2026-05-29T05:26:40+09:00");
        assert_eq!(with_offset(&local(at, &zone("nowhere"))), "2026-05-28T20:26:40+00:00");
    }
}
