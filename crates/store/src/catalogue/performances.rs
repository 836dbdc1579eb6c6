//! Performances and their prices.

use std::collections::HashSet;

use onsale_domain::{
    catalogue::{Performance, PerformanceDetails, PriceLevel},
    ids::{HallId, PerformanceId, ShowId},
    sale::SaleRules,
    time::Timestamp,
};
use onsale_engine::ports::StoreError;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    entity::{hall, performance, price_level, show},
    error::{broken, conflict_on, store_error},
};

pub(super) async fn add(
    write: &impl ConnectionTrait,
    details: &PerformanceDetails,
) -> Result<PerformanceId, StoreError> {
    check_references(write, details).await?;
    let values = performance::ActiveModel { revision: Set(1), version: Set(0), ..values(details, false) };
    let inserted = performance::Entity::insert(values).exec(write).await.map_err(store_error)?;
    let id = PerformanceId(inserted.last_insert_id);
    add_prices(write, id, &details.prices).await?;
    Ok(id)
}

/// Changes a performance; what it was before.
pub(super) async fn change(
    write: &impl ConnectionTrait,
    changed: &Performance,
) -> Result<performance::Model, StoreError> {
    let id = changed.id.0;
    let before = performance::Entity::find_by_id(id)
        .one(write)
        .await
        .map_err(store_error)?
        .ok_or(StoreError::Missing("performance"))?;
    check_references(write, &changed.details).await?;
    if before.hall_id != changed.details.hall.0 {
        return Err(StoreError::Rejected(
            "a performance stays in its hall; cancel it and add another one elsewhere".to_owned(),
        ));
    }
    let values = performance::ActiveModel {
        revision: Set(before.revision + 1),
        // Seats may have gone on or off sale, which whoever watches them wants to know.
        version: Set(before.version + 1),
        ..values(&changed.details, changed.cancelled)
    };
    performance::Entity::update_many()
        .set(values)
        .filter(performance::Column::Id.eq(id))
        .exec(write)
        .await
        .map_err(store_error)?;
    replace_prices(write, changed.id, &changed.details.prices).await?;
    Ok(before)
}

pub(super) async fn set_prices(
    write: &impl ConnectionTrait,
    id: PerformanceId,
    prices: &[PriceLevel],
) -> Result<(), StoreError> {
    let raised = performance::Entity::update_many()
        .col_expr(performance::Column::Revision, Expr::col(performance::Column::Revision).add(1))
        .col_expr(performance::Column::Version, Expr::col(performance::Column::Version).add(1))
        .filter(performance::Column::Id.eq(id.0))
        .exec(write)
        .await
        .map_err(store_error)?;
    if raised.rows_affected == 0 {
        return Err(StoreError::Missing("performance"));
    }
    replace_prices(write, id, prices).await
}

async fn replace_prices(
    write: &impl ConnectionTrait,
    id: PerformanceId,
    prices: &[PriceLevel],
) -> Result<(), StoreError> {
    price_level::Entity::delete_many()
        .filter(price_level::Column::PerformanceId.eq(id.0))
        .exec(write)
        .await
        .map_err(store_error)?;
    add_prices(write, id, prices).await
}

pub(super) async fn performance(
    read: &impl ConnectionTrait,
    id: PerformanceId,
) -> Result<Option<Performance>, StoreError> {
    let model = performance::Entity::find_by_id(id.0).one(read).await.map_err(store_error)?;
    let Some(model) = model else { return Ok(None) };
    let levels = price_level::Entity::find()
        .filter(price_level::Column::PerformanceId.eq(id.0))
        .all(read)
        .await
        .map_err(store_error)?;
    performance_from_models(&model, levels).map(Some)
}

/// A performance from its row and those of its prices.
pub(crate) fn performance_from_models(
    model: &performance::Model,
    levels: Vec<price_level::Model>,
) -> Result<Performance, StoreError> {
    let price = |level: price_level::Model| {
        let category = u16::try_from(level.category).map_err(broken)?;
        Ok(PriceLevel { category, grade: level.grade, price: level.price })
    };
    Ok(Performance {
        id: PerformanceId(model.id),
        details: PerformanceDetails {
            show: ShowId(model.show_id),
            hall: HallId(model.hall_id),
            starts_at: Timestamp(model.starts_at),
            ends_at: Timestamp(model.ends_at),
            on_sale_at: Timestamp(model.on_sale_at),
            rules: SaleRules {
                hold_ms: model.hold_ms,
                seats_per_buyer_max: u32::try_from(model.seats_per_buyer_max).map_err(broken)?,
                side_by_side: model.side_by_side,
            },
            prices: levels.into_iter().map(price).collect::<Result<_, StoreError>>()?,
        },
        cancelled: model.cancelled,
    })
}

async fn check_references(
    connection: &impl ConnectionTrait,
    details: &PerformanceDetails,
) -> Result<(), StoreError> {
    if show::Entity::find_by_id(details.show.0).one(connection).await.map_err(store_error)?.is_none() {
        return Err(StoreError::Missing("show"));
    }
    if hall::Entity::find_by_id(details.hall.0).one(connection).await.map_err(store_error)?.is_none() {
        return Err(StoreError::Missing("hall"));
    }
    Ok(())
}

async fn add_prices(
    write: &impl ConnectionTrait,
    id: PerformanceId,
    prices: &[PriceLevel],
) -> Result<(), StoreError> {
    // In chunks: a statement has a limit of parameters, and a hall may have 65,535 categories.
    for chunk in prices.chunks(1_000) {
        let levels = chunk.iter().map(|level| price_level::ActiveModel {
            performance_id: Set(id.0),
            category: Set(level.category.into()),
            grade: Set(level.grade.clone()),
            price: Set(level.price),
        });
        price_level::Entity::insert_many(levels)
            .exec_without_returning(write)
            .await
            .map_err(conflict_on("a price of this category"))?;
    }
    Ok(())
}

/// (performance, show) of those of these performances that exist.
pub(crate) async fn shows_of(
    read: &impl ConnectionTrait,
    performances: HashSet<i64>,
) -> Result<Vec<(i64, i64)>, DbErr> {
    use performance::{Column, Entity};
    Entity::find()
        .select_only()
        .columns([Column::Id, Column::ShowId])
        .filter(Column::Id.is_in(performances))
        .into_tuple()
        .all(read)
        .await
}

/// The columns that an organiser writes.
fn values(details: &PerformanceDetails, cancelled: bool) -> performance::ActiveModel {
    performance::ActiveModel {
        id: NotSet,
        show_id: Set(details.show.0),
        hall_id: Set(details.hall.0),
        starts_at: Set(details.starts_at.0),
        ends_at: Set(details.ends_at.0),
        on_sale_at: Set(details.on_sale_at.0),
        hold_ms: Set(details.rules.hold_ms),
        seats_per_buyer_max: Set(details.rules.seats_per_buyer_max.into()),
        side_by_side: Set(details.rules.side_by_side),
        cancelled: Set(cancelled),
        revision: NotSet,
        version: NotSet,
    }
}
