//! `GET /api/v1/users/me/points`

use axum::{Json, extract::State};

use super::PointsBody;
use crate::{Shared, caller::LoggedIn, problem::Problem};

/// Get one's points
#[utoipa::path(get, path = "/api/v1/users/me/points", tag = "accounts", security(("bearer" = [])),
    responses((status = 200, description = "The wallet", body = PointsBody)))]
pub(super) async fn get_points(
    State(api): State<Shared>,
    LoggedIn(caller): LoggedIn,
) -> Result<Json<PointsBody>, Problem> {
    let wallet = api.engine.sales.wallet(caller.user).await.map_err(|error| api.sale_problem(error))?;
    Ok(Json(PointsBody { balance: wallet.balance, currency: api.currency.to_string() }))
}
