//! A theme park's intervals, counted from outside.

use onsale_domain::line::Mode;

use super::TICK_MS;

/// After how many intervals entries are compared with the setting: those called in the first ones
/// have not all had the time to come.
const SETTLED: u32 = 12;

/// Counts calls and entries in each interval and compares them with the setting.
pub(super) struct Intervals {
    setting: u32,
    ticks: u32,
    /// When the current interval began.
    began: u32,
    calls: u32,
    lapses: u32,
    makes_up_for: u32,
    /// Whether people have waited at every tick of it.
    waited: bool,
    /// How many busy intervals there were in a row.
    row: u32,
    pub(super) busy: u32,
    pub(super) inexact: u32,
    pub(super) over_setting: u32,
    entries: u32,
    settled: (u64, u64),
}

impl Intervals {
    pub(super) fn new(mode: Mode) -> Self {
        let (setting, interval_ms) = match mode {
            Mode::ThemePark { admissions, interval_ms } => (admissions, interval_ms),
            Mode::BankWindow { .. } | Mode::Adaptive { .. } => (0, TICK_MS),
        };
        Self {
            setting,
            ticks: (interval_ms / TICK_MS) as u32,
            began: u32::MAX,
            calls: 0,
            lapses: 0,
            makes_up_for: 0,
            waited: true,
            row: 0,
            busy: 0,
            inexact: 0,
            over_setting: 0,
            entries: 0,
            settled: (0, 0),
        }
    }

    /// The room opens, or goes on: an interval begins. What was cut off is not counted as busy.
    pub(super) fn begin(&mut self, tick: u32) {
        self.makes_up_for = 0;
        self.began = tick;
        (self.calls, self.entries, self.waited, self.row) = (0, 0, false, 0);
    }

    /// The room is paused.
    pub(super) fn stop(&mut self) {
        self.began = u32::MAX;
    }

    /// So many turns lapsed; they belong to the interval before a tick that begins a new one.
    pub(super) fn lapsed(&mut self, lapses: u32) {
        self.lapses += lapses;
    }

    pub(super) fn entered(&mut self) {
        self.entries += 1;
    }

    /// So many were called at a tick. The first tick of an interval closes the one before.
    pub(super) fn called(&mut self, tick: u32, calls: u32) {
        if self.setting > 0 && tick >= self.began.saturating_add(self.ticks) {
            self.close();
            self.began += self.ticks;
        }
        self.calls += calls;
    }

    /// A tick is over; `waiting` says whether people wait.
    pub(super) fn tick(&mut self, waiting: bool) {
        self.waited &= waiting;
    }

    fn close(&mut self) {
        let expected = self.setting + self.makes_up_for;
        self.over_setting = self.over_setting.max(self.calls.saturating_sub(expected));
        if self.waited {
            self.busy += 1;
            self.row += 1;
            self.inexact += u32::from(self.calls != expected);
            if self.row > SETTLED {
                self.settled.0 += u64::from(self.entries);
                self.settled.1 += u64::from(self.setting);
            }
        } else {
            self.row = 0;
        }
        self.makes_up_for = self.lapses.min(self.setting);
        (self.calls, self.lapses, self.entries, self.waited) = (0, 0, 0, true);
    }

    /// Entries against the setting over the settled intervals.
    pub(super) fn entries_share(&self) -> f64 {
        self.settled.0 as f64 / self.settled.1 as f64
    }
}
