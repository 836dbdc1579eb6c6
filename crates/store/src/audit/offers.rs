//! Offers, and the revisions of their terms that were kept.

use std::collections::HashMap;

use onsale_domain::{
    catalogue::ShowKind,
    ids::{ItemId, PerformanceId, SeatId, ShowId},
    offer::Offer,
    popularity::Subject,
};
use onsale_engine::ports::{OfferFacts, OfferRevision, Page, StoreError, TermsRow};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::page;
use crate::{
    IDS_PER_STATEMENT,
    catalogue::performance_from_models,
    entity::{hall, item, offer_terms, performance, price_level, show, stock},
    error::{broken, store_error},
    items::item_from_model,
    terms_history::{Terms, revision_from_model},
};

/// Performances of one page: each has its prices with it.
const TERMS: u64 = 200;

/// See [`onsale_engine::ports::FrozenStore::offers`].
pub(super) async fn facts(
    read: &impl ConnectionTrait,
    offers: &[Offer],
) -> Result<Vec<OfferFacts>, StoreError> {
    let mut found = Vec::with_capacity(offers.len());
    for chunk in offers.chunks(IDS_PER_STATEMENT) {
        let revisions = revisions(read, chunk).await?;
        performances(read, chunk, &revisions, &mut found).await?;
        items(read, chunk, &revisions, &mut found).await?;
    }
    Ok(found)
}

type Revisions = HashMap<i64, Vec<(i64, OfferRevision)>>;

/// The revisions of each offer, with the show it then was for.
async fn revisions(read: &impl ConnectionTrait, offers: &[Offer]) -> Result<Revisions, StoreError> {
    use offer_terms::Column;
    let models = offer_terms::Entity::find()
        .filter(Column::Offer.is_in(offers.iter().map(|offer| offer.code())))
        .order_by_asc(Column::Offer)
        .order_by_asc(Column::Revision)
        .all(read)
        .await
        .map_err(store_error)?;
    let mut revisions = Revisions::new();
    for model in &models {
        // One that cannot be read leaves a gap, in which nothing is compared.
        if let Ok(revision) = revision_from_model(model) {
            revisions.entry(model.offer).or_default().push((model.show_id, revision));
        }
    }
    Ok(revisions)
}

async fn performances(
    read: &impl ConnectionTrait,
    offers: &[Offer],
    revisions: &Revisions,
    found: &mut Vec<OfferFacts>,
) -> Result<(), StoreError> {
    use performance::Column;
    let ids = offers.iter().filter_map(|offer| offer.performance()).map(|id| id.0);
    let rows: Vec<(i64, i64, i64, i64)> = performance::Entity::find()
        .select_only()
        .columns([Column::Id, Column::ShowId, Column::HallId, Column::Revision])
        .filter(Column::Id.is_in(ids))
        .into_tuple()
        .all(read)
        .await
        .map_err(store_error)?;
    let halls: Vec<(i64, i64, i64)> = hall::Entity::find()
        .select_only()
        .columns([hall::Column::Id, hall::Column::FirstSeatId, hall::Column::SeatCount])
        .filter(hall::Column::Id.is_in(rows.iter().map(|row| row.2)))
        .into_tuple()
        .all(read)
        .await
        .map_err(store_error)?;
    let halls: HashMap<i64, (SeatId, i64)> =
        halls.into_iter().map(|(id, first, count)| (id, (SeatId(first), count))).collect();
    let kinds: Vec<(i64, String)> = show::Entity::find()
        .select_only()
        .columns([show::Column::Id, show::Column::Kind])
        .filter(show::Column::Id.is_in(rows.iter().map(|row| row.1)))
        .into_tuple()
        .all(read)
        .await
        .map_err(store_error)?;
    let kinds: HashMap<i64, String> = kinds.into_iter().collect();
    for (id, show, hall, revision) in rows {
        let its = revisions.get(&id).map_or(&[][..], Vec::as_slice);
        // From the first one on, without a gap, for the same show.
        let always = its.len() as i64 == revision && its.iter().all(|(of, _)| *of == show);
        let kind = kinds.get(&show).and_then(|kind| ShowKind::from_name(kind)).filter(|_| always);
        found.push(OfferFacts {
            offer: PerformanceId(id).into(),
            seats: halls.get(&hall).copied(),
            subject: kind.map(|kind| Subject::show(kind, ShowId(show))),
            revision,
            revisions: its.iter().map(|(_, revision)| revision.clone()).collect(),
        });
    }
    Ok(())
}

