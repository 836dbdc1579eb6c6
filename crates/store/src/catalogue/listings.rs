//! Lists of shows with their coming performances.

use std::collections::{BTreeSet, HashMap};

use onsale_domain::{
    catalogue::ShowKind,
    ids::{HallId, PerformanceId, ShowId},
    search::{fold, genre_key, query_grams},
    time::Timestamp,
};
use onsale_engine::ports::{
    ConcertPage, MovieQuery, PerformanceListing, PerformanceSummary, ShowListing, StoreError,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select,
    sea_query::{Expr, ExprTrait, LikeExpr, NullOrdering, Query, SelectStatement},
};

use super::{shows::show_from_model, venue_from_model};
use crate::{
    IDS_PER_STATEMENT,
    entity::{hall, performance, price_level, show, show_gram, venue},
    error::{broken, store_error},
};

/// Films that match, the newest release first.
pub(super) async fn movies(
    read: &impl ConnectionTrait,
    wanted: &MovieQuery,
) -> Result<Vec<ShowListing>, StoreError> {
    let models = matching(wanted)
        // Films without a date come last in every dialect.
        .order_by_asc(show::Column::ReleaseDate.is_null())
        .order_by_desc(show::Column::ReleaseDate)
        .order_by_asc(show::Column::Title)
        .order_by_asc(show::Column::Id)
        .offset(u64::from(wanted.page) * u64::from(wanted.size))
        .limit(u64::from(wanted.size))
        .all(read)
        .await
        .map_err(store_error)?;
    with_performances(read, models, wanted.now).await
}

/// How many films match, on all pages.
pub(super) async fn movies_total(
    read: &impl ConnectionTrait,
    wanted: &MovieQuery,
) -> Result<u64, StoreError> {
    matching(wanted).count(read).await.map_err(store_error)
}

fn matching(wanted: &MovieQuery) -> Select<show::Entity> {
    let title = wanted.title.as_deref().map(fold).filter(|title| !title.is_empty());
    let genre = wanted.genre.as_deref().map(genre_key).filter(|genre| !genre.is_empty());
    show::Entity::find()
        .filter(show::Column::Kind.eq(ShowKind::Movie.as_str()))
        .apply_if(genre, |films, genre| films.filter(show::Column::GenreFolded.eq(genre)))
        .apply_if(title, |films, title| {
            films
                .filter(show::Column::Id.in_subquery(with_grams(&query_grams(&title))))
                .filter(Expr::col(show::Column::TitleFolded).like(anywhere(&title)))
        })
        .apply_if(wanted.showing_only.then_some(wanted.now), |films, now| {
            films.filter(Expr::exists(
                Query::select()
                    .expr(Expr::val(1))
                    .from(performance::Entity)
                    .and_where(
                        Expr::col((performance::Entity, performance::Column::ShowId))
                            .equals((show::Entity, show::Column::Id)),
                    )
                    .and_where(performance::Column::EndsAt.gt(now.0))
                    .take(),
            ))
        })
}

/// The shows whose titles have all these grams.
fn with_grams(grams: &[String]) -> SelectStatement {
    Query::select()
        .column(show_gram::Column::ShowId)
        .from(show_gram::Entity)
        .and_where(show_gram::Column::Gram.is_in(grams))
        .group_by_col(show_gram::Column::ShowId)
        .and_having(Expr::col(show_gram::Column::ShowId).count().eq(grams.len() as i64))
        .take()
}

/// A LIKE pattern for a text that may stand anywhere.
pub(crate) fn anywhere(text: &str) -> LikeExpr {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    LikeExpr::new(pattern).escape('!')
}

/// Concerts: the one with the nearest date that has not ended first, those without one last.
pub(super) async fn concerts(
    read: &impl ConnectionTrait,
    now: Timestamp,
    page: u32,
    size: u32,
) -> Result<ConcertPage, StoreError> {
    let concerts = || show::Entity::find().filter(show::Column::Kind.eq(ShowKind::Concert.as_str()));
    let total = concerts().count(read).await.map_err(store_error)?;
    let next_date = Query::select()
        .expr(Expr::col(performance::Column::StartsAt).min())
        .from(performance::Entity)
        .and_where(
            Expr::col((performance::Entity, performance::Column::ShowId))
                .equals((show::Entity, show::Column::Id)),
        )
        .and_where(performance::Column::EndsAt.gt(now.0))
        .take();
    let models = concerts()
        .expr_as(next_date, "next_date")
        .order_by_with_nulls(Expr::col("next_date"), Order::Asc, NullOrdering::Last)
        .order_by_asc(show::Column::Id)
        .offset(u64::from(page) * u64::from(size))
        .limit(u64::from(size))
        .all(read)
        .await
        .map_err(store_error)?;
    Ok(ConcertPage { concerts: with_performances(read, models, now).await?, total })
}

/// A show of one kind with its performances that have not ended.
pub(super) async fn listing(
    read: &impl ConnectionTrait,
    kind: ShowKind,
    id: ShowId,
    now: Timestamp,
) -> Result<Option<ShowListing>, StoreError> {
    let model = show::Entity::find_by_id(id.0)
        .filter(show::Column::Kind.eq(kind.as_str()))
        .one(read)
        .await
        .map_err(store_error)?;
    let Some(model) = model else { return Ok(None) };
    Ok(with_performances(read, vec![model], now).await?.pop())
}

