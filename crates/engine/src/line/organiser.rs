//! What organisers do to rooms.

use onsale_domain::{
    ids::{OrderId, RoomId, UserId},
    line::{RoomChange, RoomRecord, RoomSettings, Schedule},
    offer::Offer,
    text::accept_line,
};

use super::{LineError, WaitingRooms};
use crate::ports::{Admits, NewRoom, StoreError, StoredRoom};

/// The most rooms of an installation. Each is looked at once a second.
const ROOMS_MAX: usize = 1_000;

/// The most performances and items behind one room.
const OFFERS_MAX: usize = 1_000;

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 200;

/// A room to add.
#[derive(Clone, Debug)]
pub struct RoomDetails {
    /// What organisers call it.
    pub name: String,
    /// Who makes it; nobody, if it is a tool.
    pub owner: Option<UserId>,
    /// Whom it lets join.
    pub admits: Admits,
    /// What is behind it.
    pub offers: Vec<Offer>,
    /// How it works.
    pub settings: RoomSettings,
    /// When it opens and closes by itself.
    pub schedule: Schedule,
}

/// What to change of a room; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct RoomEdit {
    /// Another name.
    pub name: Option<String>,
    /// What is behind it from now on. None at all opens its sales to everybody.
    pub offers: Option<Vec<Offer>>,
    /// What to do to it, in this order.
    pub changes: Vec<RoomChange>,
}

