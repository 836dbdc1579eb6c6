//! Every revision of every offer's terms: what an audit compares orders with long after the terms have changed.
//!
//! A row is written in the transaction that changes the terms. Orders say on which terms they were made only by
//! their outcome (a deadline, prices, how many seats), and that must be possible on some revision.

use onsale_domain::{catalogue::Performance, item::Item, offer::Offer, time::Timestamp};
use onsale_engine::ports::{OfferRevision, StoreError};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};

use crate::{
    StoreOptions,
    entity::offer_terms,
    error::{broken, store_error},
};

/// More different prices are not kept: then any price is believed.
const PRICES_MAX: usize = 2_000;

/// An offer's terms as far as they are kept.
pub(crate) struct Terms {
    offer: Offer,
    show: i64,
    hold_ms: i64,
    per_buyer_max: u32,
    prices: Option<String>,
    pub(crate) digest: i64,
}

impl Terms {
    pub(crate) fn of_performance(performance: &Performance) -> Self {
        let details = &performance.details;
        let mut levels: Vec<_> = details.prices.iter().collect();
        levels.sort_unstable_by_key(|level| level.category);
        let mut digest = Digest::default();
        digest.add(&[
            details.show.0,
            details.hall.0,
            details.starts_at.0,
            details.ends_at.0,
            details.on_sale_at.0,
            details.rules.hold_ms,
            details.rules.seats_per_buyer_max.into(),
            details.rules.side_by_side.into(),
            performance.cancelled.into(),
        ]);
        for level in &levels {
            digest.add(&[level.category.into(), level.price]);
            digest.add_text(&level.grade);
        }
        Self {
            offer: performance.id.into(),
            show: details.show.0,
            hold_ms: details.rules.hold_ms,
            per_buyer_max: details.rules.seats_per_buyer_max,
            prices: as_json(levels.iter().map(|level| level.price)),
            digest: digest.finish(),
        }
    }

    pub(crate) fn of_item(item: &Item) -> Self {
        let details = &item.details;
        let mut digest = Digest::default();
        let start_at = details.kind.start_at().map_or(i64::MIN, |start_at| start_at.0);
        digest.add(&[
            details.price,
            start_at,
            details.rules.hold_ms,
            details.rules.units_per_buyer_max.into(),
        ]);
        Self {
            offer: item.id.into(),
            show: 0,
            hold_ms: details.rules.hold_ms,
            per_buyer_max: details.rules.units_per_buyer_max,
            prices: as_json([details.price].into_iter()),
            digest: digest.finish(),
        }
    }

    /// Keeps them as a revision.
    pub(crate) async fn keep(
        self,
        write: &impl ConnectionTrait,
        options: &StoreOptions,
        revision: i64,
    ) -> Result<(), StoreError> {
        let row = offer_terms::ActiveModel {
            offer: Set(self.offer.code()),
            revision: Set(revision),
            since: Set(options.clock.now().0),
            show_id: Set(self.show),
            hold_ms: Set(self.hold_ms),
            per_buyer_max: Set(self.per_buyer_max.into()),
            prices: Set(self.prices),
            digest: Set(self.digest),
        };
        offer_terms::Entity::insert(row).exec_without_returning(write).await.map(drop).map_err(store_error)
    }
}

/// Reads a revision from its row.
pub(crate) fn revision_from_model(model: &offer_terms::Model) -> Result<OfferRevision, StoreError> {
    let prices = model.prices.as_deref().map(serde_json::from_str).transpose();
    Ok(OfferRevision {
        revision: model.revision,
        since: Timestamp(model.since),
        hold_ms: model.hold_ms,
        per_buyer_max: model.per_buyer_max,
        prices: prices.map_err(|error| broken(format!("prices: {error}")))?,
        digest: model.digest,
    })
}

fn as_json(prices: impl Iterator<Item = i64>) -> Option<String> {
    let mut prices: Vec<i64> = prices.collect();
    prices.sort_unstable();
    prices.dedup();
    (prices.len() <= PRICES_MAX).then(|| serde_json::to_string(&prices).expect("numbers are plain JSON"))
}

/// FNV-1a of 64 bits: it tells a change made by mistake or by hand, and is the same in every version.
struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    fn add(&mut self, numbers: &[i64]) {
        for number in numbers {
            self.add_bytes(&number.to_le_bytes());
        }
    }

    fn add_text(&mut self, text: &str) {
        self.add(&[i64::try_from(text.len()).unwrap_or(i64::MAX)]);
        self.add_bytes(text.as_bytes());
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    const fn finish(self) -> i64 {
        self.0.cast_signed()
    }
}
