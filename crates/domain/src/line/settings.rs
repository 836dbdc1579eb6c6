//! What an organiser sets, and what must be on disk before a room goes on.

use super::{PollPolicy, Seed};
use crate::time::Timestamp;

/// The shortest and the longest interval of a theme park, in milliseconds.
const INTERVAL_MS_MIN: i64 = 1_000;
const INTERVAL_MS_MAX: i64 = 3_600_000;

/// The longest lifetime of anything in a room, in milliseconds: a day.
const LIFETIME_MS_MAX: i64 = 86_400_000;

/// The most admissions an interval may have, and the most that may be inside.
const ADMISSIONS_MAX: u32 = 1_000_000;

/// How visitors are let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// So many every interval, evenly spread within it.
    ThemePark {
        /// How many.
        admissions: u32,
        /// The interval, in milliseconds.
        interval_ms: i64,
    },
    /// Never more than so many inside, those called included.
    BankWindow {
        /// How many.
        inside_max: u32,
    },
    /// As many as the sale bears, found from its latency and its queue.
    Adaptive {
        /// The least, in admissions a second.
        floor: u32,
        /// The most, in admissions a second.
        ceiling: u32,
    },
}

impl Mode {
    /// How many may be inside.
    pub(super) fn inside_max(self) -> u32 {
        match self {
            Self::BankWindow { inside_max } => inside_max,
            Self::ThemePark { .. } | Self::Adaptive { .. } => u32::MAX,
        }
    }
}

/// The settings of a room. All can be changed while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomSettings {
    /// How visitors are let in.
    pub mode: Mode,
    /// A place whose visitor has not asked for so long is stepped over, in milliseconds. It is at
    /// least this and less than twice this.
    pub unseen_ms: i64,
    /// How long somebody who is called may take to enter, in milliseconds.
    pub claim_ms: i64,
    /// How long a pass is good, in milliseconds.
    pub pass_ms: i64,
    /// How often visitors are told to ask.
    pub poll: PollPolicy,
}

impl RoomSettings {
    /// The usual settings for a mode. A hidden tab may be woken once a minute only, so two minutes
    /// without a question are not yet an absence.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self { mode, unseen_ms: 120_000, claim_ms: 90_000, pass_ms: 300_000, poll: PollPolicy::default() }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// The first that is not possible.
    pub fn validate(&self) -> Result<(), SettingsError> {
        match self.mode {
            Mode::ThemePark { admissions, interval_ms } => {
                within("admissions", admissions.into(), 1, ADMISSIONS_MAX.into())?;
                within("interval_ms", interval_ms, INTERVAL_MS_MIN, INTERVAL_MS_MAX)?;
            }
            Mode::BankWindow { inside_max } => {
                within("inside_max", inside_max.into(), 1, ADMISSIONS_MAX.into())?;
            }
            Mode::Adaptive { floor, ceiling } => {
                within("ceiling", ceiling.into(), 1, ADMISSIONS_MAX.into())?;
                within("floor", floor.into(), 1, ceiling.into())?;
            }
        }
        within("poll.min_ms", self.poll.min_ms, 100, LIFETIME_MS_MAX)?;
        within("poll.max_ms", self.poll.max_ms, self.poll.min_ms, LIFETIME_MS_MAX)?;
        within("unseen_ms", self.unseen_ms, self.poll.longest_ms().saturating_mul(2), LIFETIME_MS_MAX)?;
        within("claim_ms", self.claim_ms, self.poll.longest_ms(), LIFETIME_MS_MAX)?;
        within("pass_ms", self.pass_ms, self.claim_ms, LIFETIME_MS_MAX)
    }
}

fn within(setting: &'static str, value: i64, least: i64, most: i64) -> Result<(), SettingsError> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(SettingsError { setting, value, least, most }) }
}

/// A setting that is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {value}, but must be from {least} to {most}")]
pub struct SettingsError {
    /// Which.
    pub setting: &'static str,
    /// Its value.
    pub value: i64,
    /// The least it may be, given the others.
    pub least: i64,
    /// The most it may be, given the others.
    pub most: i64,
}

/// When a room opens and closes by itself. `None`: by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// From when on visitors may join and take part in the draw.
    pub pre_queue_at: Option<Timestamp>,
    /// When the lots are drawn and visitors let in.
    pub opens_at: Option<Timestamp>,
    /// From when on nobody joins or is let in.
    pub closes_at: Option<Timestamp>,
}

/// Where a room is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
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

/// What of a room must survive a crash. It is written **before** the room acts on it, so whatever
/// a visitor was told is covered by the last record: numbers at or above `numbers` have not been
/// given out, places at or above `cursor` have not been called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRecord {
    /// The settings.
    pub settings: RoomSettings,
    /// Opening and closing times.
    pub schedule: Schedule,
    /// The secret of the draw.
    pub seed: Seed,
    /// What is mixed into it; may be set until the opening.
    pub public_randomness: Vec<u8>,
    /// Where the room is in its life.
    pub phase: Phase,
    /// How many took part in the draw; 0 before it.
    pub cohort: u32,
    /// All numbers given out are below this one.
    pub numbers: u32,
    /// All places called are below this one.
    pub cursor: u32,
    /// Rises with every change of settings, schedule or phase.
    pub revision: u32,
}

impl RoomRecord {
    /// The record of a new room. The seed must be random and secret.
    #[must_use]
    pub fn new(settings: RoomSettings, schedule: Schedule, seed: Seed) -> Self {
        Self {
            settings,
            schedule,
            seed,
            public_randomness: Vec::new(),
            phase: Phase::Scheduled,
            cohort: 0,
            numbers: 0,
            cursor: 0,
            revision: 0,
        }
    }
}

/// The room's guards. Off for negative controls only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guards {
    /// Whether places of those who left are stepped over, and their turns given to others.
    pub no_shows: bool,
    /// Whether admissions that nobody used are lost.
    pub empty_time: bool,
    /// Whether a number that was given up before the opening stays given up.
    pub given_up: bool,
}

impl Default for Guards {
    fn default() -> Self {
        Self { no_shows: true, empty_time: true, given_up: true }
    }
}
