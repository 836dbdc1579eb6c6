//! The arguments of `onsale room`.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, Subcommand};
use onsale_domain::{
    ids::{ItemId, PerformanceId, RoomId},
    line::{Mode, Schedule},
    offer::Offer,
    time::Timestamp,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Room {
    /// Put a waiting room in front of performances and items
    Add(AddRoom),
    /// List the waiting rooms
    List,
    /// Show a waiting room's settings
    Show(OneRoom),
    /// Begin the pre-queue: visitors may join and take part in the draw
    PreQueue(OneRoom),
    /// Draw lots and let visitors in, or go on after a pause
    Open(OneRoom),
    /// Let nobody in for a while
    Pause(OneRoom),
    /// Let nobody join or in any more, for good
    Close(OneRoom),
    /// Change settings, also while people wait
    Set(SetRoom),
    /// Compute a draw again from a room's public document, and refuse one with any bit changed
    VerifyDraw(VerifyDraw),
}

#[derive(Debug, Args)]
pub(crate) struct OneRoom {
    /// The room's number
    #[arg(value_name = "ROOM", value_parser = room_id)]
    pub(crate) room: RoomId,
}

#[derive(Debug, Args)]
pub(crate) struct AddRoom {
    /// What organisers call it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// A performance behind it; may be given several times
    #[arg(long = "performance", value_name = "ID", required_unless_present = "items", value_parser = performance_id)]
    pub(crate) performances: Vec<PerformanceId>,
    /// An item behind it; may be given several times
    #[arg(long = "item", value_name = "NUMBER", value_parser = item_id)]
    pub(crate) items: Vec<ItemId>,
    /// Let people join who have not logged in
    #[arg(long)]
    pub(crate) anybody: bool,
    /// How visitors are let in: `theme-park:100/10s` (so many every interval), `bank:500` (so many
    /// inside), or `adaptive:1-1000` (as many a second as the sale bears, within bounds)
    #[arg(long, value_name = "MODE")]
    pub(crate) mode: ModeArgument,
    #[command(flatten)]
    pub(crate) schedule: ScheduleArguments,
    #[command(flatten)]
    pub(crate) times: TimesArguments,
}

#[derive(Debug, Args)]
pub(crate) struct SetRoom {
    #[command(flatten)]
    pub(crate) room: OneRoom,
    /// Another name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The performances behind it from now on; may be given several times
    #[arg(long = "performance", value_name = "ID", value_parser = performance_id)]
    pub(crate) performances: Vec<PerformanceId>,
    /// No performances behind it any more: their sales are open to everybody
    #[arg(long, conflicts_with = "performances")]
    pub(crate) no_performances: bool,
    /// The items behind it from now on; may be given several times
    #[arg(long = "item", value_name = "NUMBER", value_parser = item_id)]
    pub(crate) items: Vec<ItemId>,
    /// No items behind it any more: their sales are open to everybody
    #[arg(long, conflicts_with = "items")]
    pub(crate) no_items: bool,
    /// How visitors are let in; see `onsale room add --help`
    #[arg(long, value_name = "MODE")]
    pub(crate) mode: Option<ModeArgument>,
    #[command(flatten)]
    pub(crate) schedule: ScheduleArguments,
    #[command(flatten)]
    pub(crate) times: TimesArguments,
    /// What is mixed into the draw, in hexadecimal; before the opening only
    #[arg(long, value_name = "HEX")]
    pub(crate) public_randomness: Option<HexArgument>,
}

impl SetRoom {
    /// What is to be behind the room, if that changes.
    pub(crate) fn offers(&self, now: &[Offer]) -> Option<Vec<Offer>> {
        let set_performances = self.no_performances || !self.performances.is_empty();
        let set_items = self.no_items || !self.items.is_empty();
        let stays = now.iter().copied().filter(|offer| match offer {
            Offer::Performance(_) => !set_performances,
            Offer::Item(_) => !set_items,
        });
        (set_performances || set_items)
            .then(|| stays.chain(offers(&self.performances, &self.items)).collect())
    }
}

/// Performances and items.
pub(crate) fn offers(performances: &[PerformanceId], items: &[ItemId]) -> impl Iterator<Item = Offer> {
    let performances = performances.iter().copied().map(Offer::from);
    performances.chain(items.iter().copied().map(Offer::from))
}

/// When a room opens and closes by itself.
#[derive(Debug, Args)]
pub(crate) struct ScheduleArguments {
    /// When the pre-queue begins by itself, as in 2026-11-21T19:00:00+09:00
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) pre_queue_at: Option<Timestamp>,
    /// When it opens by itself
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) opens_at: Option<Timestamp>,
    /// When it closes by itself
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) closes_at: Option<Timestamp>,
}

