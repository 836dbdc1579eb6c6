//! Visitors who take one number after another before the opening, keep them all, and show the best
//! after the draw.

use onsale_domain::{
    ids::RoomId,
    line::{Guards, Mode, Refusal, Room, RoomChange, RoomRecord, RoomSettings, Schedule, Standing, Ticket},
    time::Timestamp,
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

/// The crowd that comes before the opening.
#[derive(Clone, Copy, Debug)]
pub struct Hoppers {
    /// Visitors with one number each.
    pub honest: u32,
    /// Visitors who give up number after number.
    pub hoppers: u32,
    /// How many numbers each of them takes.
    pub numbers: u32,
    /// The run's seed.
    pub seed: u64,
    /// Off for negative controls only.
    pub guards: Guards,
}

/// How the draw went for both.
#[derive(Clone, Copy, Debug)]
pub struct Lots {
    /// The mean of the best live places of those with one number, as a share of the line: half if all is
    /// fair.
    pub honest: f64,
    /// The same of the others.
    pub hoppers: f64,
    /// The most numbers of one visitor that were live after the draw.
    pub live_max: u32,
}

/// Draws lots for them.
///
/// # Panics
/// If the room refuses what it must not.
#[must_use]
pub fn hop(crowd: Hoppers) -> Lots {
    let mut random = StdRng::seed_from_u64(crowd.seed);
    let settings = RoomSettings::new(Mode::BankWindow { inside_max: 1 });
    let record = RoomRecord::new(settings, Schedule::default(), random.random());
    let now = Timestamp(0);
    let mut room = Room::new(RoomId(1), record, crowd.guards, now);
    change(&mut room, RoomChange::PreQueue, now);
    let mut turns: Vec<u32> = (0..crowd.honest).collect();
    for hopper in 0..crowd.hoppers {
        turns.extend(std::iter::repeat_n(crowd.honest + hopper, crowd.numbers as usize));
    }
    turns.shuffle(&mut random);
    let mut kept: Vec<Vec<Ticket>> = vec![Vec::new(); (crowd.honest + crowd.hoppers) as usize];
    for visitor in turns {
        let kept = &mut kept[visitor as usize];
        if let Some(before) = kept.last() {
            room.leave(*before, now).expect("the number is known");
        }
        kept.push(join(&mut room, now));
    }
    change(&mut room, RoomChange::Open, now);
    room.advance(now);
    let mut lots = Lots { honest: 0.0, hoppers: 0.0, live_max: 0 };
    let line = f64::from(room.tail());
    for (visitor, kept) in (0..).zip(&kept) {
        let live: Vec<u32> = kept.iter().filter_map(|ticket| live_place(&mut room, *ticket, now)).collect();
        lots.live_max = lots.live_max.max(u32::try_from(live.len()).expect("a few"));
        let share = f64::from(*live.iter().min().expect("the last number is live")) / line;
        if visitor < crowd.honest {
            lots.honest += share / f64::from(crowd.honest);
        } else {
            lots.hoppers += share / f64::from(crowd.hoppers);
        }
    }
    lots
}

fn change(room: &mut Room, change: RoomChange, now: Timestamp) {
    let record = room.changed(change, now).expect("the change is possible");
    room.recorded(record, now);
}

fn join(room: &mut Room, now: Timestamp) -> Ticket {
    loop {
        match room.join(now) {
            Err(Refusal::NumbersUsedUp) => {
                let record = room.due_record(now).expect("the next numbers are due");
                room.recorded(record, now);
            }
            joined => return joined.expect("the room takes visitors"),
        }
    }
}

/// The place that a number is good for, if it is good for any.
fn live_place(room: &mut Room, ticket: Ticket, now: Timestamp) -> Option<u32> {
    match room.ask(ticket, now).expect("the number is known") {
        Standing::Waiting { place, .. } | Standing::Called { place, .. } => Some(place.0),
        Standing::Inside(pass) => Some(pass.place.0),
        Standing::PreQueue | Standing::Over => None,
    }
}
