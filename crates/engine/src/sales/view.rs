//! A performance in memory: its terms and what everybody may see of its seats.

use std::sync::Arc;

use onsale_domain::{order::SeatStatus, sale::SaleTerms};
use tokio::sync::broadcast;

/// A performance's terms and the status of its seats, kept up to date by the pipeline.
/// May be a moment behind the database; never used to grant anything.
pub struct PerformanceView {}

/// How many seats there are of each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeatCounts {
    /// All seats of the hall.
    pub total: u32,
    /// Free.
    pub available: u32,
    /// In unpaid orders.
    pub held: u32,
    /// Paid for.
    pub sold: u32,
    /// Not for sale: locked, or of a category without a price.
    pub locked: u32,
}

/// All seats at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatSnapshot {
    /// The version.
    pub version: i64,
    /// The counts.
    pub counts: SeatCounts,
    /// One bit per seat ordinal, the lowest bit of the first byte first; 1 means not available.
    pub taken: Vec<u8>,
}

/// The seats that one batch changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatChanges {
    /// The version they led to, one more than before.
    pub version: i64,
    /// (ordinal, new status)
    pub seats: Vec<(u32, SeatStatus)>,
}

impl PerformanceView {
    /// The terms of the sale.
    #[must_use]
    pub fn terms(&self) -> Arc<SaleTerms> {
        unimplemented!()
    }

    /// The version of the seats: rises by one with every batch that changes any.
    #[must_use]
    pub fn version(&self) -> i64 {
        unimplemented!()
    }

    /// A seat's status. `Locked` also for a seat whose category has no price.
    #[must_use]
    pub fn status(&self, _ordinal: u32) -> SeatStatus {
        unimplemented!()
    }

    /// All seats at one version.
    #[must_use]
    pub fn snapshot(&self) -> SeatSnapshot {
        unimplemented!()
    }

    /// The changes after `version`, oldest first, if they are still remembered, together with a
    /// receiver of all later ones; nothing is missed or given twice in between. `None` in the first
    /// place if they are not remembered: then read [`PerformanceView::snapshot`] afterwards and
    /// skip changes up to its version.
    #[must_use]
    pub fn watch(
        &self,
        _version: i64,
    ) -> (Option<Vec<Arc<SeatChanges>>>, broadcast::Receiver<Arc<SeatChanges>>) {
        unimplemented!()
    }
}
