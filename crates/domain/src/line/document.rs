//! What everybody may know of a room: one small document, the same for all.

use super::{DrawRecord, Phase, RoomSettings, Schedule, WaitRange};
use crate::ids::RoomId;

/// A room's public state. With its own place a client computes its position
/// (`place - cursor`, 0 if that is negative) and, between two of `waits`, its wait.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomDocument {
    /// The room.
    pub room: RoomId,
    /// Rises with every change of settings, schedule or phase.
    pub revision: u32,
    /// Where the room is in its life.
    pub phase: Phase,
    /// The settings.
    pub settings: RoomSettings,
    /// Opening and closing times.
    pub schedule: Schedule,
    /// How many numbers have been given out.
    pub tail: u32,
    /// Places below this one have been called or stepped over.
    pub cursor: u32,
    /// How many are inside.
    pub inside: u32,
    /// How many are called and have not entered yet.
    pub called: u32,
    /// Admissions a second as set, or as found by the adaptive mode. `None` for a bank window.
    pub admissions_per_second: Option<f64>,
    /// How fast the line moves, those stepped over included. `None` until it moves.
    pub places_per_second: Option<f64>,
    /// (places ahead, wait): how long it takes from some distances, the nearest first. Empty while
    /// nothing is known.
    pub waits: Vec<(u32, WaitRange)>,
    /// Half the width of the ranges of waits, in percent.
    pub wait_spread_percent: u32,
    /// The median of the measured errors of predicted waits, in percent of the actual wait.
    pub wait_error_percent: Option<u32>,
    /// How many of those called did not come, in percent.
    pub no_show_percent: u32,
    /// The draw.
    pub draw: DrawNotice,
}

/// What is known about the draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DrawNotice {
    /// Before the opening: the commitment only.
    Committed([u8; 32]),
    /// Since the opening: everything needed to compute it again.
    Drawn(DrawRecord),
}
