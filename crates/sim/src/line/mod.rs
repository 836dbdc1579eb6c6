//! A sale's crowd in front of a waiting room.
//!
//! Visitors come, ask when they are told to, leave, come back, enter, pay; the room is the one of
//! the domain. An oracle that knows every visitor watches what the room does.

mod crowd;
mod hoppers;
mod intervals;
mod oracle;
mod pipeline;
mod report;
mod run;
mod wheel;

pub use hoppers::{Hoppers, Lots, hop};
pub use report::{Prediction, Report, Second, bias, error, told_within, within_range};
pub use run::{Setup, run};

use oracle::Oracle;

/// How long a tick is, in milliseconds.
pub const TICK_MS: i64 = 100;
