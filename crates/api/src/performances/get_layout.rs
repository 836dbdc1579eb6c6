//! `GET /api/v1/performances/{id}/layout`

use axum::{extract::State, response::Response};
use onsale_domain::ids::PerformanceId;

use super::Layout;
use crate::{
    Shared,
    catalogue::cached,
    extract::{ApiPath, Head},
    problem::Problem,
    queue::QueueToken,
};

/// Get the seat map of a performance
///
/// Where the seats are, by ordinal: the same ordinals as in `availability` and `events`.
#[utoipa::path(get, path = "/api/v1/performances/{id}/layout", tag = "performances",
    params(("id" = i64, Path, description = "The performance's id", minimum = 1),
        ("Queue-Token" = Option<String>, Header, description = "An active token, if there is a waiting room")),
    responses((status = 200, description = "The seats with their positions", body = Layout),
        (status = 304, description = "Not changed since `If-None-Match`")))]
pub(super) async fn get_layout(
    State(api): State<Shared>,
    ApiPath(id): ApiPath<i64>,
    token: QueueToken,
    head: Head,
) -> Result<Response, Problem> {
    let id = PerformanceId(id);
    let view =
        api.engine.sales.view_with(token.as_deref(), id).await.map_err(|error| api.sale_problem(error))?;
    let layout = async { Ok(Layout::from(&*view.terms().seats)) };
    let mut response = cached(&api, head.0.uri.path(), &head.0.headers, layout).await?;
    api.keep_private(id, &mut response);
    Ok(response)
}
