//! What is written down before a room acts on it.

use super::{Draw, Phase, Room, RoomRecord, RoomSettings, Schedule, SettingsError, room::NUMBERS_MAX};
use crate::time::Timestamp;

/// How many numbers, and how many places of the cursor, are recorded at a time: at least so many,
/// and this part of a long line. A crash wastes less than that, and moves nobody back.
const BLOCK_MIN: u32 = 1_024;
const BLOCK_PART: u32 = 16;

/// The most bytes of public randomness.
const PUBLIC_RANDOMNESS_MAX: usize = 1_024;

/// What an organiser does to a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomChange {
    /// Other settings.
    Settings(RoomSettings),
    /// Other times.
    Schedule(Schedule),
    /// What is mixed into the draw; before the opening only.
    PublicRandomness(Vec<u8>),
    /// Begins the pre-queue.
    PreQueue,
    /// Draws lots and opens, or goes on after a pause.
    Open,
    /// Stops calling.
    Pause,
    /// Closes for good.
    Close,
}

/// Why a room cannot be changed so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// A setting is not possible.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The room is not where this can be done.
    #[error("this cannot be done to a room that is {0:?}")]
    Phase(Phase),
    /// Too many bytes.
    #[error("public randomness has at most {PUBLIC_RANDOMNESS_MAX} bytes")]
    PublicRandomness,
}

impl Room {
    /// What must be recorded before the room can go on: the next numbers, the next places, a
    /// phase whose time has come. Write it, then hand it to [`Room::recorded`], and let nothing
    /// else be recorded in between.
    #[must_use]
    pub fn due_record(&self, now: Timestamp) -> Option<RoomRecord> {
        let next = self.prepared(self.record.clone(), now);
        (next != self.record).then_some(next)
    }

    /// What must be recorded for a change; as with [`Room::due_record`].
    ///
    /// # Errors
    /// If the room cannot be changed so.
    pub fn changed(&self, change: RoomChange, now: Timestamp) -> Result<RoomRecord, ChangeError> {
        let mut next = self.record.clone();
        next.revision += 1;
        let phase = match (change, next.phase) {
            (_, Phase::Closed) => return Err(ChangeError::Phase(Phase::Closed)),
            (RoomChange::Settings(settings), phase) => {
                settings.validate()?;
                next.settings = settings;
                phase
            }
            (RoomChange::Schedule(schedule), phase) => {
                next.schedule = schedule;
                phase
            }
            (RoomChange::PublicRandomness(bytes), phase @ (Phase::Scheduled | Phase::PreQueue)) => {
                if bytes.len() > PUBLIC_RANDOMNESS_MAX {
                    return Err(ChangeError::PublicRandomness);
                }
                next.public_randomness = bytes;
                phase
            }
            (RoomChange::PreQueue, Phase::Scheduled) => Phase::PreQueue,
            (RoomChange::Open, Phase::Scheduled | Phase::PreQueue | Phase::Paused) => Phase::Open,
            (RoomChange::Pause, Phase::Open) => Phase::Paused,
            (RoomChange::Close, _) => Phase::Closed,
            (_, phase) => return Err(ChangeError::Phase(phase)),
        };
        self.to_phase(&mut next, phase);
        Ok(self.prepared(next, now))
    }

    /// Adds what is due to a record.
    fn prepared(&self, mut next: RoomRecord, now: Timestamp) -> RoomRecord {
        let since = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let phase = match next.phase {
            Phase::Closed => Phase::Closed,
            _ if since(next.schedule.closes_at) => Phase::Closed,
            Phase::Scheduled | Phase::PreQueue if since(next.schedule.opens_at) => Phase::Open,
            Phase::Scheduled if since(next.schedule.pre_queue_at) => Phase::PreQueue,
            phase => phase,
        };
        if phase != next.phase {
            next.revision += 1;
            self.to_phase(&mut next, phase);
        }
        let block = BLOCK_MIN.max(self.tail / BLOCK_PART);
        let joining = !matches!(phase, Phase::Scheduled | Phase::Closed);
        if joining && next.numbers - self.tail < block / 2 {
            next.numbers = self.tail.saturating_add(block).min(NUMBERS_MAX);
        }
        // Also beyond the tail, so that whoever comes to an empty line goes straight through.
        if phase == Phase::Open && next.cursor - self.cursor < block / 2 {
            next.cursor = self.cursor.saturating_add(block).min(next.numbers);
        }
        next
    }

    /// Leaving the pre-queue fixes who takes part in the draw.
    fn to_phase(&self, next: &mut RoomRecord, phase: Phase) {
        if next.phase <= Phase::PreQueue && phase > Phase::PreQueue {
            next.cohort = self.tail;
        }
        next.phase = phase;
    }

    /// Acts on a record that has been written.
    pub fn recorded(&mut self, record: RoomRecord, now: Timestamp) {
        self.settle(now);
        let before = std::mem::replace(&mut self.record, record);
        let settings = self.record.settings;
        if before.phase <= Phase::PreQueue && !self.before_opening() {
            self.draw = Draw::new(&self.record.seed, &self.record.public_randomness, self.record.cohort);
            self.presence.open(self.record.cohort, self.tail, self.now);
        }
        self.presence.set_unseen_ms(settings.unseen_ms);
        self.slots.set_pass_ms(settings.pass_ms, self.now);
        let goes_on = before.phase != Phase::Open && self.record.phase == Phase::Open;
        let other_mode = before.settings.mode != settings.mode;
        if goes_on || other_mode {
            self.gate.change(settings.mode, self.guards, self.now);
        }
        if other_mode {
            self.waits.forget_speed();
        }
    }

    /// The last record that is on disk.
    #[must_use]
    pub fn record(&self) -> &RoomRecord {
        &self.record
    }
}
