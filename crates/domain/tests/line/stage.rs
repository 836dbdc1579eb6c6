//! A room whose records are written at once.

use onsale_domain::{
    ids::RoomId,
    line::{
        Guards, Mode, Pass, Phase, PollPolicy, Refusal, Room, RoomChange, RoomRecord, RoomSettings, Schedule,
        Standing, Tick, Ticket,
    },
    time::Timestamp,
};

pub(crate) const TICK_MS: i64 = 100;

pub(crate) struct Stage {
    pub(crate) room: Room,
    pub(crate) now: Timestamp,
}

/// Short times, so that tests see them pass: unseen after 10 s, 5 s to enter, passes of 60 s.
pub(crate) fn settings(mode: Mode) -> RoomSettings {
    let poll = PollPolicy { min_ms: 500, max_ms: 3_000 };
    RoomSettings { mode, unseen_ms: 10_000, claim_ms: 5_000, pass_ms: 60_000, poll }
}

impl Stage {
    pub(crate) fn scheduled(mode: Mode, guards: Guards) -> Self {
        let record = RoomRecord::new(settings(mode), Schedule::default(), [9; 32]);
        let now = Timestamp(1_000_000);
        Self { room: Room::new(RoomId(1), record, guards, now), now }
    }

    pub(crate) fn open(mode: Mode) -> Self {
        Self::open_with(mode, Guards::default())
    }

    pub(crate) fn open_with(mode: Mode, guards: Guards) -> Self {
        let mut stage = Self::scheduled(mode, guards);
        stage.change(RoomChange::Open);
        stage
    }

    pub(crate) fn change(&mut self, change: RoomChange) {
        let record = self.room.changed(change, self.now).expect("the change is possible");
        self.room.recorded(record, self.now);
    }

    pub(crate) fn write_records(&mut self) {
        while let Some(record) = self.room.due_record(self.now) {
            self.room.recorded(record, self.now);
        }
    }

    pub(crate) fn tick(&mut self) -> Tick {
        self.now = self.now.plus_ms(TICK_MS);
        let mut tick = Tick::default();
        loop {
            self.write_records();
            tick.add(self.room.advance(self.now));
            if self.room.due_record(self.now).is_none() {
                return tick;
            }
        }
    }

    /// The calls of each of so many ticks.
    pub(crate) fn ticks(&mut self, count: i64) -> Vec<usize> {
        (0..count).map(|_| self.tick().called.len()).collect()
    }

    /// As [`Stage::ticks`], while everybody asks and enters often enough.
    pub(crate) fn busy_ticks(&mut self, count: i64, crowd: &[Ticket]) -> Vec<usize> {
        (0..count)
            .map(|tick| {
                if tick % 20 == 0 {
                    self.all_ask(crowd);
                }
                self.tick().called.len()
            })
            .collect()
    }

    pub(crate) fn join(&mut self) -> Ticket {
        loop {
            match self.room.join(self.now) {
                Err(Refusal::NumbersUsedUp) => self.write_records(),
                joined => return joined.expect("the room takes visitors"),
            }
        }
    }

    pub(crate) fn crowd(&mut self, count: u32) -> Vec<Ticket> {
        (0..count).map(|_| self.join()).collect()
    }

    pub(crate) fn ask(&mut self, ticket: Ticket) -> Standing {
        self.room.ask(ticket, self.now).expect("the ticket is known")
    }

    pub(crate) fn enter(&mut self, ticket: Ticket) -> Result<Pass, Refusal> {
        self.room.enter(ticket, self.now)
    }

    /// Everybody asks, and enters if called; returns who entered.
    pub(crate) fn all_ask(&mut self, tickets: &[Ticket]) -> Vec<Ticket> {
        tickets.iter().copied().filter(|ticket| self.called(*ticket) && self.enter(*ticket).is_ok()).collect()
    }

    pub(crate) fn called(&mut self, ticket: Ticket) -> bool {
        matches!(self.ask(ticket), Standing::Called { .. })
    }

    pub(crate) fn phase(&self) -> Phase {
        self.room.record().phase
    }
}
