//! Events, as CloudEvents 1.0 in the structured JSON format.

use std::{fmt, str::FromStr};

use onsale_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that happened. `docs/events.md` says what the data of each type is.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Names this event and no other; the same each time it is delivered.
    pub id: String,
    /// What happened.
    pub event_type: EventType,
    /// Which installation it happened in: a URI reference, `/onsale` unless configured otherwise.
    pub source: String,
    /// What it happened to: an order's id, `performances/7`, `shows/7`, `items/7`, `users/7`.
    pub subject: String,
    /// Events with the same key are delivered in the order in which they happened. The subject.
    pub key: String,
    /// When it happened.
    pub time: Timestamp,
    /// What there is to say about it, an object.
    pub data: Value,
}

macro_rules! event_types {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What happened, and in which version it is described.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum EventType {
            $($(#[$doc])* $name,)*
            /// A type that this version does not know; a newer node has sent it.
            Other(String),
        }

        impl EventType {
            /// Every type that this version knows.
            pub const KNOWN: &[Self] = &[$(Self::$name,)*];

            /// Its name: `onsale.`, what happened, and the version of its data.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other(text) => text,
                }
            }

            /// The type with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Self {
                match name {
                    $($text => Self::$name,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

event_types! {
    /// Seats or units are held for a buyer.
    OrderHeld = "onsale.order.held.v1",
    /// An order was paid.
    OrderPaid = "onsale.order.paid.v1",
    /// A hold has ended unpaid.
    OrderExpired = "onsale.order.expired.v1",
    /// An order was cancelled, and refunded if it had been paid.
    OrderCancelled = "onsale.order.cancelled.v1",
    /// A performance is new.
    PerformanceAdded = "onsale.performance.added.v1",
    /// A performance has changed: its times, its rules or its prices.
    PerformanceChanged = "onsale.performance.changed.v1",
    /// A performance was called off.
    PerformanceCancelled = "onsale.performance.cancelled.v1",
    /// A film or a concert is new.
    ShowAdded = "onsale.show.added.v1",
    /// What is said of a film or a concert has changed.
    ShowChanged = "onsale.show.changed.v1",
    /// An item is new.
    ItemAdded = "onsale.item.added.v1",
    /// What is said of an item, its price or its rules have changed.
    ItemChanged = "onsale.item.changed.v1",
    /// An organiser has changed how many units an item has.
    StockChanged = "onsale.stock.changed.v1",
    /// Seats were taken off sale by an organiser.
    SeatsLocked = "onsale.seats.locked.v1",
    /// Seats were put back on sale by an organiser.
    SeatsUnlocked = "onsale.seats.unlocked.v1",
    /// Somebody has added points to their wallet.
    PointsCharged = "onsale.points.charged.v1",
}

impl EventType {
    /// The version of its data; 0 if its name has none.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.as_str().rsplit_once(".v").and_then(|(_, version)| version.parse().ok()).unwrap_or(0)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is not an event.
#[derive(Debug, thiserror::Error)]
#[error("not an event: {0}")]
pub struct EventError(pub(crate) String);

impl Event {
    /// The media type of [`Event::to_json`].
    pub const MEDIA_TYPE: &str = "application/cloudevents+json";

    /// The event in CloudEvents' structured mode.
    #[must_use]
    pub fn to_json(&self) -> String {
        let time = onsale_engine::events::time(self.time);
        let envelope = Envelope {
            specversion: SPEC_VERSION,
            id: &self.id,
            source: &self.source,
            event_type: self.event_type.as_str(),
            subject: &self.subject,
            time: &time,
            datacontenttype: "application/json",
            partitionkey: &self.key,
            data: &self.data,
        };
        serde_json::to_string(&envelope).expect("texts and values can always be written")
    }
}

impl FromStr for Event {
    type Err = EventError;

    /// Reads what [`Event::to_json`] has written. Attributes that it does not know are passed over.
    fn from_str(json: &str) -> Result<Self, EventError> {
        let read: Received = serde_json::from_str(json).map_err(|error| EventError(error.to_string()))?;
        if read.specversion != SPEC_VERSION {
            return Err(EventError(format!("it is of CloudEvents version {}", read.specversion)));
        }
        let time: jiff::Timestamp =
            read.time.parse().map_err(|error| EventError(format!("time: {error}")))?;
        Ok(Self {
            id: read.id,
            event_type: EventType::from_name(&read.event_type),
            source: read.source,
            subject: read.subject,
            key: read.partitionkey,
            time: Timestamp(time.as_millisecond()),
            data: read.data,
        })
    }
}

const SPEC_VERSION: &str = "1.0";

#[derive(Serialize)]
struct Envelope<'a> {
    specversion: &'a str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    subject: &'a str,
    time: &'a str,
    datacontenttype: &'a str,
    /// The key, as CloudEvents' extension for partitioning calls it.
    partitionkey: &'a str,
    data: &'a Value,
}

#[derive(Deserialize)]
struct Received {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    subject: String,
    time: String,
    partitionkey: String,
    data: Value,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> Event {
        Event {
            id: "a.1".to_owned(),
            event_type: EventType::OrderPaid,
            source: "/onsale".to_owned(),
            subject: "a".to_owned(),
            key: "a".to_owned(),
            time: Timestamp(1_780_000_000_250),
            data: json!({"amount": 1}),
        }
    }

    #[test]
    fn an_event_is_written_as_a_cloud_event_and_read_again() {
        let written: Value = serde_json::from_str(&event().to_json()).unwrap();
        let expected = json!({
            "specversion": "1.0", "id": "a.1", "source": "/onsale", "type": "onsale.order.paid.v1",
            "subject": "a", "time": "2026-05-28T20:26:40.25Z", "datacontenttype": "application/json",
            "partitionkey": "a", "data": {"amount": 1},
        });
        assert_eq!(written, expected);
        assert_eq!(event().to_json().parse::<Event>().unwrap(), event());
    }

    #[test]
    fn types_have_names_and_versions_and_unknown_ones_are_kept() {
        for known in EventType::KNOWN {
            assert_eq!(&EventType::from_name(known.as_str()), known);
            assert_eq!(known.version(), 1);
        }
        let newer = EventType::from_name("onsale.order.shipped.v2");
        assert_eq!((newer.version(), newer.as_str()), (2, "onsale.order.shipped.v2"));
        assert_eq!(EventType::from_name("nonsense").version(), 0);
    }

    #[test]
    fn what_is_no_event_is_refused() {
        let other = event().to_json().replace("\"specversion\":\"1.0\"", "\"specversion\":\"0.3\"");
        assert!(other.parse::<Event>().unwrap_err().to_string().contains("0.3"));
        assert!("{}".parse::<Event>().is_err());
    }
}
