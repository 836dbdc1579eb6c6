//! A waiting room's public document.

use std::sync::Arc;

use bytes::Bytes;
use moka::sync::Cache;
use onsale_domain::{
    ids::RoomId,
    line::{DrawNotice, Mode, Phase, RoomDocument, Schedule, WaitRange},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::token::WaitBody;
use crate::{
    Api,
    encoded::{Encoded, Freshness},
    problem::Problem,
    time::Rfc3339,
};

/// How long a document is given out, in milliseconds. With the second that others may keep it, nobody
/// sees one that is older than the two together.
const KEPT_MS: i64 = 200;

/// The most documents that are kept.
const DOCUMENTS_MAX: u64 = 1_000;

/// The documents of rooms, encoded once for everybody.
pub(crate) struct RoomCache {
    documents: Cache<RoomId, Made>,
}

#[derive(Clone)]
struct Made {
    at: Timestamp,
    encoded: Arc<Encoded>,
    /// As it is sent to those who watch.
    frame: Bytes,
}

impl RoomCache {
    pub(crate) fn new() -> Self {
        Self { documents: Cache::new(DOCUMENTS_MAX) }
    }
}

impl Api {
    /// A room's document, and the same as an event.
    pub(super) async fn room_document(&self, room: RoomId) -> Result<(Arc<Encoded>, Bytes), Problem> {
        let now = self.engine.clock().now();
        if let Some(made) = self.rooms.documents.get(&room)
            && (0..KEPT_MS).contains(&now.since_ms(made.at))
        {
            return Ok((made.encoded, made.frame));
        }
        let document = DocumentBody::from(self.engine.rooms.document(room).await?);
        let body = serde_json::to_vec(&document).expect("an answer is plain JSON");
        let frame = Bytes::from([b"data: ", &body[..], b"\n\n"].concat());
        let made = Made { at: now, encoded: Encoded::new(body, Freshness::Second), frame };
        self.rooms.documents.insert(room, made.clone());
        Ok((made.encoded, made.frame))
    }
}

/// What everybody may know of a waiting room.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RoomDocument)]
pub(crate) struct DocumentBody {
    /// The room's id.
    #[schema(minimum = 1, example = 1)]
    room_id: i64,
    /// Rises with every change of settings, schedule or phase.
    #[schema(example = 3)]
    revision: u32,
    /// Where the room is in its life.
    phase: PhaseBody,
    /// How visitors are let in.
    mode: ModeBody,
    /// When it opens and closes by itself.
    schedule: ScheduleBody,
    /// How many numbers have been given out.
    #[schema(example = 51_200)]
    tail: u32,
    /// Places below this one have been called or stepped over.
    #[schema(example = 50_000)]
    cursor: u32,
    /// How many are inside.
    #[schema(example = 120)]
    inside: u32,
    /// How many are called and have not entered yet.
    #[schema(example = 10)]
    called: u32,
    /// Admissions a second, as set or as found by the adaptive mode. None for a bank window.
    #[schema(example = 10.0)]
    admissions_per_second: Option<f64>,
    /// How fast the line moves, those stepped over included. None until it moves.
    #[schema(example = 12.5)]
    places_per_second: Option<f64>,
    /// How long it takes from some distances, the nearest first. Empty while nothing is known.
    waits: Vec<WaitPoint>,
    /// The median of the measured errors of predicted waits, in percent. None until there are some.
    #[schema(example = 4)]
    wait_error_percent: Option<u32>,
    /// How many of those called did not come, in percent.
    #[schema(example = 30)]
    no_show_percent: u32,
    /// The draw of lots among those who came before the opening.
    draw: DrawBody,
}

/// How long it takes from a distance.
#[derive(Serialize, ToSchema)]
struct WaitPoint {
    /// How many places are before.
    #[schema(example = 1_200)]
    ahead: u32,
    /// How long it probably takes, in seconds.
    #[serde(flatten)]
    wait: WaitBody,
}

impl From<(u32, WaitRange)> for WaitPoint {
    fn from((ahead, wait): (u32, WaitRange)) -> Self {
        Self { ahead, wait: wait.into() }
    }
}

/// Where a waiting room is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RoomPhase)]
pub(crate) enum PhaseBody {
    /// Nobody can join yet.
    Scheduled,
    /// Visitors join; lots are drawn at the opening.
    PreQueue,
    /// Visitors are let in.
    Open,
    /// Visitors join and wait; nobody is called. Who is inside stays.
    Paused,
    /// Nobody joins and nobody is called, for good.
    Closed,
}

impl From<Phase> for PhaseBody {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Scheduled => Self::Scheduled,
            Phase::PreQueue => Self::PreQueue,
            Phase::Open => Self::Open,
            Phase::Paused => Self::Paused,
            Phase::Closed => Self::Closed,
        }
    }
}

