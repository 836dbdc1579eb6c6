//! One run: the crowd, the room and the clock.

use std::collections::VecDeque;

use onsale_domain::{
    ids::RoomId,
    line::{
        Draw, Guards, Mode, Phase, Place, Refusal, Room, RoomChange, RoomRecord, RoomSettings, Schedule,
        Standing, Ticket, WaitRange, poll_after_ms,
    },
    time::Timestamp,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    Oracle, Report, Second, TICK_MS,
    crowd::{NEVER, PRE_QUEUE, Plan, Stay, arrived_before},
    intervals::Intervals,
    oracle::{State, Told, Visitor},
    pipeline::Pipeline,
    wheel::Wheel,
};

/// (from, to) in ticks since the opening: when the room is paused.
const PAUSES: [(u32, u32); 2] = [(3_000, 3_600), (9_003, 9_303)];

/// When the sale behind the room is slow, in ticks since the opening, and how slow.
const SLOW: (u32, u32) = (6_000, 7_800);
const SLOW_SHARE: f64 = 0.25;

/// A run ends this long after the opening, in ticks, whoever is left: six hours.
const TICKS_MAX: u32 = 6 * 36_000;

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// How visitors are let in.
    pub mode: Mode,
    /// How many come.
    pub visitors: u32,
    /// The run's seed.
    pub seed: u64,
    /// Off for negative controls only.
    pub guards: Guards,
    /// When to stop, in open milliseconds; `None` when all are in.
    pub stop_after_ms: Option<i64>,
}

struct Run<'a> {
    setup: Setup,
    room: Room,
    oracle: Oracle,
    wheel: Wheel,
    random: StdRng,
    tick: u32,
    opened: u32,
    open_ms: i64,
    draw: Draw,
    /// (deadline, place) of the calls, in that order.
    calls: VecDeque<(u32, Place)>,
    intervals: Intervals,
    pipeline: Pipeline,
    entered_this_second: u32,
    report: Report,
    progress: &'a dyn Fn(u32),
}

/// Simulates a run. `progress` is told how many visitors are done with.
#[must_use]
pub fn run(setup: Setup, progress: &dyn Fn(u32)) -> Report {
    let settings = RoomSettings::new(setup.mode);
    let mut random = StdRng::seed_from_u64(setup.seed);
    let schedule = Schedule {
        pre_queue_at: Some(Timestamp(0)),
        opens_at: Some(Timestamp(i64::from(PRE_QUEUE) * TICK_MS)),
        closes_at: None,
    };
    let record = RoomRecord::new(settings, schedule, random.random());
    let mut run = Run {
        setup,
        room: Room::new(RoomId(1), record, setup.guards, Timestamp(0)),
        oracle: Oracle::new(settings),
        wheel: Wheel::new(),
        random,
        tick: 0,
        opened: PRE_QUEUE,
        open_ms: 0,
        draw: Draw::new(&[0; 32], b"", 0),
        calls: VecDeque::new(),
        intervals: Intervals::new(setup.mode),
        pipeline: Pipeline::default(),
        entered_this_second: 0,
        report: empty_report(setup),
        progress,
    };
    while !run.is_over() {
        run.one_tick();
        run.tick += 1;
    }
    run.finish()
}

