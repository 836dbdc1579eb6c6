//! The port under owners: whose things are.

use std::collections::HashSet;

use async_trait::async_trait;
use onsale_domain::{
    ids::{HallId, ItemId, PerformanceId, RoomId, ShowId, UserId, VenueId},
    offer::Offer,
};

use super::error::StoreError;

/// Keeps who owns what.
///
/// Shows, items, venues and rooms are the account's that made them, or nobody's. The rest follows:
/// a performance is its show's owner's, a hall its venue's. A room in front of performances and items
/// is their owner's, if that is one account, else nobody's.
#[async_trait]
pub trait OwnerStore: Send + Sync + 'static {
    /// Whose something is. [`StoreError::Missing`] if there is no such thing.
    async fn owner(&self, thing: Owned) -> Result<Option<UserId>, StoreError>;

    /// The rooms that are an account's.
    async fn own_rooms(&self, owner: UserId) -> Result<HashSet<RoomId>, StoreError>;

    /// Gives a show, an item or a venue to an account. [`StoreError::Missing`] if there is no such
    /// thing, [`StoreError::Rejected`] if its owner follows from something else.
    async fn give(&self, thing: Owned, to: UserId) -> Result<(), StoreError>;
}

/// Something that belongs to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owned {
    /// A show.
    Show(ShowId),
    /// A performance: its show's owner's.
    Performance(PerformanceId),
    /// An item.
    Item(ItemId),
    /// A venue.
    Venue(VenueId),
    /// A hall: its venue's owner's.
    Hall(HallId),
    /// A waiting room.
    Room(RoomId),
}

impl Owned {
    /// What kind of thing it is, in words.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Show(_) => "show",
            Self::Performance(_) => "performance",
            Self::Item(_) => "item",
            Self::Venue(_) => "venue",
            Self::Hall(_) => "hall",
            Self::Room(_) => "waiting room",
        }
    }
}

impl From<Offer> for Owned {
    fn from(offer: Offer) -> Self {
        match offer {
            Offer::Performance(performance) => performance.into(),
            Offer::Item(item) => item.into(),
        }
    }
}

macro_rules! owned {
    ($($id:ident is $name:ident,)*) => {$(
        impl From<$id> for Owned {
            fn from(id: $id) -> Self {
                Self::$name(id)
            }
        }
    )*};
}

owned! {
    ShowId is Show,
    PerformanceId is Performance,
    ItemId is Item,
    VenueId is Venue,
    HallId is Hall,
    RoomId is Room,
}
