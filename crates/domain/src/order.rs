//! Orders: what a buyer asked for, from hold to payment or end.

use crate::{
    ids::{ItemId, OrderId, PaymentId, PerformanceId, SeatId, UserId},
    money::Currency,
    offer::Offer,
    time::Timestamp,
};

/// Where an order stands. `Held` goes to one of the others; `Paid` may still be
/// cancelled, with a refund; `Expired` and `Cancelled` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OrderStatus {
    /// Kept for the buyer until the hold ends; not yet paid.
    Held,
    /// Paid.
    Paid,
    /// Not paid in time; the seats or units are free again.
    Expired,
    /// Given back by the buyer; refunded if it had been paid.
    Cancelled,
}

impl OrderStatus {
    /// The status's name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Paid => "paid",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One seat of an order at the price it was held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// The seat.
    pub seat: SeatId,
    /// Its price in minor units.
    pub price: i64,
}

/// What an order is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goods {
    /// Seats of one performance.
    Seats {
        /// The performance.
        performance: PerformanceId,
        /// The seats, in the order they were asked for.
        lines: Vec<Line>,
    },
    /// Units of one item.
    Units {
        /// The item.
        item: ItemId,
        /// How many.
        count: u32,
        /// The price of one, in minor units.
        price: i64,
    },
}

/// An order of one offer. For seats it is called a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Who ordered.
    pub user: UserId,
    /// What for.
    pub goods: Goods,
    /// Where it stands, as written. See [`Order::status_at`].
    pub status: OrderStatus,
    /// What it costs, in minor units.
    pub amount: i64,
    /// The currency of the amounts.
    pub currency: Currency,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the hold ends. At this very moment it has ended.
    pub expires_at: Timestamp,
    /// Counts its changes, from 1.
    pub version: i64,
}

impl Order {
    /// What was on sale when it was made.
    #[must_use]
    pub const fn offer(&self) -> Offer {
        match &self.goods {
            Goods::Seats { performance, .. } => Offer::Performance(*performance),
            Goods::Units { item, .. } => Offer::Item(*item),
        }
    }

    /// The seats, in the order they were asked for; none in an order for units.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        match &self.goods {
            Goods::Seats { lines, .. } => lines,
            Goods::Units { .. } => &[],
        }
    }

    /// How many seats or units it is for.
    #[must_use]
    pub fn count(&self) -> u32 {
        match &self.goods {
            Goods::Seats { lines, .. } => u32::try_from(lines.len()).unwrap_or(u32::MAX),
            Goods::Units { count, .. } => *count,
        }
    }

    /// Where the order stands at a time. A hold past its deadline has expired whether or
    /// not anything has written that down yet.
    #[must_use]
    pub fn status_at(&self, now: Timestamp) -> OrderStatus {
        match self.status {
            OrderStatus::Held if now >= self.expires_at => OrderStatus::Expired,
            status => status,
        }
    }

    /// Whether its seats or units are the buyer's at a time: held in time, or paid.
    #[must_use]
    pub fn is_live_at(&self, now: Timestamp) -> bool {
        matches!(self.status_at(now), OrderStatus::Held | OrderStatus::Paid)
    }
}

/// A payment of an order from the buyer's wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// The order it paid.
    pub order: OrderId,
    /// Who paid.
    pub user: UserId,
    /// How much, in minor units.
    pub amount: i64,
    /// The currency.
    pub currency: Currency,
    /// The buyer's balance right after it.
    pub balance_after: i64,
    /// Whether it has been paid back.
    pub refunded: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What stands in the way of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// An order holds it or has paid for it.
    Order(OrderId),
    /// An organiser has taken it off sale.
    Locked,
}

/// What a buyer may know of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SeatStatus {
    /// Free to take.
    Available,
    /// In somebody's unpaid order; it may become free again.
    Held,
    /// Paid for.
    Sold,
    /// Not for sale.
    Locked,
}

impl SeatStatus {
    /// The status's name in requests and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Held => "held",
            Self::Sold => "sold",
            Self::Locked => "locked",
        }
    }

    /// The status with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Available, Self::Held, Self::Sold, Self::Locked]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}