impl ScheduleArguments {
    /// A schedule with what is given in the place of what was.
    pub(crate) fn apply(&self, schedule: Schedule) -> Schedule {
        Schedule {
            pre_queue_at: self.pre_queue_at.or(schedule.pre_queue_at),
            opens_at: self.opens_at.or(schedule.opens_at),
            closes_at: self.closes_at.or(schedule.closes_at),
        }
    }
}

/// How long things last in a room.
#[derive(Debug, Args)]
pub(crate) struct TimesArguments {
    /// How long an active token is good, in seconds; not less than a hold
    #[arg(long, value_name = "SECONDS")]
    pub(crate) pass_seconds: Option<u32>,
    /// After how long without a question a place is stepped over, in seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) unseen_seconds: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyDraw {
    /// The room's document as `GET /api/v1/queue/rooms/{id}` gave it after the opening; `-` reads it
    /// from standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The commitment that you saw before the opening, in hexadecimal
    #[arg(long, value_name = "HEX")]
    pub(crate) commitment: Option<HexArgument>,
    /// Tell the place of this number; may be given several times
    #[arg(long = "number", value_name = "NUMBER")]
    pub(crate) numbers: Vec<u32>,
}

/// A mode as it is written on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModeArgument(pub(crate) Mode);

impl FromStr for ModeArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is not a mode such as `theme-park:100/10s`, `bank:500` or `adaptive:1-1000`")
        };
        let number = |text: &str| text.parse().map_err(|_| wrong());
        let (kind, rest) = text.split_once(':').ok_or_else(wrong)?;
        Ok(Self(match kind {
            "theme-park" => {
                let (admissions, interval) = rest.split_once('/').ok_or_else(wrong)?;
                let seconds = number(interval.strip_suffix('s').ok_or_else(wrong)?)?;
                Mode::ThemePark { admissions: number(admissions)?, interval_ms: i64::from(seconds) * 1_000 }
            }
            "bank" => Mode::BankWindow { inside_max: number(rest)? },
            "adaptive" => {
                let (floor, ceiling) = rest.split_once('-').ok_or_else(wrong)?;
                Mode::Adaptive { floor: number(floor)?, ceiling: number(ceiling)? }
            }
            _ => return Err(wrong()),
        }))
    }
}

/// The opposite of [`ModeArgument::from_str`].
pub(crate) fn mode_text(mode: Mode) -> String {
    match mode {
        Mode::ThemePark { admissions, interval_ms } => {
            format!("theme-park:{admissions}/{}s", interval_ms as f64 / 1e3)
        }
        Mode::BankWindow { inside_max } => format!("bank:{inside_max}"),
        Mode::Adaptive { floor, ceiling } => format!("adaptive:{floor}-{ceiling}"),
    }
}

/// Bytes in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HexArgument(pub(crate) Vec<u8>);

impl FromStr for HexArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        hex::decode(text).map(Self).map_err(|_| format!("`{text}` is not pairs of hexadecimal digits"))
    }
}

fn room_id(text: &str) -> Result<RoomId, String> {
    text.parse().map(RoomId).map_err(|_| "a room's number is a whole number".to_owned())
}

fn performance_id(text: &str) -> Result<PerformanceId, String> {
    text.parse().map(PerformanceId).map_err(|_| "a performance's id is a whole number".to_owned())
}

fn item_id(text: &str) -> Result<ItemId, String> {
    text.parse().map(ItemId).map_err(|_| "an item's number is a whole number".to_owned())
}

fn time(text: &str) -> Result<Timestamp, String> {
    let at: jiff::Timestamp =
        text.parse().map_err(|_| "not a time with an offset such as 2026-11-21T19:00:00+09:00".to_owned())?;
    Ok(Timestamp(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_they_are_written() {
        for text in ["theme-park:100/10s", "bank:500", "adaptive:1-1000"] {
            assert_eq!(mode_text(text.parse::<ModeArgument>().unwrap().0), text);
        }
        for wrong in
            ["theme-park:100", "theme-park:100/10", "bank:", "bank:-1", "adaptive:5", "tunnel:7", "bank"]
        {
            assert!(wrong.parse::<ModeArgument>().unwrap_err().contains(wrong), "{wrong}");
        }
    }

    #[test]
    fn hexadecimal_is_pairs_of_digits() {
        assert_eq!("00fFa1".parse(), Ok(HexArgument(vec![0, 255, 161])));
        for wrong in ["0", "0g", "+1", "é1"] {
            assert!(wrong.parse::<HexArgument>().is_err(), "{wrong}");
        }
    }
}
