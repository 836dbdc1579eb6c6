//! Unpaid holds of an offer, and their holders: so that nobody withholds a sale from others by holding
//! without paying, with however many accounts.
//!
//! # The rules
//!
//! - **A share.** Callers at one address may together hold a share of the offer unpaid at any time, and a
//!   minimum in any case ([`UnpaidRules::units_max`]), so that a family, an office or a campus behind one
//!   address is not in its own way. Accounts that have paid before are not counted: they are known to buy.
//! - **Patience.** What ends unpaid goes on counting against the address for a while, less and less, down to
//!   [`UnpaidRules::units_floor`], which can always be held. So holding again as holds end does not go on.
//!   And an account may let [`UnpaidRules::lapses`] holds end unpaid in that while; then it waits.
//! - **Giving back** costs as much of a lapse as the hold was held of its time, and a tenth at least: who
//!   changes their mind pays next to nothing, who holds and gives back in turn as much as somebody who lets
//!   holds lapse.
//!
//! # Limits
//!
//! Each node counts what passed through it, in memory: after a restart every address begins anew,
//! and several nodes let each their share through. Nobody can be told apart who has an address for each
//! account; IPv6 is counted by networks of 64 bits, and four shares by networks of 48.

mod holder;
mod leak;
mod ledger;

pub use holder::Holder;
pub use ledger::{AskedUnpaid, Holding, Unpaid, Waiting};

/// How much may be held unpaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpaidRules {
    /// The share of an offer's seats or units that callers at one address may hold unpaid, in percent.
    pub percent: u32,
    /// As many units as may be in any case.
    pub units_min: u32,
    /// As many as an address can hold whatever ended unpaid before.
    pub units_floor: u32,
    /// How many holds of one account may end unpaid while they are remembered.
    pub lapses: u32,
    /// How long it takes until what ended unpaid counts no more, in milliseconds.
    pub remembered_ms: i64,
}

impl Default for UnpaidRules {
    /// A tenth and at least twenty, five in any case; three holds that end unpaid in an hour.
    fn default() -> Self {
        Self { percent: 10, units_min: 20, units_floor: 5, lapses: 3, remembered_ms: 3_600_000 }
    }
}

impl UnpaidRules {
    /// The most units of an offer of `total`, if that is known, that an address may hold unpaid. Never less
    /// than one buyer may have, since that is the organiser's rule.
    #[must_use]
    pub fn units_max(&self, total: Option<u32>, buyer_max: u32) -> u32 {
        let share = u64::from(total.unwrap_or(0)) * u64::from(self.percent) / 100;
        u32::try_from(share).unwrap_or(u32::MAX).max(self.units_min).max(buyer_max)
    }
}
