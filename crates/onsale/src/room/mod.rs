//! `onsale room ...`
//!
//! Waiting rooms are run by the server, so what it has to do itself is asked of it through the
//! database, and done within a second. That needs no address and no log-in, like the other commands
//! that work beside a server, and it also works while none is running: then it is done when one
//! starts.

mod arguments;
mod verify;

use std::time::Duration;

use onsale_domain::{
    ids::RoomId,
    line::{Phase, RoomChange, RoomSettings, Schedule},
    offer::Offer,
    time::Timestamp,
};
use onsale_engine::{
    line::{RoomDetails, RoomEdit, WaitingRooms},
    ports::{Admits, StoredRoom},
};

pub(crate) use arguments::Room;
pub(crate) use verify::verify_draw;

use self::arguments::{AddRoom, SetRoom, TimesArguments, mode_text, offers};
use crate::failure::Failure;

/// How long to wait until the server has done what was asked, in steps.
const PATIENCE_STEPS: u32 = 50;
const STEP: Duration = Duration::from_millis(100);

pub(crate) async fn run(rooms: &WaitingRooms, command: &Room) -> Result<(), Failure> {
    let change = |change| RoomEdit { changes: vec![change], ..RoomEdit::default() };
    match command {
        Room::Add(arguments) => add(rooms, arguments).await,
        Room::List => list(rooms).await,
        Room::Show(one) => show(rooms, one.room).await,
        Room::PreQueue(one) => ask(rooms, one.room, change(RoomChange::PreQueue)).await,
        Room::Open(one) => ask(rooms, one.room, change(RoomChange::Open)).await,
        Room::Pause(one) => ask(rooms, one.room, change(RoomChange::Pause)).await,
        Room::Close(one) => ask(rooms, one.room, change(RoomChange::Close)).await,
        Room::Set(arguments) => set(rooms, arguments).await,
        Room::VerifyDraw(arguments) => verify_draw(arguments),
    }
}

async fn add(rooms: &WaitingRooms, arguments: &AddRoom) -> Result<(), Failure> {
    let mut settings = RoomSettings::new(arguments.mode.0);
    apply(&arguments.times, &mut settings);
    let details = RoomDetails {
        name: arguments.name.clone(),
        owner: None,
        admits: if arguments.anybody { Admits::Anybody } else { Admits::Accounts },
        offers: offers(&arguments.performances, &arguments.items).collect(),
        settings,
        schedule: arguments.schedule.apply(Schedule::default()),
    };
    let room = rooms.add(details).await.map_err(Failure::of("cannot add the waiting room"))?;
    println!("added the waiting room {} (`{}`)", room.id, room.name);
    Ok(())
}

async fn list(rooms: &WaitingRooms) -> Result<(), Failure> {
    for room in rooms.list().await.map_err(Failure::of("cannot list the waiting rooms"))? {
        let StoredRoom { id, name, offers, record, .. } = room;
        println!(
            "{id}\t{}\t{}\tperformances {}\titems {}\t{name}",
            phase_text(record.phase),
            mode_text(record.settings.mode),
            performances_text(&offers),
            items_text(&offers)
        );
    }
    Ok(())
}

async fn show(rooms: &WaitingRooms, room: RoomId) -> Result<(), Failure> {
    let StoredRoom { name, admits, offers, record, .. } =
        rooms.stored(room).await.map_err(Failure::of("cannot show the waiting room"))?;
    let RoomSettings { mode, unseen_ms, claim_ms, pass_ms, poll } = record.settings;
    println!("name           {name}");
    println!("phase          {}", phase_text(record.phase));
    println!("mode           {}", mode_text(mode));
    println!("performances   {}", performances_text(&offers));
    println!("items          {}", items_text(&offers));
    println!("admits         {}", if admits == Admits::Anybody { "anybody" } else { "accounts" });
    println!("pre-queue at   {}", time_text(record.schedule.pre_queue_at));
    println!("opens at       {}", time_text(record.schedule.opens_at));
    println!("closes at      {}", time_text(record.schedule.closes_at));
    println!("unseen         {} s", unseen_ms / 1_000);
    println!("claim          {} s", claim_ms / 1_000);
    println!("pass           {} s", pass_ms / 1_000);
    println!("poll           {} to {} ms", poll.min_ms, poll.max_ms);
    println!("drawn          {}", record.cohort);
    println!("revision       {}", record.revision);
    Ok(())
}

async fn set(rooms: &WaitingRooms, arguments: &SetRoom) -> Result<(), Failure> {
    let room = arguments.room.room;
    let stored = rooms.stored(room).await.map_err(Failure::of("cannot change the waiting room"))?;
    let record = stored.record;
    let mut settings = record.settings;
    settings.mode = arguments.mode.map_or(settings.mode, |mode| mode.0);
    apply(&arguments.times, &mut settings);
    let schedule = arguments.schedule.apply(record.schedule);
    let mut changes = Vec::new();
    if settings != record.settings {
        changes.push(RoomChange::Settings(settings));
    }
    if schedule != record.schedule {
        changes.push(RoomChange::Schedule(schedule));
    }
    changes.extend(arguments.public_randomness.clone().map(|bytes| RoomChange::PublicRandomness(bytes.0)));
    let offers = arguments.offers(&stored.offers);
    ask(rooms, room, RoomEdit { name: arguments.name.clone(), offers, changes }).await
}

/// Asks the server to change a room, and waits until it has.
async fn ask(rooms: &WaitingRooms, room: RoomId, edit: RoomEdit) -> Result<(), Failure> {
    let cannot = || Failure::of("cannot change the waiting room");
    let asked = rooms.ask_for(room, edit).await.map_err(cannot())?;
    for request in asked {
        let mut steps = 0;
        let answer = loop {
            if let Some(answer) = rooms.answer(request).await.map_err(cannot())? {
                break answer;
            }
            if steps == PATIENCE_STEPS {
                println!("noted: no server runs the waiting room {room}; it is done when one starts");
                return Ok(());
            }
            steps += 1;
            tokio::time::sleep(STEP).await;
        };
        answer.map_err(Failure::of("cannot change the waiting room"))?;
    }
    println!("changed the waiting room {room}");
    Ok(())
}

fn apply(times: &TimesArguments, settings: &mut RoomSettings) {
    let ms = |seconds: u32| i64::from(seconds) * 1_000;
    settings.pass_ms = times.pass_seconds.map_or(settings.pass_ms, ms);
    settings.unseen_ms = times.unseen_seconds.map_or(settings.unseen_ms, ms);
}

fn performances_text(offers: &[Offer]) -> String {
    let ids = offers.iter().filter_map(|offer| offer.performance());
    ids.map(|id| id.to_string()).collect::<Vec<_>>().join(",")
}

fn items_text(offers: &[Offer]) -> String {
    let ids = offers.iter().filter_map(|offer| offer.item());
    ids.map(|id| id.to_string()).collect::<Vec<_>>().join(",")
}

const fn phase_text(phase: Phase) -> &'static str {
    match phase {
        Phase::Scheduled => "scheduled",
        Phase::PreQueue => "pre-queue",
        Phase::Open => "open",
        Phase::Paused => "paused",
        Phase::Closed => "closed",
    }
}

fn time_text(at: Option<Timestamp>) -> String {
    let written = at.and_then(|at| jiff::Timestamp::from_millisecond(at.0).ok());
    written.map_or_else(|| "by hand".to_owned(), |at| at.to_string())
}
