//! What happens when, in ticks: a timing wheel.

/// How many ticks ahead something can happen: 27 minutes.
const TICKS: usize = 16_384;

/// Visitors by the tick at which they act next.
pub(super) struct Wheel {
    slots: Vec<Vec<u32>>,
    pending: usize,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { slots: vec![Vec::new(); TICKS], pending: 0 }
    }

    /// Lets a visitor act in so many ticks, at least one.
    pub(super) fn schedule(&mut self, now: u32, ticks: u32, visitor: u32) {
        let ticks = ticks.clamp(1, TICKS as u32 - 1);
        self.slots[(now + ticks) as usize % TICKS].push(visitor);
        self.pending += 1;
    }

    /// Who acts now.
    pub(super) fn take(&mut self, now: u32) -> Vec<u32> {
        let due = std::mem::take(&mut self.slots[now as usize % TICKS]);
        self.pending -= due.len();
        due
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending == 0
    }
}
