//! The terms of a sale, put together from the catalogue.

use onsale_domain::{
    ids::{HallId, PerformanceId},
    money::Currency,
    sale::{Price, SaleTerms},
};
use onsale_engine::ports::StoreError;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use crate::{
    catalogue::{SeatMapCache, performance_from_models},
    entity::{performance, price_level},
    error::{broken, store_error},
};

/// The terms of a performance as of one state of the database.
pub(super) async fn sale_terms(
    read: &impl ConnectionTrait,
    performance: PerformanceId,
    currency: Currency,
    seat_maps: &SeatMapCache,
) -> Result<Option<SaleTerms>, StoreError> {
    let Some(model) = performance::Entity::find_by_id(performance.0).one(read).await.map_err(store_error)?
    else {
        return Ok(None);
    };
    let levels = price_level::Entity::find()
        .filter(price_level::Column::PerformanceId.eq(performance.0))
        .all(read)
        .await
        .map_err(store_error)?;
    let seats = seat_maps
        .load(read, HallId(model.hall_id))
        .await?
        .ok_or_else(|| broken(format!("performance {performance} is in a hall that does not exist")))?;
    let revision = model.revision;
    let performance = performance_from_models(&model, levels)?;
    let mut prices = vec![None; seats.categories().len()];
    for level in performance.details.prices {
        let price = prices.get_mut(usize::from(level.category)).ok_or_else(|| {
            broken(format!("performance {} prices a category that its hall has not", performance.id))
        })?;
        *price = Some(Price { grade: level.grade, amount: level.price });
    }
    Ok(Some(SaleTerms {
        performance: performance.id,
        show: performance.details.show,
        revision,
        seats,
        prices,
        currency,
        on_sale_at: performance.details.on_sale_at,
        starts_at: performance.details.starts_at,
        rules: performance.details.rules,
        cancelled: performance.cancelled,
    }))
}