impl Run<'_> {
    fn is_over(&self) -> bool {
        let all_in = self.tick > 0
            && self.oracle.visitors.len() == self.setup.visitors as usize
            && self.wheel.is_empty();
        let stopped = self.setup.stop_after_ms.is_some_and(|stop_ms| self.open_ms >= stop_ms);
        all_in || stopped || self.tick > PRE_QUEUE + TICKS_MAX
    }

    fn now(&self) -> Timestamp {
        Timestamp(i64::from(self.tick) * TICK_MS)
    }

    fn is_open(&self) -> bool {
        self.room.record().phase == Phase::Open
    }

    fn one_tick(&mut self) {
        self.lapse_and_end();
        self.write_records();
        self.pause_or_go_on();
        self.advance();
        for visitor in self.wheel.take(self.tick) {
            self.act(visitor);
        }
        let arrived = arrived_before(self.tick + 1, self.setup.visitors);
        while self.oracle.visitors.len() < arrived as usize {
            self.join();
        }
        if self.is_open() {
            self.open_ms += TICK_MS;
        }
        if self.tick.is_multiple_of(10) && self.tick > self.opened {
            self.observe();
        }
        if self.tick.is_multiple_of(100) {
            self.report.bytes_max = self.report.bytes_max.max(self.room.bytes());
            (self.progress)(self.room.document().cursor);
        }
    }

    /// The oracle's own deadlines.
    fn lapse_and_end(&mut self) {
        self.oracle.end_passes(self.tick);
        while let Some((until, place)) = self.calls.front().copied()
            && until <= self.tick
        {
            self.calls.pop_front();
            let visitor = self.draw.ticket(place).0;
            if self.oracle.visitors[visitor as usize].state == State::Called {
                self.oracle.lapsed(visitor);
            }
        }
    }

    fn write_records(&mut self) {
        let now = self.now();
        while let Some(record) = self.room.due_record(now) {
            let opens = self.room.record().phase == Phase::PreQueue && record.phase == Phase::Open;
            if opens {
                self.draw = Draw::new(&record.seed, &record.public_randomness, record.cohort);
                self.opened = self.tick;
                self.intervals.begin(self.tick);
            }
            self.room.recorded(record, now);
        }
    }

    fn pause_or_go_on(&mut self) {
        let Some(since) = self.tick.checked_sub(self.opened) else { return };
        let change = match PAUSES.iter().find(|(from, to)| since == *from || since == *to) {
            Some((from, _)) if since == *from => {
                self.intervals.stop();
                RoomChange::Pause
            }
            Some(_) => {
                self.intervals.begin(self.tick);
                RoomChange::Open
            }
            None => return,
        };
        let record = self.room.changed(change, self.now()).expect("pauses and openings alternate");
        self.room.recorded(record, self.now());
    }

    fn advance(&mut self) {
        let now = self.now();
        loop {
            let tick = self.room.advance(now);
            let cursor = self.room.document().cursor;
            self.intervals.lapsed(tick.lapsed);
            self.note_calls(&tick.called, cursor);
            if self.room.due_record(now).is_none() {
                break;
            }
            self.write_records();
        }
        if self.is_open() {
            let document = self.room.document();
            self.intervals.tick(document.cursor < document.tail);
        }
    }

    fn note_calls(&mut self, called: &[Place], cursor: u32) {
        if self.setup.guards.no_shows {
            self.oracle.called(called, cursor, &self.draw, self.tick);
            let claim_ticks = (self.room.record().settings.claim_ms / TICK_MS) as u32;
            self.calls.extend(called.iter().map(|place| (self.tick + claim_ticks, *place)));
        } else {
            for place in called {
                self.oracle.visitors[self.draw.ticket(*place).0 as usize].state = State::Called;
            }
        }
        self.intervals.called(self.tick, called.len() as u32);
    }

    fn join(&mut self) {
        let now = self.now();
        let ticket = loop {
            match self.room.join(now) {
                Err(Refusal::NumbersUsedUp) => self.write_records(),
                joined => break joined.expect("the room takes visitors"),
            }
        };
        if ticket.0 as usize != self.oracle.visitors.len() {
            self.oracle.broken(|| format!("{ticket} is not the next number"));
        }
        let plan = Plan::new(self.tick, &mut self.random);
        self.oracle.visitors.push(Visitor::new(plan, self.tick));
        self.act(ticket.0);
    }

    /// A visitor asks, enters, pays, leaves or comes back.
    fn act(&mut self, id: u32) {
        let visitor = &mut self.oracle.visitors[id as usize];
        match visitor.state {
            State::Over => {}
            State::Inside => self.come_out(id),
            State::Waiting | State::Called if self.tick >= visitor.plan.leaves_at => {
                // Gone without a word.
                let back_at = std::mem::replace(&mut visitor.plan.back_at, NEVER);
                if back_at != NEVER {
                    visitor.plan.leaves_at = NEVER;
                    self.wheel.schedule(self.tick, back_at.saturating_sub(self.tick), id);
                }
            }
            State::Waiting | State::Called => self.ask(id),
        }
    }

    fn ask(&mut self, id: u32) {
        let (ticket, now) = (Ticket(id), self.now());
        let standing = self.room.ask(ticket, now).expect("the number is known");
        let wait_ms = match standing {
            Standing::PreQueue => {
                self.oracle.visitors[id as usize].seen_at = self.tick;
                Some(i64::from(PRE_QUEUE - self.tick) * TICK_MS)
            }
            Standing::Waiting { place, wait, .. } => {
                self.oracle.asked(ticket, place, self.tick);
                if let Some(wait) = wait {
                    self.told(id, wait);
                }
                wait.map(|wait| wait.expected_ms)
            }
            Standing::Called { .. } => return self.enter(id),
            Standing::Inside(_) | Standing::Over => {
                self.oracle.broken(|| format!("{ticket} waits, but the room says {standing:?}"));
                return;
            }
        };
        let poll_ms = poll_after_ms(self.room.record().settings.poll, wait_ms, self.random.random());
        self.wheel.schedule(self.tick, (poll_ms / TICK_MS) as u32, id);
    }

    fn told(&mut self, id: u32, wait: WaitRange) {
        let visitor = &mut self.oracle.visitors[id as usize];
        let half_ms = (wait.high_ms - wait.expected_ms) * 100;
        let told = Told {
            predicted_ms: u32::try_from(wait.expected_ms).unwrap_or(u32::MAX),
            spread: (half_ms as f64 / wait.expected_ms.max(1) as f64).round() as u8,
            at_ms: self.open_ms as u32,
        };
        visitor.first.get_or_insert(told);
        // Reservoir sampling of one.
        visitor.times = visitor.times.saturating_add(1);
        if self.random.random_range(0..visitor.times) == 0 {
            visitor.any = Some(told);
        }
    }

    fn enter(&mut self, id: u32) {
        // Called while joining: the room tells with its next tick, the oracle must know now.
        if self.oracle.visitors[id as usize].state == State::Waiting {
            self.advance_calls();
        }
        let pass = self.room.enter(Ticket(id), self.now()).expect("it was called");
        self.oracle.entered(Ticket(id), (pass.until.0 / TICK_MS) as u32, self.tick);
        self.report.entered += 1;
        self.entered_this_second += 1;
        self.intervals.entered();
        let visitor = &mut self.oracle.visitors[id as usize];
        let open_ms = self.open_ms as u32;
        self.report.first.extend(visitor.first.map(|told| told.turned_out(open_ms)));
        self.report.any.extend(visitor.any.map(|told| told.turned_out(open_ms)));
        let stay = Stay::new(&mut self.random);
        visitor.stay = Some(stay);
        if let Stay::Pays(ticks) | Stay::Leaves(ticks) = stay {
            self.wheel.schedule(self.tick, ticks, id);
        }
    }

    fn advance_calls(&mut self) {
        let tick = self.room.advance(self.now());
        let cursor = self.room.document().cursor;
        self.intervals.lapsed(tick.lapsed);
        self.note_calls(&tick.called, cursor);
    }

    fn come_out(&mut self, id: u32) {
        let done = match self.oracle.visitors[id as usize].stay {
            Some(Stay::Pays(_)) => self.room.use_up(Ticket(id), self.now()),
            _ => self.room.leave(Ticket(id), self.now()),
        };
        if let Err(refusal) = done {
            self.oracle.broken(|| format!("{id} could not come out: {refusal}"));
        }
        self.oracle.over(id);
        if let Mode::BankWindow { .. } = self.setup.mode {
            // The slot has been given on: the oracle must know who was back by then.
            self.advance_calls();
        }
    }

    fn observe(&mut self) {
        let Mode::Adaptive { ceiling, .. } = self.setup.mode else { return };
        let since = self.tick - self.opened;
        let slow = (SLOW.0..SLOW.1).contains(&since);
        let capacity = f64::from(ceiling) / 2.0 * if slow { SLOW_SHARE } else { 1.0 };
        let health = self.pipeline.second(std::mem::take(&mut self.entered_this_second), capacity);
        self.room.observe(health);
        self.report.seconds.push(Second {
            capacity,
            rate: self.room.document().admissions_per_second.unwrap_or_default(),
            latency_ms: health.latency_ms.unwrap_or_default(),
        });
    }

    fn finish(mut self) -> Report {
        self.report.bytes_max = self.report.bytes_max.max(self.room.bytes());
        let waiting = |visitor: &&Visitor| {
            matches!(visitor.state, State::Waiting | State::Called) && self.tick < visitor.plan.leaves_at
        };
        if self.setup.stop_after_ms.is_none() {
            let left = self.oracle.visitors.iter().filter(waiting).count();
            if left > 0 {
                self.oracle.broken(|| format!("{left} visitors who stayed were never let in"));
            }
        }
        Report {
            open_ms: self.open_ms,
            returned_called: self.oracle.returned_called,
            inside_max: self.oracle.inside_max,
            intervals: self.intervals.busy,
            inexact: self.intervals.inexact,
            over_setting: self.intervals.over_setting,
            entries_share: self.intervals.entries_share(),
            own_error_percent: self.room.document().wait_error_percent,
            broken: self.oracle.broken,
            told: self.oracle.told,
            ..self.report
        }
    }
}

fn empty_report(setup: Setup) -> Report {
    Report {
        mode: setup.mode,
        visitors: setup.visitors,
        entered: 0,
        returned_called: 0,
        open_ms: 0,
        intervals: 0,
        inexact: 0,
        over_setting: 0,
        entries_share: f64::NAN,
        inside_max: 0,
        bytes_max: 0,
        first: Vec::new(),
        any: Vec::new(),
        own_error_percent: None,
        seconds: Vec::new(),
        broken: 0,
        told: Vec::new(),
    }
}