/// How a waiting room lets visitors in.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RoomMode)]
pub(crate) enum ModeBody {
    // Said for each: what makes the OpenAPI document does not know `rename_all_fields`.
    /// So many every interval, evenly spread within it.
    #[serde(rename_all = "camelCase")]
    ThemePark {
        /// How many.
        #[schema(minimum = 1, maximum = 1_000_000, example = 100)]
        admissions: u32,
        /// The interval, in milliseconds.
        #[schema(minimum = 1_000, maximum = 3_600_000, example = 10_000)]
        interval_ms: i64,
    },
    /// Never more than so many inside, those called included.
    #[serde(rename_all = "camelCase")]
    BankWindow {
        /// How many.
        #[schema(minimum = 1, maximum = 1_000_000, example = 500)]
        inside_max: u32,
    },
    /// As many as the sale bears, found from its latency and its queue.
    Adaptive {
        /// The least, in admissions a second.
        #[schema(minimum = 1, maximum = 1_000_000, example = 1)]
        floor: u32,
        /// The most, in admissions a second.
        #[schema(minimum = 1, maximum = 1_000_000, example = 1_000)]
        ceiling: u32,
    },
}

impl From<Mode> for ModeBody {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::ThemePark { admissions, interval_ms } => Self::ThemePark { admissions, interval_ms },
            Mode::BankWindow { inside_max } => Self::BankWindow { inside_max },
            Mode::Adaptive { floor, ceiling } => Self::Adaptive { floor, ceiling },
        }
    }
}

impl From<ModeBody> for Mode {
    fn from(mode: ModeBody) -> Self {
        match mode {
            ModeBody::ThemePark { admissions, interval_ms } => Self::ThemePark { admissions, interval_ms },
            ModeBody::BankWindow { inside_max } => Self::BankWindow { inside_max },
            ModeBody::Adaptive { floor, ceiling } => Self::Adaptive { floor, ceiling },
        }
    }
}

/// When a waiting room opens and closes by itself. What is left out is done by hand.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RoomSchedule)]
pub(crate) struct ScheduleBody {
    /// From when on visitors may join and take part in the draw.
    pre_queue_at: Option<Rfc3339>,
    /// When lots are drawn and visitors let in.
    opens_at: Option<Rfc3339>,
    /// From when on nobody joins or is let in.
    closes_at: Option<Rfc3339>,
}

impl From<Schedule> for ScheduleBody {
    fn from(schedule: Schedule) -> Self {
        Self {
            pre_queue_at: schedule.pre_queue_at.map(Rfc3339),
            opens_at: schedule.opens_at.map(Rfc3339),
            closes_at: schedule.closes_at.map(Rfc3339),
        }
    }
}

impl From<ScheduleBody> for Schedule {
    fn from(schedule: ScheduleBody) -> Self {
        Self {
            pre_queue_at: schedule.pre_queue_at.map(|at| at.0),
            opens_at: schedule.opens_at.map(|at| at.0),
            closes_at: schedule.closes_at.map(|at| at.0),
        }
    }
}

/// The draw of lots. Before the opening only the commitment is known; from then on everything that is
/// needed to compute it again.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Draw)]
struct DrawBody {
    /// What the room is bound to, in hexadecimal: SHA-256 over a label, the room's id and the seed.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    commitment: String,
    /// How many took part.
    #[schema(nullable, example = 51_200)]
    cohort: Option<u32>,
    /// The seed, in hexadecimal.
    #[schema(nullable)]
    seed: Option<String>,
    /// What was mixed in, in hexadecimal.
    #[schema(nullable)]
    public_randomness: Option<String>,
    /// SHA-256 over all of this, in hexadecimal; `onsale room verify-draw` checks it.
    #[schema(nullable)]
    checksum: Option<String>,
}

impl From<DrawNotice> for DrawBody {
    fn from(draw: DrawNotice) -> Self {
        match draw {
            DrawNotice::Committed(commitment) => Self {
                commitment: hex::encode(commitment),
                cohort: None,
                seed: None,
                public_randomness: None,
                checksum: None,
            },
            DrawNotice::Drawn(record) => Self {
                commitment: hex::encode(record.commitment),
                cohort: Some(record.cohort),
                seed: Some(hex::encode(record.seed)),
                public_randomness: Some(hex::encode(&record.public_randomness)),
                checksum: Some(hex::encode(record.checksum())),
            },
        }
    }
}

impl From<RoomDocument> for DocumentBody {
    fn from(mut document: RoomDocument) -> Self {
        // In a short line several of the distances are the same.
        document.waits.dedup_by_key(|(ahead, _)| *ahead);
        Self {
            room_id: document.room.0,
            revision: document.revision,
            phase: document.phase.into(),
            mode: document.settings.mode.into(),
            schedule: document.schedule.into(),
            tail: document.tail,
            cursor: document.cursor,
            inside: document.inside,
            called: document.called,
            admissions_per_second: document.admissions_per_second,
            places_per_second: document.places_per_second,
            waits: document.waits.into_iter().map(WaitPoint::from).collect(),
            wait_error_percent: document.wait_error_percent,
            no_show_percent: document.no_show_percent,
            draw: document.draw.into(),
        }
    }
}
