//! The line: a fair waiting room whose memory does not grow with what a visitor costs.
//!
//! A visitor gets a [`Ticket`], the number of their arrival. Their [`Place`] in line is computed
//! from it: those who came before the opening are ordered by a [`Draw`], those who came later
//! stand behind them in the order of arrival. A [`Room`] keeps a few numbers and three bits a
//! place; whoever is let in has a turn, and only turns cost more than bits.

mod admission;
mod arrivals;
mod bits;
mod calling;
mod copy;
mod document;
mod draw;
mod gate;
mod no_shows;
mod pace;
mod poll;
mod recording;
mod renewals;
mod room;
mod settings;
mod slots;
mod turns;
mod waiting_time;

use std::fmt;

pub use admission::{AdmissionControl, SaleHealth, Traffic};
pub use copy::{PlaceState, RoomChanges};
pub use document::{DrawNotice, RoomDocument};
pub use draw::{Draw, DrawError, DrawRecord, Seed, commitment};
pub use pace::Pace;
pub use poll::{PollPolicy, poll_after_ms};
pub use recording::{ChangeError, RoomChange};
pub use renewals::Renewals;
pub use room::{Pass, Refusal, Room, Standing, Tick};
pub use settings::{Guards, Mode, Phase, RoomRecord, RoomSettings, Schedule, SettingsError};
pub use turns::Turn;
pub use waiting_time::{WaitErrors, WaitRange, WaitingTimes};

/// The number of an arrival in a room, from 0. A room has fewer than 2^32 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u32);

/// A place in line, from 0. The lower enters first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u32);

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