impl WaitingRooms {
    /// All rooms, the oldest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn list(&self) -> Result<Vec<StoredRoom>, LineError> {
        Ok(self.shared.store.rooms().await?)
    }

    /// A room as it is kept.
    ///
    /// # Errors
    /// [`LineError::NoSuchRoom`], or if the database cannot be read.
    pub async fn stored(&self, room: RoomId) -> Result<StoredRoom, LineError> {
        self.shared.store.room(room).await?.ok_or(LineError::NoSuchRoom(room))
    }

    /// Adds a room. From now on what is behind it is sold to those whom it lets in. Where no rooms
    /// are run, a node takes it up within a second.
    ///
    /// # Errors
    /// If a field is not acceptable, there is no such performance or item, or it has a room already.
    pub async fn add(&self, details: RoomDetails) -> Result<StoredRoom, LineError> {
        let RoomDetails { mut name, owner, admits, offers, settings, schedule } = details;
        accept_name(&mut name)?;
        settings.validate()?;
        check_schedule(&schedule)?;
        self.check_offers(&offers, &settings).await?;
        if self.shared.store.rooms().await?.len() >= ROOMS_MAX {
            return Err(StoreError::Rejected(format!("there are {ROOMS_MAX} waiting rooms already")).into());
        }
        let record = RoomRecord::new(settings, schedule, self.shared.ids.secret());
        let id = self.shared.store.add_room(&NewRoom { name, owner, admits, offers, record }).await?;
        let room = self.stored(id).await?;
        self.run(&room, false).await?;
        self.look().await?;
        Ok(room)
    }

    /// Changes a room that this node runs.
    ///
    /// # Errors
    /// If the room cannot be changed so, or another node runs it. What comes before the refused change
    /// has been done.
    pub async fn edit(&self, room: RoomId, mut edit: RoomEdit) -> Result<StoredRoom, LineError> {
        self.accept_edit(room, &mut edit).await?;
        for change in edit.changes {
            self.serving(room)?.change(room, change).await?;
        }
        self.shared.store.change_room(room, edit.name.as_deref(), edit.offers.as_deref()).await?;
        self.look().await?;
        self.stored(room).await
    }

    /// Changes a room that another process may be running: what it has to do itself is asked of it.
    /// The numbers of these requests; see [`WaitingRooms::answer`].
    ///
    /// # Errors
    /// If the room cannot be changed so.
    pub async fn ask_for(&self, room: RoomId, mut edit: RoomEdit) -> Result<Vec<i64>, LineError> {
        self.accept_edit(room, &mut edit).await?;
        let (store, now) = (&self.shared.store, self.shared.clock.now());
        let mut asked = Vec::with_capacity(edit.changes.len());
        for change in &edit.changes {
            asked.push(store.ask_room_change(room, change, now).await?);
        }
        store.change_room(room, edit.name.as_deref(), edit.offers.as_deref()).await?;
        Ok(asked)
    }

    /// The answer to a request: done, or why not. `None` while there is none.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn answer(&self, request: i64) -> Result<Option<Result<(), String>>, LineError> {
        Ok(self.shared.store.take_room_answer(request).await?)
    }

    /// Checks what can be checked before anything is changed.
    async fn accept_edit(&self, room: RoomId, edit: &mut RoomEdit) -> Result<(), LineError> {
        let stored = self.stored(room).await?;
        if let Some(name) = &mut edit.name {
            accept_name(name)?;
        }
        let mut settings = stored.record.settings;
        for change in &edit.changes {
            match change {
                RoomChange::Settings(changed) => {
                    changed.validate()?;
                    settings = *changed;
                }
                RoomChange::Schedule(schedule) => check_schedule(schedule)?,
                _ => {}
            }
        }
        if edit.offers.is_none() && settings == stored.record.settings {
            // What is behind it may have changed since, and its passes last as long as its holds: that is
            // no reason not to pause it.
            return Ok(());
        }
        self.check_offers(edit.offers.as_ref().unwrap_or(&stored.offers), &settings).await
    }

    async fn check_offers(&self, offers: &[Offer], settings: &RoomSettings) -> Result<(), LineError> {
        if let Some(last) = offers.last().filter(|_| offers.len() > OFFERS_MAX) {
            return Err(invalid(field_of(*last), format!("at most {OFFERS_MAX} behind one room")));
        }
        for (index, offer) in offers.iter().enumerate() {
            if offers[..index].contains(offer) {
                return Err(invalid(field_of(*offer), format!("{offer} is named twice")));
            }
            let hold_ms = self.hold_ms(*offer).await?;
            if hold_ms > settings.pass_ms {
                let reason = format!(
                    "a pass must last as long as a hold, or it ends before its buyer can pay: \
                     {} ms of a pass, {hold_ms} ms of a hold for {offer}",
                    settings.pass_ms
                );
                return Err(invalid("pass_ms", reason));
            }
        }
        Ok(())
    }

    /// How long a hold of an offer lasts.
    async fn hold_ms(&self, offer: Offer) -> Result<i64, LineError> {
        let store = &self.shared.store;
        Ok(match offer {
            Offer::Performance(id) => {
                let performance = store.performance(id).await?.ok_or(StoreError::Missing("performance"))?;
                performance.details.rules.hold_ms
            }
            Offer::Item(id) => {
                // Not as the public reads it: it may have been added a moment ago. Nobody who has
                // ordered matters here.
                let since = OrderId::first_at(self.shared.clock.now());
                let sale = store.item_sale(id, since).await?.ok_or(StoreError::Missing("item"))?;
                sale.terms.rules.hold_ms
            }
        })
    }
}

/// Which field names an offer.
const fn field_of(offer: Offer) -> &'static str {
    match offer {
        Offer::Performance(_) => "performances",
        Offer::Item(_) => "items",
    }
}

/// Brings a name into the form in which it is kept, and checks it.
fn accept_name(name: &mut String) -> Result<(), LineError> {
    accept_line(name, NAME_CHARS_MAX).map_err(|error| invalid("name", error.to_string()))
}

fn check_schedule(schedule: &Schedule) -> Result<(), LineError> {
    let Schedule { pre_queue_at, opens_at, closes_at } = *schedule;
    let times: Vec<_> = [pre_queue_at, opens_at, closes_at].into_iter().flatten().collect();
    if times.is_sorted() {
        return Ok(());
    }
    Err(invalid("schedule", "the pre-queue begins before the opening, and the opening is before the close"))
}

fn invalid(field: &'static str, reason: impl Into<String>) -> LineError {
    LineError::Invalid { field, reason: reason.into() }
}
