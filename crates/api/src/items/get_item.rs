//! `GET /api/item/{itemNumber}`

use axum::{extract::State, response::Response};
use onsale_domain::ids::ItemId;

use super::{
    envelope::{Failure, Success},
    item::ItemBody,
};
use crate::{
    Shared,
    catalogue::cached,
    extract::{ApiPath, Head},
    problem::Problem,
};

/// Get an item
#[utoipa::path(get, path = "/api/item/{itemNumber}", tag = "items",
    params(("itemNumber" = i64, Path, description = "The item's number", minimum = 1)),
    responses((status = 200, description = "The item", body = Success<ItemBody>),
        (status = 304, description = "Not changed since `If-None-Match`")))]
pub(super) async fn get_item(
    State(api): State<Shared>,
    id: Result<ApiPath<i64>, Problem>,
    head: Head,
) -> Result<Response, Failure> {
    let ApiPath(id) = id?;
    let answer = cached(&api, head.0.uri.path(), &head.0.headers, async {
        let item = api.engine.catalogue.item(ItemId(id)).await?;
        Ok(Success::new(ItemBody::from(item)))
    });
    Ok(answer.await?)
}
