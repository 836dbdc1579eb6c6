//! A waiting room, as it is asked for and answered.

use std::collections::BTreeSet;

use onsale_domain::{
    ids::{ItemId, PerformanceId, UserId},
    line::{RoomChange, RoomSettings, Schedule},
    offer::Offer,
};
use onsale_engine::{
    line::{RoomDetails, RoomEdit},
    ports::{Admits, StoredRoom},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    json::Editable,
    problem::Problem,
    queue::{ModeBody, PhaseBody, ScheduleBody},
};

/// A waiting room to add.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RoomInput {
    /// What organisers call it.
    #[schema(min_length = 1, max_length = 200, example = "Spring tour")]
    name: String,
    /// The performances behind it: from now on they are sold to those whom it lets in.
    #[serde(default)]
    #[schema(max_items = 1_000, example = json!([1]))]
    performance_ids: Vec<i64>,
    /// The items behind it, likewise.
    #[serde(default)]
    #[schema(max_items = 1_000, example = json!([1]))]
    item_numbers: Vec<i64>,
    /// Whom it lets join; accounts, if left out.
    admits: Option<AdmitsBody>,
    /// How visitors are let in.
    mode: ModeBody,
    /// When it opens and closes by itself; by hand, if left out.
    schedule: Option<ScheduleBody>,
    /// Times other than the usual ones.
    times: Option<TimesInput>,
}

/// Whom a waiting room lets join.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Admits)]
enum AdmitsBody {
    /// Accounts, each with one live place.
    Accounts,
    /// Anybody.
    Anybody,
}

impl From<AdmitsBody> for Admits {
    fn from(admits: AdmitsBody) -> Self {
        match admits {
            AdmitsBody::Accounts => Self::Accounts,
            AdmitsBody::Anybody => Self::Anybody,
        }
    }
}

/// Times of a waiting room, in milliseconds. What is left out stays as it is.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RoomTimesChange)]
struct TimesInput {
    /// A place whose visitor has not asked for so long is stepped over.
    #[schema(example = 120_000)]
    unseen_ms: Option<i64>,
    /// How long somebody who is called may take to ask.
    #[schema(example = 90_000)]
    claim_ms: Option<i64>,
    /// How long an active token is good; not less than a hold.
    #[schema(example = 300_000)]
    pass_ms: Option<i64>,
    /// The shortest time between two questions.
    #[schema(example = 1_000)]
    poll_min_ms: Option<i64>,
    /// The longest.
    #[schema(example = 30_000)]
    poll_max_ms: Option<i64>,
}

impl TimesInput {
    fn apply(self, settings: &mut RoomSettings) {
        let set = |value: &mut i64, given: Option<i64>| *value = given.unwrap_or(*value);
        set(&mut settings.unseen_ms, self.unseen_ms);
        set(&mut settings.claim_ms, self.claim_ms);
        set(&mut settings.pass_ms, self.pass_ms);
        set(&mut settings.poll.min_ms, self.poll_min_ms);
        set(&mut settings.poll.max_ms, self.poll_max_ms);
    }
}

impl RoomInput {
    pub(super) fn details(self, owner: UserId) -> RoomDetails {
        let mut settings = RoomSettings::new(self.mode.into());
        if let Some(times) = self.times {
            times.apply(&mut settings);
        }
        RoomDetails {
            name: self.name,
            owner: Some(owner),
            admits: self.admits.map_or(Admits::Accounts, Admits::from),
            offers: performances(&self.performance_ids).chain(items(&self.item_numbers)).collect(),
            settings,
            schedule: self.schedule.map_or_else(Schedule::default, Schedule::from),
        }
    }
}

/// Changes of a waiting room. What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RoomChangeInput {
    /// Another name.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Whom it lets join: this cannot change.
    admits: Option<AdmitsBody>,
    /// Other performances behind it. None at all opens their sales to everybody.
    #[schema(max_items = 1_000)]
    performance_ids: Option<Vec<i64>>,
    /// Other items behind it, likewise.
    #[schema(max_items = 1_000)]
    item_numbers: Option<Vec<i64>>,
    /// How visitors are let in.
    mode: Option<ModeBody>,
    /// Times other than those now.
    times: Option<TimesInput>,
    /// When it opens and closes by itself.
    schedule: Option<ScheduleBody>,
    /// What is mixed into the draw, in hexadecimal; before the opening only.
    #[schema(max_length = 2_048, example = "0badcafe")]
    public_randomness: Option<String>,
    /// Where to bring it: `preQueue`, `open` (also after a pause), `paused`, or `closed` for good.
    phase: Option<PhaseBody>,
}

impl Editable for RoomChangeInput {
    const ID: &'static str = "id";
    const READ_ONLY: &'static [&'static str] = &["revision"];
}

