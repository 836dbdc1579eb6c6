//! `GET /api/v1/items/popular`

use axum::{extract::State, response::Response};
use onsale_domain::{ids::ItemId, item::Item, popularity::SubjectKind};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    cached,
    popular::{Asked, Popular, Wanted},
};
use crate::{Shared, extract::Head, items::SummaryBody, problem::Problem};

/// An item in its place.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PopularItem {
    /// The place, from 1.
    #[schema(minimum = 1, example = 1)]
    rank: usize,
    /// How many units were sold and not given back; if the ranking is about now, how much they count.
    #[schema(example = 1_234.0)]
    score: f64,
    /// The item.
    #[serde(flatten)]
    item: SummaryBody,
}

/// List popular items
///
/// Those of which the most units were sold, units that were given back taken off. The charts of a day
/// are made at midnight and then stand.
#[utoipa::path(get, path = "/api/v1/items/popular", tag = "catalogue", params(Asked),
    responses((status = 200, description = "The items, the most popular first", body = Popular<PopularItem>),
        (status = 304, description = "Not changed since `If-None-Match`")))]
pub(super) async fn popular_items(State(api): State<Shared>, head: Head) -> Result<Response, Problem> {
    let wanted = Wanted::read(&api, SubjectKind::Item, &head).await?;
    cached(&api, &wanted.address, &head.0.headers, async {
        let ids: Vec<_> = wanted.ids().map(ItemId).collect();
        let items = api.engine.catalogue.items_with_ids(&ids).await?;
        Ok(wanted.answer(items.into_iter().map(|item| (item.id.0, item)), PopularItem::new))
    })
    .await
}

impl PopularItem {
    fn new(rank: usize, score: f64, item: Item) -> Self {
        Self { rank, score, item: item.into() }
    }
}
