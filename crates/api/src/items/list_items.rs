//! `GET /api/item`

use axum::{extract::State, response::Response};
use onsale_domain::ids::ItemId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    envelope::{Failure, Success},
    item::SummaryBody,
};
use crate::{
    Shared,
    catalogue::cached,
    extract::{self, Head},
    problem::Problem,
};

/// Which items are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// Only items with a higher number: that of the last item of the page before.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Items a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    size: Option<u32>,
}

/// List items
#[utoipa::path(get, path = "/api/item", tag = "items", params(Paging),
    responses((status = 200, description = "The items, by number", body = Success<Vec<SummaryBody>>),
        (status = 304, description = "Not changed since `If-None-Match`")))]
pub(super) async fn list_items(State(api): State<Shared>, head: Head) -> Result<Response, Failure> {
    let answer = cached(&api, head.address(), &head.0.headers, async {
        let paging: Paging = extract::query(&head.0.uri)?;
        let size = extract::size(paging.size, 100, 500)?;
        if paging.after.is_some_and(|after| after < 0) {
            return Err(Problem::field("after", "must not be negative"));
        }
        let items = api.engine.catalogue.items(paging.after.map(ItemId), size as usize).await?;
        Ok(Success::new(items.into_iter().map(SummaryBody::from).collect::<Vec<_>>()))
    });
    Ok(answer.await?)
}
