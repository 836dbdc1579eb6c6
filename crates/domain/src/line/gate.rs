//! What lets visitors in: one of the three modes at work.

use super::{AdmissionControl, Guards, Mode, Pace, SaleHealth, Traffic};
use crate::time::Timestamp;

/// The interval of the adaptive mode, in milliseconds.
const ADAPTIVE_INTERVAL_MS: i64 = 1_000;

/// A mode and its state.
#[derive(Clone, Debug)]
pub(super) enum Gate {
    Pace(Pace),
    Adaptive(Pace, AdmissionControl),
    Bank(u32),
}

impl Gate {
    pub(super) fn new(mode: Mode, guards: Guards, now: Timestamp) -> Self {
        let pace = |admissions, interval_ms| {
            let mut pace = Pace::new(admissions, interval_ms, now);
            if !guards.empty_time {
                pace.credit_empty_time();
            }
            pace
        };
        match mode {
            Mode::ThemePark { admissions, interval_ms } => Self::Pace(pace(admissions, interval_ms)),
            Mode::BankWindow { inside_max } => Self::Bank(inside_max),
            Mode::Adaptive { floor, ceiling } => {
                let control = AdmissionControl::new(floor, ceiling);
                Self::Adaptive(pace(control.calls(), ADAPTIVE_INTERVAL_MS), control)
            }
        }
    }

    /// Another mode, or the same one again after a pause.
    pub(super) fn change(&mut self, mode: Mode, guards: Guards, now: Timestamp) {
        match (self, mode) {
            (Self::Pace(pace), Mode::ThemePark { admissions, interval_ms }) => {
                pace.change(admissions, interval_ms, now);
            }
            (Self::Adaptive(pace, control), Mode::Adaptive { floor, ceiling }) => {
                control.change(floor, ceiling);
                pace.change(control.calls(), ADAPTIVE_INTERVAL_MS, now);
            }
            (gate, mode) => *gate = Self::new(mode, guards, now),
        }
    }

    /// The clock has been set.
    pub(super) fn clock_set(&mut self, by_ms: i64) {
        match self {
            Self::Pace(pace) | Self::Adaptive(pace, _) => pace.clock_set(by_ms),
            Self::Bank(_) => {}
        }
    }

    /// How many may be called now. `idle` says that nobody has been waiting since the last time;
    /// `turns`, how many turns there are.
    pub(super) fn available(&mut self, now: Timestamp, idle: bool, turns: u32) -> u32 {
        match self {
            Self::Pace(pace) | Self::Adaptive(pace, _) => pace.available(now, idle),
            Self::Bank(inside_max) => inside_max.saturating_sub(turns),
        }
    }

    /// Whether it is slots that are given out, rather than admissions in the course of time.
    pub(super) fn counts_slots(&self) -> bool {
        matches!(self, Self::Bank(_))
    }

    /// So many were called.
    pub(super) fn spend(&mut self, count: u32) {
        if let Self::Pace(pace) | Self::Adaptive(pace, _) = self {
            pace.spend(count);
        }
    }

    /// So many turns were not taken. The adaptive mode counts on them beforehand instead: what it
    /// owes from a calm time would be too much for a slow one.
    pub(super) fn owe(&mut self, count: u32) {
        if let Self::Pace(pace) = self {
            pace.owe(count);
        }
    }

    /// Admissions a second, if it is them that the mode sets.
    pub(super) fn per_second(&self) -> Option<f64> {
        match self {
            Self::Pace(pace) => Some(pace.per_second()),
            Self::Adaptive(_, control) => Some(control.rate().into()),
            Self::Bank(_) => None,
        }
    }

    /// The sale's health in the last second, and what the room did.
    pub(super) fn observe(&mut self, health: SaleHealth, traffic: Traffic) {
        if let Self::Adaptive(pace, control) = self {
            control.observe(health, traffic);
            pace.adapt(control.calls());
        }
    }
}