impl RoomChangeInput {
    /// What is asked for of a room.
    pub(super) fn edit(self, room: &StoredRoom) -> Result<RoomEdit, Problem> {
        if self.admits.is_some_and(|admits| Admits::from(admits) != room.admits) {
            return Err(Problem::field("admits", "cannot be changed; add another room"));
        }
        let is_other = |offers: &Vec<Offer>| {
            let has: BTreeSet<_> = room.offers.iter().collect();
            offers.len() != has.len() || offers.iter().collect::<BTreeSet<_>>() != has
        };
        let offers = self.offers(room).filter(is_other);
        let mut settings = room.record.settings;
        // What is as it was is no change: some changes have their time.
        let mut changes = Vec::new();
        settings.mode = self.mode.map_or(settings.mode, Into::into);
        if let Some(times) = self.times {
            times.apply(&mut settings);
        }
        if settings != room.record.settings {
            changes.push(RoomChange::Settings(settings));
        }
        let schedule = self.schedule.map(Schedule::from);
        changes.extend(schedule.filter(|asked| *asked != room.record.schedule).map(RoomChange::Schedule));
        if let Some(text) = self.public_randomness {
            changes.push(RoomChange::PublicRandomness(unhex(&text)?));
        }
        let phase = self.phase.filter(|asked| *asked != PhaseBody::from(room.record.phase));
        changes.extend(phase.map(to_phase).transpose()?);
        Ok(RoomEdit { name: self.name, offers, changes })
    }

    /// What is to be behind the room, if that changes.
    fn offers(&self, room: &StoredRoom) -> Option<Vec<Offer>> {
        let (given_performances, given_items) =
            (self.performance_ids.as_deref(), self.item_numbers.as_deref());
        given_performances.or(given_items)?;
        let mut offers: Vec<Offer> = match given_performances {
            Some(ids) => performances(ids).collect(),
            None => room.offers.iter().copied().filter(|offer| offer.performance().is_some()).collect(),
        };
        match given_items {
            Some(ids) => offers.extend(items(ids)),
            None => offers.extend(room.offers.iter().filter(|offer| offer.item().is_some())),
        }
        Some(offers)
    }
}

fn performances(ids: &[i64]) -> impl Iterator<Item = Offer> {
    ids.iter().map(|id| PerformanceId(*id).into())
}

fn items(numbers: &[i64]) -> impl Iterator<Item = Offer> {
    numbers.iter().map(|number| ItemId(*number).into())
}

fn to_phase(phase: PhaseBody) -> Result<RoomChange, Problem> {
    match phase {
        PhaseBody::Scheduled => Err(Problem::field("phase", "a room does not become `scheduled` again")),
        PhaseBody::PreQueue => Ok(RoomChange::PreQueue),
        PhaseBody::Open => Ok(RoomChange::Open),
        PhaseBody::Paused => Ok(RoomChange::Pause),
        PhaseBody::Closed => Ok(RoomChange::Close),
    }
}

fn unhex(text: &str) -> Result<Vec<u8>, Problem> {
    hex::decode(text).map_err(|_| Problem::field("publicRandomness", "must be pairs of hexadecimal digits"))
}

/// A waiting room, as organisers see it. `GET /api/v1/queue/rooms/{id}` has the rest.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Room)]
pub(super) struct RoomBody {
    /// The room's id.
    #[schema(minimum = 1, example = 1)]
    pub(super) id: i64,
    /// What organisers call it.
    #[schema(example = "Spring tour")]
    name: String,
    /// Whom it lets join.
    admits: AdmitsBody,
    /// The performances behind it.
    performance_ids: Vec<i64>,
    /// The items behind it.
    item_numbers: Vec<i64>,
    /// Where it is in its life.
    phase: PhaseBody,
    /// Rises with every change of settings, schedule or phase.
    #[schema(example = 3)]
    revision: u32,
    /// How visitors are let in.
    mode: ModeBody,
    /// When it opens and closes by itself.
    schedule: ScheduleBody,
    /// How long things last in it.
    times: TimesBody,
}

/// Times of a waiting room, in milliseconds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RoomTimes)]
struct TimesBody {
    /// A place whose visitor has not asked for so long is stepped over.
    #[schema(example = 120_000)]
    unseen_ms: i64,
    /// How long somebody who is called may take to ask.
    #[schema(example = 90_000)]
    claim_ms: i64,
    /// How long an active token is good.
    #[schema(example = 300_000)]
    pass_ms: i64,
    /// The shortest time between two questions.
    #[schema(example = 1_000)]
    poll_min_ms: i64,
    /// The longest.
    #[schema(example = 30_000)]
    poll_max_ms: i64,
}

impl From<StoredRoom> for RoomBody {
    fn from(room: StoredRoom) -> Self {
        let RoomSettings { mode, unseen_ms, claim_ms, pass_ms, poll } = room.record.settings;
        Self {
            id: room.id.0,
            name: room.name,
            admits: match room.admits {
                Admits::Accounts => AdmitsBody::Accounts,
                Admits::Anybody => AdmitsBody::Anybody,
            },
            performance_ids: room.offers.iter().filter_map(|offer| Some(offer.performance()?.0)).collect(),
            item_numbers: room.offers.iter().filter_map(|offer| Some(offer.item()?.0)).collect(),
            phase: room.record.phase.into(),
            revision: room.record.revision,
            mode: mode.into(),
            schedule: room.record.schedule.into(),
            times: TimesBody {
                unseen_ms,
                claim_ms,
                pass_ms,
                poll_min_ms: poll.min_ms,
                poll_max_ms: poll.max_ms,
            },
        }
    }
}
