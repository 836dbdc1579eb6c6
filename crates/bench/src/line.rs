//! A waiting room's works: joining, asking, and the room's document, in a room of a thousand and in one
//! of ten million, both on one server.

use onsale_api::door::DoorSettings;
use onsale_domain::{
    ids::RoomId,
    line::{Mode, Phase, RoomChange, RoomRecord, RoomSettings, Schedule},
};
use onsale_engine::{
    line::RoomEdit,
    ports::{Admits, NewRoom},
    sales::SaleSettings,
};

use crate::{
    requests::{self, QUEUE_TOKENS},
    server::{self, Server},
    stage::{Failure, Stage},
    work::{Bar, Bench, Contender, Results, Work},
};

const FEW: u32 = 1_000;
const MANY: u32 = 10_000_000;

/// Visitors of each room whose tokens are at hand.
const TOKENS: u32 = 1_000;

/// A question may cost a tenth more in the large room, so the rate is at least 1 / 1.1 of the small one's.
const FLAT: f64 = 1.0 / 1.1;

/// The two rooms, open, and tokens of some who are in them.
struct Rooms {
    stage: Stage,
    few: Room,
    many: Room,
}

struct Room {
    id: RoomId,
    tokens: Vec<String>,
}

impl Bench<'_> {
    /// Rooms that a restart has found with all but the last visitors in them; those join now, and then
    /// lots are drawn for all.
    fn rooms_of(&self, admits: Admits) -> Result<Rooms, Failure> {
        let rooms = [FEW, MANY].map(|places| new_room(places - TOKENS, admits));
        let stage = Stage::open_with(
            &self.database.url,
            SaleSettings::default(),
            self.metrics.clone(),
            DoorSettings::default(),
            &rooms,
        )?;
        let (few, many) = stage.block_on(async {
            let rooms = &stage.engine.rooms;
            let mut filled = Vec::new();
            for room in rooms.list().await? {
                let mut tokens = Vec::new();
                if admits == Admits::Anybody {
                    for _ in 0..TOKENS {
                        tokens.push(rooms.join(room.id, None, None).await?.token);
                    }
                }
                let changes = vec![RoomChange::Open];
                rooms.edit(room.id, RoomEdit { changes, ..RoomEdit::default() }).await?;
                filled.push(Room { id: room.id, tokens });
            }
            let many = filled.pop().ok_or("there is no large room")?;
            Ok::<_, Failure>((filled.pop().ok_or("there is no small room")?, many))
        })?;
        Ok(Rooms { stage, few, many })
    }

    /// Guests, a new one each time; and accounts, which join again and again.
    pub(crate) fn join(&self) -> Result<Results, Failure> {
        let guests = self.rooms_of(Admits::Anybody)?;
        let accounts = self.rooms_of(Admits::Accounts)?;
        let ours = Contender::new("onsale", &guests.stage.server, &requests::joins(guests.few.id, None));
        let many = Contender::new("10M", &guests.stage.server, &requests::joins(guests.many.id, None));
        let logged_in = requests::joins(accounts.many.id, Some(requests::tokens()));
        let account = Contender::new("account", &accounts.stage.server, &logged_in);
        let captured = ours.capture(201)?;
        many.capture(201)?;
        account.capture(201)?;
        let bare_server =
            Server::start(Server::runtime("bare")?, server::bare_join(QUEUE_TOKENS, &captured))?;
        let bare = Contender::new("bare", &bare_server, &ours.requests);
        let contenders = self.rounds(&[&bare, &ours, &many, &account], 201)?;
        let mut bars = bars(0.7);
        bars.push(Bar { of: "account", over: "bare", least: 0.7 });
        Ok(Results { work: Work::Join, contenders, bars })
    }

    pub(crate) fn ask(&self) -> Result<Results, Failure> {
        let Rooms { stage, few, many } = self.rooms_of(Admits::Anybody)?;
        let ours = Contender::new("onsale", &stage.server, &requests::asks(few.tokens));
        let many = Contender::new("10M", &stage.server, &requests::asks(many.tokens));
        self.compare(Work::Ask, &format!("{QUEUE_TOKENS}/me"), &ours, &many, 0.7)
    }

    pub(crate) fn room(&self) -> Result<Results, Failure> {
        let Rooms { stage, few, many } = self.rooms_of(Admits::Anybody)?;
        let path = |room: RoomId| format!("/api/v1/queue/rooms/{room}");
        let ours = Contender::new("onsale", &stage.server, &requests::get(&path(few.id)));
        let many = Contender::new("10M", &stage.server, &requests::get(&path(many.id)));
        self.compare(Work::Room, &path(few.id), &ours, &many, 0.9)
    }

    fn compare(
        &self,
        work: Work,
        path: &str,
        ours: &Contender,
        many: &Contender,
        least: f64,
    ) -> Result<Results, Failure> {
        let captured = ours.capture(200)?;
        many.capture(200)?;
        let bare_server = Server::start(Server::runtime("bare")?, server::bare_get(path, &captured))?;
        let bare = Contender::new("bare", &bare_server, &ours.requests);
        let contenders = self.rounds(&[&bare, ours, many], 200)?;
        Ok(Results { work, contenders, bars: bars(least) })
    }
}

fn bars(least: f64) -> Vec<Bar> {
    vec![Bar { of: "onsale", over: "bare", least }, Bar { of: "10M", over: "onsale", least: FLAT }]
}

/// A room in its pre-queue with so many in it. Hardly anybody is let in, so that those who wait go on
/// waiting.
fn new_room(waiting: u32, admits: Admits) -> NewRoom {
    let settings = RoomSettings::new(Mode::ThemePark { admissions: 1, interval_ms: 3_600_000 });
    let mut record = RoomRecord::new(settings, Schedule::default(), [7; 32]);
    record.phase = Phase::PreQueue;
    record.numbers = waiting;
    NewRoom { name: format!("{waiting} in line"), owner: None, admits, offers: Vec::new(), record }
}
