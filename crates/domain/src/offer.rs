//! What somebody can order: the seats of a performance or the units of an item.

use std::fmt;

use crate::ids::{ItemId, PerformanceId};

/// What is on sale. Everything about an order that is not the goods themselves (the hold, the
/// payment, the way back) is the same for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Offer {
    /// The seats of a performance.
    Performance(PerformanceId),
    /// The units of an item.
    Item(ItemId),
}

impl Offer {
    /// The number that stands for this offer in the database: the performance's id, or minus the
    /// item's. Ids begin at 1.
    #[must_use]
    pub const fn code(self) -> i64 {
        match self {
            Self::Performance(performance) => performance.0,
            // Wrapping: a request may name any number, and is refused only later.
            Self::Item(item) => item.0.wrapping_neg(),
        }
    }

    /// The offer that a number stands for.
    #[must_use]
    pub const fn from_code(code: i64) -> Self {
        if code < 0 {
            Self::Item(ItemId(code.wrapping_neg()))
        } else {
            Self::Performance(PerformanceId(code))
        }
    }

    /// The performance, if it is one.
    #[must_use]
    pub const fn performance(self) -> Option<PerformanceId> {
        match self {
            Self::Performance(performance) => Some(performance),
            Self::Item(_) => None,
        }
    }

    /// The item, if it is one.
    #[must_use]
    pub const fn item(self) -> Option<ItemId> {
        match self {
            Self::Performance(_) => None,
            Self::Item(item) => Some(item),
        }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(self) -> OfferKind {
        match self {
            Self::Performance(_) => OfferKind::Performance,
            Self::Item(_) => OfferKind::Item,
        }
    }
}

/// The two kinds of offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OfferKind {
    /// Seats; an order for them is a reservation.
    Performance,
    /// Units.
    Item,
}

impl From<PerformanceId> for Offer {
    fn from(performance: PerformanceId) -> Self {
        Self::Performance(performance)
    }
}

impl From<ItemId> for Offer {
    fn from(item: ItemId) -> Self {
        Self::Item(item)
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Performance(performance) => write!(f, "performance {performance}"),
            Self::Item(item) => write!(f, "item {item}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_for_one_offer() {
        for offer in [Offer::Performance(PerformanceId(7)), Offer::Item(ItemId(7))] {
            assert_eq!(Offer::from_code(offer.code()), offer);
        }
        assert_ne!(Offer::Performance(PerformanceId(7)).code(), Offer::Item(ItemId(7)).code());
    }
}
