//! Items: what is sold by the unit, and under which terms.

use crate::{ids::ItemId, money::Currency, time::Timestamp};

/// The most units one order may ask for, and one buyer may have, whatever an item's own rule says.
pub const UNITS_PER_BUYER_MAX: u32 = 1_000;

/// The most units an item's stock may have.
pub const UNITS_MAX: i64 = 1_000_000_000;

/// When an item is on sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// From a moment on: first come, first served.
    TimeDeal {
        /// When sales open.
        start_at: Timestamp,
    },
    /// Any time.
    General,
}

impl ItemKind {
    /// The kind's name in requests, answers and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TimeDeal { .. } => "TIME_DEAL",
            Self::General => "GENERAL",
        }
    }

    /// The same, opening on a whole second: buyers are told the second, and it must not open before. It is
    /// the next one, never the one before.
    #[must_use]
    pub const fn on_the_second(self) -> Self {
        match self {
            Self::TimeDeal { start_at: Timestamp(ms) } => {
                let late = ms.rem_euclid(1_000);
                let wait = if late == 0 { 0 } else { 1_000 - late };
                Self::TimeDeal { start_at: Timestamp(ms.saturating_add(wait)) }
            }
            Self::General => Self::General,
        }
    }

    /// When sales open, if they have not always been open.
    #[must_use]
    pub const fn start_at(self) -> Option<Timestamp> {
        match self {
            Self::TimeDeal { start_at } => Some(start_at),
            Self::General => None,
        }
    }
}

/// The rules of an item's sale. They are settings of the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ItemRules {
    /// How long an unpaid order keeps its units, in milliseconds.
    pub hold_ms: i64,
    /// The most units one buyer may have, held and paid together.
    pub units_per_buyer_max: u32,
}

impl ItemRules {
    /// The shortest and the longest hold, in milliseconds: a second and a day.
    pub const HOLD_MS_BOUNDS: (i64, i64) = (1_000, 86_400_000);

    /// Whether every rule is inside its bounds.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        (Self::HOLD_MS_BOUNDS.0..=Self::HOLD_MS_BOUNDS.1).contains(&self.hold_ms)
            && (1..=UNITS_PER_BUYER_MAX).contains(&self.units_per_buyer_max)
    }
}

impl Default for ItemRules {
    /// Two minutes, at most ten units.
    fn default() -> Self {
        Self { hold_ms: 2 * 60_000, units_per_buyer_max: 10 }
    }
}

/// An item as an organiser writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemDetails {
    /// Its name.
    pub name: String,
    /// A text about it.
    pub content: String,
    /// The price of one unit, in minor units.
    pub price: i64,
    /// When it is on sale.
    pub kind: ItemKind,
    /// The IANA time zone in which local times are told.
    pub time_zone: String,
    /// Where its picture is.
    pub image_url: Option<String>,
    /// The rules of its sale.
    pub rules: ItemRules,
}

/// An item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its id.
    pub id: ItemId,
    /// Everything that an organiser writes.
    pub details: ItemDetails,
}

/// Everything about an item that a decision needs and that only an organiser changes. Kept in
/// memory; [`ItemTerms::revision`] tells when it has become old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemTerms {
    /// The item.
    pub item: ItemId,
    /// Counts the organiser's changes. A decision made on an older revision than the database has
    /// is thrown away and made again.
    pub revision: i64,
    /// The price of one unit, in minor units.
    pub price: i64,
    /// Its currency.
    pub currency: Currency,
    /// When it is on sale.
    pub kind: ItemKind,
    /// The rules.
    pub rules: ItemRules,
}

impl ItemTerms {
    /// When sales open, if they have not yet.
    #[must_use]
    pub fn opens_after(&self, now: Timestamp) -> Option<Timestamp> {
        self.kind.start_at().filter(|start_at| now < *start_at)
    }
}

/// An item's stock. What orders have, held or paid, is `total` less `left`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// All units, sold ones included.
    pub total: i64,
    /// Those that nobody has; never below zero.
    pub left: i64,
}

impl Stock {
    /// How many units are in orders, held or paid.
    #[must_use]
    pub const fn taken(self) -> i64 {
        self.total - self.left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_deal_never_opens_before_the_second_that_is_told() {
        for (asked, opens) in
            [(43_900, 44_000), (43_001, 44_000), (44_000, 44_000), (-1, 0), (-1_000, -1_000)]
        {
            let kind = ItemKind::TimeDeal { start_at: Timestamp(asked) };
            assert_eq!(kind.on_the_second().start_at(), Some(Timestamp(opens)), "{asked}");
        }
    }
}