async fn items(
    read: &impl ConnectionTrait,
    offers: &[Offer],
    revisions: &Revisions,
    found: &mut Vec<OfferFacts>,
) -> Result<(), StoreError> {
    let ids: Vec<i64> = offers.iter().filter_map(|offer| offer.item()).map(|id| id.0).collect();
    let known: Vec<i64> = item::Entity::find()
        .select_only()
        .column(item::Column::Id)
        .filter(item::Column::Id.is_in(ids.iter().copied()))
        .into_tuple()
        .all(read)
        .await
        .map_err(store_error)?;
    let stocks = item_revisions(read, ids.into_iter()).await?;
    for id in known {
        let offer = Offer::Item(ItemId(id));
        let its = revisions.get(&offer.code()).map_or(&[][..], Vec::as_slice);
        found.push(OfferFacts {
            offer,
            seats: None,
            subject: Some(Subject::item(id)),
            // Without a stock nothing says which revision it is; that is found elsewhere.
            revision: stocks.get(&id).copied().unwrap_or(i64::MAX),
            revisions: its.iter().map(|(_, revision)| revision.clone()).collect(),
        });
    }
    Ok(())
}

/// The revisions of items, which stand in their stocks.
async fn item_revisions(
    read: &impl ConnectionTrait,
    items: impl Iterator<Item = i64>,
) -> Result<HashMap<i64, i64>, StoreError> {
    let rows: Vec<(i64, i64)> = stock::Entity::find()
        .select_only()
        .columns([stock::Column::ItemId, stock::Column::Revision])
        .filter(stock::Column::ItemId.is_in(items))
        .into_tuple()
        .all(read)
        .await
        .map_err(store_error)?;
    Ok(rows.into_iter().collect())
}

/// See [`onsale_engine::ports::FrozenStore::terms`]: first the performances, by their ids, then the items, by minus
/// theirs.
pub(super) async fn terms(
    read: &impl ConnectionTrait,
    after: Option<i64>,
) -> Result<Page<TermsRow, i64>, StoreError> {
    let after = after.unwrap_or(i64::MAX);
    // Items come after all performances, so they are what a key below zero is about.
    let first = if after == i64::MAX { 0 } else { after };
    if first >= 0 {
        let page = terms_of_performances(read, first).await?;
        if page.last.is_some() {
            return Ok(page);
        }
    }
    terms_of_items(read, first.min(0).saturating_neg()).await
}

async fn terms_of_performances(
    read: &impl ConnectionTrait,
    after: i64,
) -> Result<Page<TermsRow, i64>, StoreError> {
    let models = performance::Entity::find()
        .filter(performance::Column::Id.gt(after))
        .order_by_asc(performance::Column::Id)
        .limit(TERMS)
        .all(read)
        .await
        .map_err(store_error)?;
    let ids = || models.iter().map(|model| model.id);
    let levels = price_level::Entity::find().filter(price_level::Column::PerformanceId.is_in(ids()));
    let mut prices: HashMap<i64, Vec<price_level::Model>> = HashMap::new();
    for level in levels.all(read).await.map_err(store_error)? {
        prices.entry(level.performance_id).or_default().push(level);
    }
    let kept = latest(read, ids()).await?;
    let row = |model: &performance::Model| {
        let performance = performance_from_models(model, prices.get(&model.id).cloned().unwrap_or_default())?;
        Ok(TermsRow {
            offer: performance.id.into(),
            revision: model.revision,
            digest: Terms::of_performance(&performance).digest,
            kept: kept.get(&model.id).copied(),
        })
    };
    Ok(page(&models, |model| model.id, |model| format!("performance {}", model.id), row))
}

async fn terms_of_items(read: &impl ConnectionTrait, after: i64) -> Result<Page<TermsRow, i64>, StoreError> {
    let models = item::Entity::find()
        .filter(item::Column::Id.gt(after))
        .order_by_asc(item::Column::Id)
        .limit(TERMS)
        .all(read)
        .await
        .map_err(store_error)?;
    let revisions = item_revisions(read, models.iter().map(|model| model.id)).await?;
    let code = |model: &item::Model| Offer::Item(ItemId(model.id)).code();
    let kept = latest(read, models.iter().map(code)).await?;
    let row = |model: &item::Model| {
        let item = item_from_model(model.clone())?;
        Ok(TermsRow {
            offer: item.id.into(),
            revision: *revisions.get(&model.id).ok_or_else(|| broken("it has no stock"))?,
            digest: Terms::of_item(&item).digest,
            kept: kept.get(&code(model)).copied(),
        })
    };
    Ok(page(&models, code, |model| format!("item {}", model.id), row))
}

/// The latest revision kept of each of these offers, and its digest.
async fn latest(
    read: &impl ConnectionTrait,
    offers: impl Iterator<Item = i64>,
) -> Result<HashMap<i64, (i64, i64)>, StoreError> {
    use offer_terms::Column;
    let rows: Vec<(i64, i64, i64)> = offer_terms::Entity::find()
        .select_only()
        .columns([Column::Offer, Column::Revision, Column::Digest])
        .filter(Column::Offer.is_in(offers))
        .order_by_asc(Column::Offer)
        .order_by_asc(Column::Revision)
        .into_tuple()
        .all(read)
        .await
        .map_err(store_error)?;
    Ok(rows.into_iter().map(|(offer, revision, digest)| (offer, (revision, digest))).collect())
}
