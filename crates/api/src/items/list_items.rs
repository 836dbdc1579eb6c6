//! `GET /api/item`

use axum::{
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
};
use onsale_domain::ids::ItemId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    envelope::{Failure, Success},
    item::SummaryBody,
};
use crate::{
    Shared,
    catalogue::cached_with,
    extract::{self, Head},
    paging,
    problem::Problem,
};

/// Items a page, if it is not said how many, and the most.
const SIZE: u32 = 100;
const SIZE_MAX: u32 = 500;

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
    responses((status = 200, description = "The items, by number", body = Success<Vec<SummaryBody>>,
        headers(("Link" = Option<String>, description = "The next page, if there may be one"))),
        (status = 304, description = "Not changed since `If-None-Match`")))]
pub(super) async fn list_items(State(api): State<Shared>, head: Head) -> Result<Response, Failure> {
    let more = |body: &[u8]| next_page(&head.0.uri, body);
    let answer = cached_with(&api, head.address(), &head.0.headers, more, async {
        let paging: Paging = extract::query(&head.0.uri)?;
        let size = extract::size(paging.size, SIZE, SIZE_MAX)?;
        if paging.after.is_some_and(|after| after < 0) {
            return Err(Problem::field("after", "must not be negative"));
        }
        let items = api.engine.catalogue.items(paging.after.map(ItemId), size as usize).await?;
        Ok(Success::new(items.into_iter().map(SummaryBody::from).collect::<Vec<_>>()))
    });
    Ok(answer.await?)
}

/// Names the page after this one, if it is full.
fn next_page(uri: &Uri, body: &[u8]) -> HeaderMap {
    #[derive(Deserialize)]
    struct Listed {
        data: Vec<Numbered>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Numbered {
        item_number: i64,
    }
    let mut headers = HeaderMap::new();
    let (Ok(asked), Ok(listed)) = (extract::query::<Paging>(uri), serde_json::from_slice::<Listed>(body))
    else {
        return headers;
    };
    if let Some(last) = listed.data.last()
        && listed.data.len() >= asked.size.unwrap_or(SIZE) as usize
    {
        paging::link_next(&mut headers, uri, "after", last.item_number);
    }
    headers
}
