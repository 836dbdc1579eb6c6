//! `Retry-After`: how long a busy receiver wants to be left alone.

use std::time::{Duration, SystemTime};

use onsale_domain::time::Timestamp;
use reqwest::{
    StatusCode,
    header::{DATE, HeaderMap, HeaderName, RETRY_AFTER},
};

/// The pause in milliseconds that an answer with 429 or 503 asks for, in seconds or until a date (RFC 9110,
/// 10.2.3); 0 if it asks for none. A date is read by the receiver's own clock, if the answer has its `Date`.
pub(super) fn pause_ms(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> i64 {
    if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return 0;
    }
    let Some(asked) = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::trim) else {
        return 0;
    };
    if !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit()) {
        return asked.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(1_000);
    }
    let Ok(until) = httpdate::parse_http_date(asked) else { return 0 };
    let ours = SystemTime::UNIX_EPOCH + Duration::from_millis(now.0.try_into().unwrap_or(0));
    let from = date(headers, DATE).unwrap_or(ours);
    until.duration_since(from).map_or(0, |pause| pause.as_millis().try_into().unwrap_or(i64::MAX))
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    /// 2026-11-21T10:00:00Z.
    const NOW: Timestamp = Timestamp(1_795_255_200_000);

    fn pause(asked: &str, date: Option<&str>) -> i64 {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(asked).unwrap());
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).unwrap());
        }
        pause_ms(StatusCode::TOO_MANY_REQUESTS, &headers, NOW)
    }

    #[test]
    fn seconds_and_dates_are_heeded() {
        for (asked, ms) in [
            ("120", 120_000),
            (" 0 ", 0),
            ("99999999999999999999", i64::MAX),
            ("Sat, 21 Nov 2026 10:10:00 GMT", 600_000),
            ("Saturday, 21-Nov-26 10:10:00 GMT", 600_000),
            ("Sat Nov 21 10:10:00 2026", 600_000),
            ("Sat, 21 Nov 2026 09:00:00 GMT", 0),
            ("-5", 0),
            ("soon", 0),
            ("", 0),
        ] {
            assert_eq!(pause(asked, None), ms, "{asked}");
        }
        assert_eq!(pause_ms(StatusCode::OK, &HeaderMap::new(), NOW), 0);
    }

    #[test]
    fn a_date_is_read_by_the_receivers_clock() {
        let asked = "Sat, 21 Nov 2026 12:10:00 GMT";
        assert_eq!(pause(asked, Some("Sat, 21 Nov 2026 12:00:00 GMT")), 600_000, "it is two hours ahead");
        assert_eq!(pause(asked, Some("yesterday")), 7_800_000);
    }
}