/// A performance with what is shown, and where.
pub(super) async fn performance(
    read: &impl ConnectionTrait,
    id: PerformanceId,
) -> Result<Option<PerformanceListing>, StoreError> {
    let Some(performance) = super::performances::performance(read, id).await? else { return Ok(None) };
    let show = show::Entity::find_by_id(performance.details.show.0).one(read).await.map_err(store_error)?;
    let show = show.ok_or_else(|| broken("a performance's show is missing"))?;
    let hall = super::halls::hall(read, performance.details.hall).await?;
    let hall = hall.ok_or_else(|| broken("a performance's hall is missing"))?;
    let venue = venue::Entity::find_by_id(hall.venue.0).one(read).await.map_err(store_error)?;
    let venue = venue.ok_or_else(|| broken("a hall's venue is missing"))?;
    let (show, venue) = (show_from_model(show)?, venue_from_model(venue));
    Ok(Some(PerformanceListing { performance, show, hall, venue }))
}

/// The shows with their performances that have not ended.
async fn with_performances(
    read: &impl ConnectionTrait,
    shows: Vec<show::Model>,
    now: Timestamp,
) -> Result<Vec<ShowListing>, StoreError> {
    let mut coming = performances(read, &shows.iter().map(|show| show.id).collect::<Vec<_>>(), now).await?;
    shows
        .into_iter()
        .map(|model| {
            let performances = coming.remove(&model.id).unwrap_or_default();
            Ok(ShowListing { show: show_from_model(model)?, performances })
        })
        .collect()
}

async fn performances(
    read: &impl ConnectionTrait,
    shows: &[i64],
    now: Timestamp,
) -> Result<HashMap<i64, Vec<PerformanceSummary>>, StoreError> {
    let mut models = Vec::new();
    for chunk in shows.chunks(IDS_PER_STATEMENT) {
        let coming = performance::Entity::find()
            .filter(performance::Column::ShowId.is_in(chunk.iter().copied()))
            .filter(performance::Column::EndsAt.gt(now.0))
            .order_by_asc(performance::Column::StartsAt)
            .order_by_asc(performance::Column::Id);
        models.extend(coming.all(read).await.map_err(store_error)?);
    }
    let halls = halls(read, models.iter().map(|model| model.hall_id)).await?;
    let venues = venues(read, halls.values().map(|hall| hall.venue_id)).await?;
    let prices = price_ranges(read, &models).await?;
    let mut of_show: HashMap<i64, Vec<PerformanceSummary>> = HashMap::new();
    for model in models {
        let hall = halls.get(&model.hall_id).ok_or_else(|| broken("a performance's hall is missing"))?;
        let venue = venues.get(&hall.venue_id).ok_or_else(|| broken("a hall's venue is missing"))?;
        of_show.entry(model.show_id).or_default().push(PerformanceSummary {
            id: PerformanceId(model.id),
            venue: venue.name.clone(),
            time_zone: venue.time_zone.clone(),
            hall: HallId(hall.id),
            hall_name: hall.name.clone(),
            seats: u32::try_from(hall.seat_count).map_err(broken)?,
            starts_at: Timestamp(model.starts_at),
            ends_at: Timestamp(model.ends_at),
            on_sale_at: Timestamp(model.on_sale_at),
            price_range: prices.get(&model.id).copied(),
            cancelled: model.cancelled,
        });
    }
    Ok(of_show)
}

/// The lowest and the highest price of each of these performances.
async fn price_ranges(
    read: &impl ConnectionTrait,
    performances: &[performance::Model],
) -> Result<HashMap<i64, (i64, i64)>, StoreError> {
    let mut ranges = HashMap::with_capacity(performances.len());
    for chunk in performances.chunks(IDS_PER_STATEMENT) {
        let rows: Vec<(i64, i64, i64)> = price_level::Entity::find()
            .select_only()
            .column(price_level::Column::PerformanceId)
            .column_as(price_level::Column::Price.min(), "lowest")
            .column_as(price_level::Column::Price.max(), "highest")
            .filter(price_level::Column::PerformanceId.is_in(chunk.iter().map(|model| model.id)))
            .group_by(price_level::Column::PerformanceId)
            .into_tuple()
            .all(read)
            .await
            .map_err(store_error)?;
        ranges
            .extend(rows.into_iter().map(|(performance, lowest, highest)| (performance, (lowest, highest))));
    }
    Ok(ranges)
}

async fn halls(
    read: &impl ConnectionTrait,
    ids: impl Iterator<Item = i64>,
) -> Result<HashMap<i64, hall::Model>, StoreError> {
    let wanted: Vec<i64> = ids.collect::<BTreeSet<_>>().into_iter().collect();
    let mut found = HashMap::with_capacity(wanted.len());
    for chunk in wanted.chunks(IDS_PER_STATEMENT) {
        let models = hall::Entity::find().filter(hall::Column::Id.is_in(chunk.iter().copied()));
        let models = models.all(read).await.map_err(store_error)?;
        found.extend(models.into_iter().map(|model| (model.id, model)));
    }
    Ok(found)
}

async fn venues(
    read: &impl ConnectionTrait,
    ids: impl Iterator<Item = i64>,
) -> Result<HashMap<i64, venue::Model>, StoreError> {
    let wanted: Vec<i64> = ids.collect::<BTreeSet<_>>().into_iter().collect();
    let mut found = HashMap::with_capacity(wanted.len());
    for chunk in wanted.chunks(IDS_PER_STATEMENT) {
        let models = venue::Entity::find().filter(venue::Column::Id.is_in(chunk.iter().copied()));
        let models = models.all(read).await.map_err(store_error)?;
        found.extend(models.into_iter().map(|model| (model.id, model)));
    }
    Ok(found)
}
