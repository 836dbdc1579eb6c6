//! The terms under which a performance is sold.

use std::sync::Arc;

use crate::{
    hall::SeatMap,
    ids::{PerformanceId, ShowId},
    money::Currency,
    time::Timestamp,
};

/// The most seats one order may name, whatever a sale's own rule says.
pub const SEATS_PER_ORDER_MAX: usize = 100;

/// The rules of one sale. They are settings of the performance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SaleRules {
    /// How long a hold lasts, in milliseconds.
    pub hold_ms: i64,
    /// The most seats one buyer may have at this performance, held and paid together.
    pub seats_per_buyer_max: u32,
    /// Whether the seats of one order must be side by side in one row.
    pub side_by_side: bool,
}

impl SaleRules {
    /// The shortest and the longest hold, in milliseconds: a second and a day.
    pub const HOLD_MS_BOUNDS: (i64, i64) = (1_000, 86_400_000);

    /// Whether every rule is inside its bounds.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        (Self::HOLD_MS_BOUNDS.0..=Self::HOLD_MS_BOUNDS.1).contains(&self.hold_ms)
            && (1..=SEATS_PER_ORDER_MAX).contains(&(self.seats_per_buyer_max as usize))
    }
}

impl Default for SaleRules {
    /// Five minutes, at most five seats, anywhere.
    fn default() -> Self {
        Self { hold_ms: 5 * 60_000, seats_per_buyer_max: 5, side_by_side: false }
    }
}

/// The grade and price of a seat category at a performance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// The class printed on the ticket.
    pub grade: String,
    /// In minor units.
    pub amount: i64,
}

/// Everything about a performance that a decision needs and that only an organiser
/// changes. Kept in memory; [`SaleTerms::revision`] tells when it has become old.
#[derive(Clone, Debug)]
pub struct SaleTerms {
    /// The performance.
    pub performance: PerformanceId,
    /// What is shown.
    pub show: ShowId,
    /// Counts the organiser's changes. A decision made on an older revision than the
    /// database has is thrown away and made again.
    pub revision: i64,
    /// The hall's seats.
    pub seats: Arc<SeatMap>,
    /// By category; none means those seats are not for sale.
    pub prices: Vec<Option<Price>>,
    /// The currency of all prices.
    pub currency: Currency,
    /// When sales open.
    pub on_sale_at: Timestamp,
    /// When it starts and sales close.
    pub starts_at: Timestamp,
    /// The rules.
    pub rules: SaleRules,
    /// Whether it was called off.
    pub cancelled: bool,
}

impl SaleTerms {
    /// The price of the seats of a category, if they are for sale.
    #[must_use]
    pub fn price(&self, category: u16) -> Option<&Price> {
        self.prices.get(usize::from(category))?.as_ref()
    }
}
