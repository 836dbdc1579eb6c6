//! How the domain's types look in a message. The domain knows no serialisation, so they are
//! mirrored here; the compiler checks that the mirrors are complete.

use onsale_domain::{
    ids::{RoomId, UserId},
    line::{
        DrawNotice, DrawRecord, Mode, Pass, Phase, Place, PollPolicy, Refusal, RoomChange, RoomDocument,
        RoomSettings, SaleHealth, Schedule, Standing, Ticket, WaitRange,
    },
    time::Timestamp,
};
use onsale_engine::ports::{Holder, Visitor};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(remote = "Timestamp")]
pub(super) struct TimestampDef(pub i64);

#[derive(Serialize, Deserialize)]
#[serde(remote = "RoomId")]
pub(super) struct RoomIdDef(pub i64);

#[derive(Serialize, Deserialize)]
#[serde(remote = "UserId")]
pub(super) struct UserIdDef(pub i64);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Ticket")]
pub(super) struct TicketDef(pub u32);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Place")]
pub(super) struct PlaceDef(pub u32);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Visitor")]
pub(super) enum VisitorDef {
    Account(#[serde(with = "UserIdDef")] UserId),
    Guest(u128),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Holder")]
pub(super) struct HolderDef {
    #[serde(with = "TicketDef")]
    pub ticket: Ticket,
    #[serde(with = "VisitorDef")]
    pub visitor: Visitor,
    /// Nodes of earlier versions do not tell it.
    #[serde(default, with = "optional_user")]
    pub used_by: Option<UserId>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Pass")]
pub(super) struct PassDef {
    #[serde(with = "PlaceDef")]
    pub place: Place,
    #[serde(with = "TimestampDef")]
    pub until: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "WaitRange")]
pub(super) struct WaitRangeDef {
    pub low_ms: i64,
    pub expected_ms: i64,
    pub high_ms: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Standing")]
pub(super) enum StandingDef {
    PreQueue,
    Waiting {
        #[serde(with = "PlaceDef")]
        place: Place,
        ahead: u32,
        #[serde(with = "optional_wait")]
        wait: Option<WaitRange>,
    },
    Called {
        #[serde(with = "PlaceDef")]
        place: Place,
        #[serde(with = "TimestampDef")]
        until: Timestamp,
    },
    Inside(#[serde(with = "PassDef")] Pass),
    Over,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Refusal")]
pub(super) enum RefusalDef {
    NotYet,
    Closed,
    Full,
    NumbersUsedUp,
    UnknownTicket,
    NotYourTurn,
    Over,
    TooManyNumbers,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Phase")]
pub(super) enum PhaseDef {
    Scheduled,
    PreQueue,
    Open,
    Paused,
    Closed,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SaleHealth")]
pub(super) struct SaleHealthDef {
    pub latency_ms: Option<f64>,
    pub queue_share: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Mode")]
pub(super) enum ModeDef {
    ThemePark { admissions: u32, interval_ms: i64 },
    BankWindow { inside_max: u32 },
    Adaptive { floor: u32, ceiling: u32 },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "PollPolicy")]
pub(super) struct PollPolicyDef {
    pub min_ms: i64,
    pub max_ms: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "RoomSettings")]
pub(super) struct RoomSettingsDef {
    #[serde(with = "ModeDef")]
    pub mode: Mode,
    pub unseen_ms: i64,
    pub claim_ms: i64,
    pub pass_ms: i64,
    #[serde(with = "PollPolicyDef")]
    pub poll: PollPolicy,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Schedule")]
pub(super) struct ScheduleDef {
    #[serde(with = "optional_time")]
    pub pre_queue_at: Option<Timestamp>,
    #[serde(with = "optional_time")]
    pub opens_at: Option<Timestamp>,
    #[serde(with = "optional_time")]
    pub closes_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "RoomChange")]
pub(super) enum RoomChangeDef {
    Settings(#[serde(with = "RoomSettingsDef")] RoomSettings),
    Schedule(#[serde(with = "ScheduleDef")] Schedule),
    PublicRandomness(Vec<u8>),
    PreQueue,
    Open,
    Pause,
    Close,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "DrawRecord")]
pub(super) struct DrawRecordDef {
    #[serde(with = "RoomIdDef")]
    pub room: RoomId,
    pub cohort: u32,
    pub commitment: [u8; 32],
    pub seed: [u8; 32],
    pub public_randomness: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "DrawNotice")]
pub(super) enum DrawNoticeDef {
    Committed([u8; 32]),
    Drawn(#[serde(with = "DrawRecordDef")] DrawRecord),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "RoomDocument")]
pub(super) struct RoomDocumentDef {
    #[serde(with = "RoomIdDef")]
    pub room: RoomId,
    pub revision: u32,
    #[serde(with = "PhaseDef")]
    pub phase: Phase,
    #[serde(with = "RoomSettingsDef")]
    pub settings: RoomSettings,
    #[serde(with = "ScheduleDef")]
    pub schedule: Schedule,
    pub tail: u32,
    pub cursor: u32,
    pub inside: u32,
    pub called: u32,
    pub admissions_per_second: Option<f64>,
    pub places_per_second: Option<f64>,
    #[serde(with = "waits")]
    pub waits: Vec<(u32, WaitRange)>,
    pub wait_spread_percent: u32,
    pub wait_error_percent: Option<u32>,
    pub no_show_percent: u32,
    #[serde(with = "DrawNoticeDef")]
    pub draw: DrawNotice,
}

#[derive(Serialize, Deserialize)]
struct Wait(#[serde(with = "WaitRangeDef")] WaitRange);

mod optional_time {
    use super::{Deserialize, Serialize, Timestamp};

    pub(super) fn serialize<S: serde::Serializer>(
        time: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(|time| time.0).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(Timestamp))
    }
}

mod optional_user {
    use super::{Deserialize, Serialize, UserId};

    pub(super) fn serialize<S: serde::Serializer>(
        user: &Option<UserId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        user.map(|user| user.0).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<UserId>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(UserId))
    }
}

mod optional_wait {
    use super::{Deserialize, Serialize, Wait, WaitRange};

    pub(super) fn serialize<S: serde::Serializer>(
        wait: &Option<WaitRange>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        wait.map(Wait).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<WaitRange>, D::Error> {
        Ok(Option::<Wait>::deserialize(deserializer)?.map(|Wait(wait)| wait))
    }
}

mod waits {
    use super::{Deserialize, Wait, WaitRange};

    pub(super) fn serialize<S: serde::Serializer>(
        waits: &[(u32, WaitRange)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(waits.iter().map(|(ahead, wait)| (ahead, Wait(*wait))))
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(u32, WaitRange)>, D::Error> {
        let waits = Vec::<(u32, Wait)>::deserialize(deserializer)?;
        Ok(waits.into_iter().map(|(ahead, Wait(wait))| (ahead, wait)).collect())
    }
}
