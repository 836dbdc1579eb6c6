//! The commands, what they are answered, and why they are refused.

use crate::{
    ids::{ItemId, OrderId, PaymentId, PerformanceId, SeatId, TransferId, UserId},
    item::Stock,
    offer::Offer,
    order::{Order, Payment},
    time::Timestamp,
};

/// A caller's own name for a request, so that sending it again does nothing twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// A digest of the key's text. 128 bits of a cryptographic hash: two texts of one
    /// caller never meet.
    pub id: u128,
    /// A digest of what was asked; the same key with another request is refused.
    pub fingerprint: u64,
}

/// A command and who gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub caller: UserId,
    /// The caller's key, if one was given.
    pub key: Option<IdempotencyKey>,
    /// What is asked.
    pub command: Command,
}

/// Everything that can be asked of a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Hold seats.
    Hold(Hold),
    /// Hold units.
    HoldUnits(HoldUnits),
    /// Pay a held order.
    Pay(Pay),
    /// Give an order back.
    Cancel(Cancel),
    /// Release an order whose hold has ended.
    Expire(Expire),
    /// End an unpaid order's hold before its time.
    Release(Release),
    /// Add points to the caller's wallet.
    Charge(Charge),
    /// Take seats off sale or put them back.
    LockSeats(LockSeats),
    /// Change how many units an item has.
    SetStock(SetStock),
}

impl Command {
    /// The offer that it is about; a charge is about none.
    #[must_use]
    pub fn offer(&self) -> Option<Offer> {
        Some(match self {
            Self::Hold(hold) => hold.performance.into(),
            Self::HoldUnits(hold) => hold.item.into(),
            Self::Pay(pay) => pay.offer,
            Self::Cancel(cancel) => cancel.offer,
            Self::Expire(expire) => expire.offer,
            Self::Release(release) => release.offer,
            Self::LockSeats(lock) => lock.performance.into(),
            Self::SetStock(set) => set.item.into(),
            Self::Charge(_) => return None,
        })
    }
}

/// Hold seats of a performance for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The id of the order to make.
    pub order: OrderId,
    /// The performance.
    pub performance: PerformanceId,
    /// The seats.
    pub seats: Vec<SeatId>,
}

/// Hold units of an item for the caller: all of them or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldUnits {
    /// The id of the order to make.
    pub order: OrderId,
    /// The item.
    pub item: ItemId,
    /// How many.
    pub count: u32,
}

/// Pay a held order from the caller's wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pay {
    /// The order.
    pub order: OrderId,
    /// What it is for.
    pub offer: Offer,
    /// The id of the payment to make.
    pub payment: PaymentId,
    /// The id of the ledger transfer to make.
    pub transfer: TransferId,
}

/// Give an order back; refund it if it was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// The order.
    pub order: OrderId,
    /// What it is for.
    pub offer: Offer,
    /// The id of the refund's transfer, should one be made.
    pub transfer: TransferId,
}

/// Release an order if its hold has ended. Changes nothing otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expire {
    /// The order.
    pub order: OrderId,
    /// What it is for.
    pub offer: Offer,
    /// The hold has ended although its deadline is to come: the clock that set it was ahead, and it has
    /// lasted for as long as it was to.
    pub made_ahead: bool,
}

/// End an unpaid order's hold before its time, for the organiser. Changes nothing once it is paid or over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// The order.
    pub order: OrderId,
    /// The performance or item that the order is for.
    pub offer: Offer,
}

/// Add points to the caller's wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// How much, in minor units.
    pub amount: i64,
    /// The id of the transfer to make.
    pub transfer: TransferId,
}

/// Take seats off sale, or put them back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockSeats {
    /// The performance.
    pub performance: PerformanceId,
    /// The seats.
    pub seats: Vec<SeatId>,
    /// `true` to take them off sale.
    pub lock: bool,
}

/// Change how many units an item has in all, those in orders included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetStock {
    /// The item.
    pub item: ItemId,
    /// All units from now on.
    pub total: i64,
}

/// What an accepted command is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The seats or units are held.
    Held {
        /// The order.
        order: Order,
        /// Whether this repeats the answer to an earlier request with the same key.
        replayed: bool,
    },
    /// The order is paid.
    Paid {
        /// The payment.
        payment: Payment,
        /// As above.
        replayed: bool,
    },
    /// The order is cancelled.
    Cancelled {
        /// The order.
        order: Order,
        /// Whether it had been cancelled before.
        again: bool,
    },
    /// Whether the order was released now.
    Expired(bool),
    /// Whether the hold was ended now.
    Released(bool),
    /// Points were added.
    Charged {
        /// The balance after it.
        balance: i64,
        /// As above.
        replayed: bool,
    },
    /// Seats were locked or unlocked.
    SeatsLocked {
        /// How many changed.
        changed: u32,
        /// How many already were as asked.
        unchanged: u32,
        /// Those that buyers have, left as they are.
        taken: Vec<SeatId>,
    },
    /// The stock is as asked.
    StockSet(Stock),
}

