//! Records and changes of rooms as JSON. The domain knows no JSON, so its types are mirrored here;
//! a name, once written, stays.

use onsale_domain::{
    line::{Mode, Phase, PollPolicy, RoomChange, RoomRecord, RoomSettings, Schedule, Seed},
    time::Timestamp,
};
use onsale_engine::ports::StoreError;
use serde::{Deserialize, Serialize};

use crate::error::broken;

pub(super) fn record_text(record: &RoomRecord) -> String {
    serde_json::to_string(&RecordJson::from(record)).expect("a record is plain values")
}

pub(super) fn record(text: &str) -> Result<RoomRecord, StoreError> {
    let json: RecordJson = serde_json::from_str(text).map_err(broken)?;
    Ok(json.into())
}

pub(super) fn change_text(change: &RoomChange) -> String {
    serde_json::to_string(&ChangeJson::from(change)).expect("a change is plain values")
}

pub(super) fn change(text: &str) -> Result<RoomChange, StoreError> {
    let json: ChangeJson = serde_json::from_str(text).map_err(broken)?;
    Ok(json.into())
}

#[derive(Serialize, Deserialize)]
struct RecordJson {
    settings: SettingsJson,
    schedule: ScheduleJson,
    seed: Seed,
    public_randomness: Vec<u8>,
    phase: PhaseJson,
    cohort: u32,
    numbers: u32,
    cursor: u32,
    revision: u32,
}

impl From<&RoomRecord> for RecordJson {
    fn from(record: &RoomRecord) -> Self {
        Self {
            settings: record.settings.into(),
            schedule: record.schedule.into(),
            seed: record.seed,
            public_randomness: record.public_randomness.clone(),
            phase: record.phase.into(),
            cohort: record.cohort,
            numbers: record.numbers,
            cursor: record.cursor,
            revision: record.revision,
        }
    }
}

impl From<RecordJson> for RoomRecord {
    fn from(json: RecordJson) -> Self {
        Self {
            settings: json.settings.into(),
            schedule: json.schedule.into(),
            seed: json.seed,
            public_randomness: json.public_randomness,
            phase: json.phase.into(),
            cohort: json.cohort,
            numbers: json.numbers,
            cursor: json.cursor,
            revision: json.revision,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct SettingsJson {
    mode: ModeJson,
    unseen_ms: i64,
    claim_ms: i64,
    pass_ms: i64,
    poll_min_ms: i64,
    poll_max_ms: i64,
}

impl From<RoomSettings> for SettingsJson {
    fn from(settings: RoomSettings) -> Self {
        let RoomSettings { mode, unseen_ms, claim_ms, pass_ms, poll } = settings;
        Self {
            mode: mode.into(),
            unseen_ms,
            claim_ms,
            pass_ms,
            poll_min_ms: poll.min_ms,
            poll_max_ms: poll.max_ms,
        }
    }
}

impl From<SettingsJson> for RoomSettings {
    fn from(json: SettingsJson) -> Self {
        Self {
            mode: json.mode.into(),
            unseen_ms: json.unseen_ms,
            claim_ms: json.claim_ms,
            pass_ms: json.pass_ms,
            poll: PollPolicy { min_ms: json.poll_min_ms, max_ms: json.poll_max_ms },
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModeJson {
    ThemePark { admissions: u32, interval_ms: i64 },
    BankWindow { inside_max: u32 },
    Adaptive { floor: u32, ceiling: u32 },
}

impl From<Mode> for ModeJson {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::ThemePark { admissions, interval_ms } => Self::ThemePark { admissions, interval_ms },
            Mode::BankWindow { inside_max } => Self::BankWindow { inside_max },
            Mode::Adaptive { floor, ceiling } => Self::Adaptive { floor, ceiling },
        }
    }
}

impl From<ModeJson> for Mode {
    fn from(json: ModeJson) -> Self {
        match json {
            ModeJson::ThemePark { admissions, interval_ms } => Self::ThemePark { admissions, interval_ms },
            ModeJson::BankWindow { inside_max } => Self::BankWindow { inside_max },
            ModeJson::Adaptive { floor, ceiling } => Self::Adaptive { floor, ceiling },
        }
    }
}

#[derive(Serialize, Deserialize)]
struct ScheduleJson {
    pre_queue_at: Option<i64>,
    opens_at: Option<i64>,
    closes_at: Option<i64>,
}

impl From<Schedule> for ScheduleJson {
    fn from(schedule: Schedule) -> Self {
        let ms = |at: Option<Timestamp>| at.map(|at| at.0);
        Self {
            pre_queue_at: ms(schedule.pre_queue_at),
            opens_at: ms(schedule.opens_at),
            closes_at: ms(schedule.closes_at),
        }
    }
}

impl From<ScheduleJson> for Schedule {
    fn from(json: ScheduleJson) -> Self {
        Self {
            pre_queue_at: json.pre_queue_at.map(Timestamp),
            opens_at: json.opens_at.map(Timestamp),
            closes_at: json.closes_at.map(Timestamp),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PhaseJson {
    Scheduled,
    PreQueue,
    Open,
    Paused,
    Closed,
}

impl From<Phase> for PhaseJson {
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

impl From<PhaseJson> for Phase {
    fn from(json: PhaseJson) -> Self {
        match json {
            PhaseJson::Scheduled => Self::Scheduled,
            PhaseJson::PreQueue => Self::PreQueue,
            PhaseJson::Open => Self::Open,
            PhaseJson::Paused => Self::Paused,
            PhaseJson::Closed => Self::Closed,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChangeJson {
    Settings(SettingsJson),
    Schedule(ScheduleJson),
    PublicRandomness(Vec<u8>),
    PreQueue,
    Open,
    Pause,
    Close,
}

impl From<&RoomChange> for ChangeJson {
    fn from(change: &RoomChange) -> Self {
        match change {
            RoomChange::Settings(settings) => Self::Settings((*settings).into()),
            RoomChange::Schedule(schedule) => Self::Schedule((*schedule).into()),
            RoomChange::PublicRandomness(bytes) => Self::PublicRandomness(bytes.clone()),
            RoomChange::PreQueue => Self::PreQueue,
            RoomChange::Open => Self::Open,
            RoomChange::Pause => Self::Pause,
            RoomChange::Close => Self::Close,
        }
    }
}

impl From<ChangeJson> for RoomChange {
    fn from(json: ChangeJson) -> Self {
        match json {
            ChangeJson::Settings(settings) => Self::Settings(settings.into()),
            ChangeJson::Schedule(schedule) => Self::Schedule(schedule.into()),
            ChangeJson::PublicRandomness(bytes) => Self::PublicRandomness(bytes),
            ChangeJson::PreQueue => Self::PreQueue,
            ChangeJson::Open => Self::Open,
            ChangeJson::Pause => Self::Pause,
            ChangeJson::Close => Self::Close,
        }
    }
}
