//! What notifications say.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use onsale_domain::time::Timestamp;
use onsale_engine::ports::PerformanceListing;

use super::sender::text;
use crate::Event;

/// The language of notifications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Korean.
    Korean,
}

/// Why a buyer is told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    HoldEnding,
    Paid,
    Cancelled,
}

/// What is told to whom.
pub(super) struct Told<'a> {
    pub(super) occasion: Occasion,
    pub(super) event: &'a Event,
    /// What the order is for, if it is for seats.
    pub(super) listing: Option<&'a PerformanceListing>,
    /// The buyer's name.
    pub(super) name: &'a str,
}

impl Told<'_> {
    /// Subject and text.
    pub(super) fn write(&self, language: Language) -> (String, String) {
        let words = Words::of(language, self.occasion);
        let data = &self.event.data;
        let zone = self.listing.and_then(|listing| TimeZone::get(&listing.venue.time_zone).ok());
        let zone = zone.unwrap_or(TimeZone::UTC);
        let title = self.listing.map(|listing| one_line(&listing.show.details.title));
        let subject = match &title {
            Some(title) => format!("{}: {title}", words.subject),
            None => words.subject.to_owned(),
        };
        let mut text_ = format!("{}\n\n", words.greeting.replace("{name}", &one_line(self.name)));
        let ends_at = text(data, "expiresAt").parse::<jiff::Timestamp>();
        let ends_at = ends_at.map_or_else(|_| String::new(), |at| local(at, &zone));
        let _ = writeln!(text_, "{}\n", words.news.replace("{deadline}", &ends_at));
        if let (Some(title), Some(listing)) = (title, self.listing) {
            let starts_at = moment(listing.performance.details.starts_at);
            let _ = writeln!(text_, "{title}\n{}", local(starts_at, &zone));
            let _ = writeln!(text_, "{}, {}", one_line(&listing.venue.name), one_line(&listing.hall.name));
        }
        if let Some(seats) = data["seats"].as_array() {
            let _ = writeln!(text_, "{}: {}", words.seats, seats.len());
        }
        if let Some(amount) = data["amount"].as_i64() {
            let _ = writeln!(text_, "{}: {amount} {}", words.amount, text(data, "currency"));
        }
        let _ = writeln!(text_, "{}: {}", words.order, text(data, "orderId"));
        (subject, text_)
    }
}

/// The words of one language for one occasion.
struct Words {
    subject: &'static str,
    greeting: &'static str,
    news: &'static str,
    seats: &'static str,
    amount: &'static str,
    order: &'static str,
}

impl Words {
    const fn of(language: Language, occasion: Occasion) -> Self {
        let (subject, news) = match (language, occasion) {
            (Language::English, Occasion::HoldEnding) => (
                "Your reservation is about to end",
                "Your reservation is held until {deadline}. Pay before then to keep it.",
            ),
            (Language::English, Occasion::Paid) => ("Paid", "Your order is paid. Thank you!"),
            (Language::English, Occasion::Cancelled) => {
                ("Cancelled", "Your order was cancelled. What you had paid is back in your wallet.")
            }
            (Language::Korean, Occasion::HoldEnding) => {
                ("예약 마감 임박", "예약은 {deadline}까지 유지됩니다. 그 전에 결제해 주세요.")
            }
            (Language::Korean, Occasion::Paid) => ("결제 완료", "결제가 완료되었습니다. 감사합니다!"),
            (Language::Korean, Occasion::Cancelled) => {
                ("주문 취소", "주문이 취소되었습니다. 결제하신 금액은 지갑으로 환불되었습니다.")
            }
        };
        match language {
            Language::English => Self {
                subject,
                greeting: "Hello {name},",
                news,
                seats: "Seats",
                amount: "Amount",
                order: "Order",
            },
            Language::Korean => Self {
                subject,
                greeting: "{name}님, 안녕하세요.",
                news,
                seats: "좌석",
                amount: "금액",
                order: "주문 번호",
            },
        }
    }
}

/// A title or a name without line breaks: it goes into the subject.
fn one_line(text: &str) -> String {
    text.split(char::is_control).collect::<Vec<_>>().join(" ")
}

fn local(at: jiff::Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M (%Z)").to_string()
}

fn moment(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::MAX)
}