/// Why a command is refused. It has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such performance.
    #[error("there is no performance {0}")]
    NoSuchPerformance(PerformanceId),
    /// It was called off.
    #[error("performance {0} has been cancelled")]
    PerformanceCancelled(PerformanceId),
    /// Sales have not opened.
    #[error("sales have not opened yet")]
    NotOnSaleYet {
        /// When they open.
        on_sale_at: Timestamp,
    },
    /// It has started.
    #[error("sales have closed")]
    SaleClosed,
    /// No seat was named.
    #[error("no seat is named")]
    NoSeats,
    /// A seat was named twice.
    #[error("seat {0} is named twice")]
    SeatTwice(SeatId),
    /// The seat is not one of the performance's hall.
    #[error("seat {0} is not a seat of this performance")]
    NoSuchSeat(SeatId),
    /// The seat is not for sale.
    #[error("seat {0} is not for sale")]
    SeatLocked(SeatId),
    /// Another order holds it.
    #[error("seat {0} is held by another order")]
    SeatHeld(SeatId),
    /// It is sold.
    #[error("seat {0} is sold")]
    SeatSold(SeatId),
    /// More seats than the sale's rules allow one buyer.
    #[error(
        "a buyer may have at most {max} seats at this performance; {have} held or paid, {asked} asked for"
    )]
    TooManySeats {
        /// The rule.
        max: u32,
        /// What the buyer already has.
        have: u32,
        /// What was asked for.
        asked: u32,
    },
    /// The sale's rules ask for seats side by side.
    #[error("the seats are not side by side in one row")]
    NotSideBySide,
    /// No such item.
    #[error("there is no item {0}")]
    NoSuchItem(ItemId),
    /// No unit was asked for.
    #[error("at least one unit must be asked for")]
    NoUnits,
    /// More units than the item's rules allow one buyer.
    #[error("a buyer may have at most {max} of this item; {have} held or paid, {asked} asked for")]
    TooManyUnits {
        /// The rule.
        max: u32,
        /// What the buyer already has.
        have: u32,
        /// What was asked for.
        asked: u32,
    },
    /// Fewer units are left than were asked for.
    #[error("{left} left of this item, {asked} asked for")]
    SoldOut {
        /// What is left.
        left: i64,
        /// What was asked for.
        asked: u32,
    },
    /// A stock that is smaller than what orders have, or larger than any may be.
    #[error("the stock must be between {min}, which orders have, and {max}")]
    StockOutOfBounds {
        /// What orders have.
        min: i64,
        /// The most there may be.
        max: i64,
    },
    /// No such order, or not the caller's.
    #[error("there is no such reservation")]
    NoSuchOrder,
    /// The hold has ended.
    #[error("the hold has ended")]
    HoldExpired,
    /// The order was cancelled.
    #[error("the reservation was cancelled")]
    OrderCancelled,
    /// The order is already paid.
    #[error("the reservation is already paid")]
    AlreadyPaid,
    /// The wallet has too little.
    #[error("{amount} needed, {balance} in the wallet")]
    TooFewPoints {
        /// The price.
        amount: i64,
        /// The wallet.
        balance: i64,
    },
    /// The amount is not one that can be charged.
    #[error("the amount must be between 1 and {max}")]
    AmountOutOfBounds {
        /// The most that can be charged now.
        max: i64,
    },
    /// A paid order of a performance that has started.
    #[error("the performance has started; it can no longer be refunded")]
    TooLateToRefund,
    /// The same key with another request.
    #[error("this idempotency key was used with another request")]
    KeyReused,
}

impl Refusal {
    /// A short name of the reason, the same in answers, metrics and documents.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoSuchPerformance(_) => "no-such-performance",
            Self::PerformanceCancelled(_) => "performance-cancelled",
            Self::NotOnSaleYet { .. } => "not-on-sale-yet",
            Self::SaleClosed => "sale-closed",
            Self::NoSeats => "no-seats",
            Self::SeatTwice(_) => "seat-twice",
            Self::NoSuchSeat(_) => "no-such-seat",
            Self::SeatLocked(_) => "seat-locked",
            Self::SeatHeld(_) => "seat-held",
            Self::SeatSold(_) => "seat-sold",
            Self::TooManySeats { .. } => "too-many-seats",
            Self::NotSideBySide => "not-side-by-side",
            Self::NoSuchItem(_) => "no-such-item",
            Self::NoUnits => "no-units",
            Self::TooManyUnits { .. } => "too-many-units",
            Self::SoldOut { .. } => "sold-out",
            Self::StockOutOfBounds { .. } => "stock-out-of-bounds",
            Self::NoSuchOrder => "no-such-reservation",
            Self::HoldExpired => "hold-expired",
            Self::OrderCancelled => "reservation-cancelled",
            Self::AlreadyPaid => "already-paid",
            Self::TooFewPoints { .. } => "too-few-points",
            Self::AmountOutOfBounds { .. } => "amount-out-of-bounds",
            Self::TooLateToRefund => "too-late-to-refund",
            Self::KeyReused => "idempotency-key-reused",
        }
    }
}
