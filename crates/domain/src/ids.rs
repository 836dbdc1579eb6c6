//! Identifiers. Catalogue rows have 64-bit integers, orders and payments UUIDv7.

use std::fmt;

use uuid::Uuid;

use crate::time::Timestamp;

macro_rules! integer_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

integer_id! {
    /// A person with an account.
    UserId;
    /// A film or a concert.
    ShowId;
    /// A place with one or more halls: a cinema, an arena.
    VenueId;
    /// A room with seats.
    HallId;
    /// One seat of one hall.
    SeatId;
    /// A screening or a concert date: a show in a hall at a time.
    PerformanceId;
    /// A waiting room.
    RoomId;
    /// A subscription to events over HTTP.
    WebhookId;
    /// Something sold by the unit.
    ItemId;
}

impl OrderId {
    /// A lower bound: ids begin with the time, so an order made at `time` or later has none below it.
    #[must_use]
    pub fn first_at(time: Timestamp) -> Self {
        Self(Uuid::from_u128((u128::try_from(time.0).unwrap_or(0) & 0xFFFF_FFFF_FFFF) << 80))
    }
}

uuid_id! {
    /// An order; for seats, a reservation.
    OrderId;
    /// A payment of an order.
    PaymentId;
    /// One balanced booking in the ledger.
    TransferId;
    /// A log-in and the refresh tokens that follow from it.
    SessionId;
}
