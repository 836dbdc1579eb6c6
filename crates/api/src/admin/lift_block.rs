//! `DELETE /api/v1/admin/blocks/{rule}/{subject}`

use axum::{extract::State, http::StatusCode};
use onsale_domain::limits::{Subject, SubjectError};
use onsale_engine::accounts::LogInRules;

use crate::{Shared, caller::Admin, door::Limits, extract::ApiPath, problem::Problem};

/// Lift a block
///
/// Forgets all requests of this subject under this rule, so that they are counted from none again.
#[utoipa::path(delete, path = "/api/v1/admin/blocks/{rule}/{subject}", tag = "admin", security(("bearer" = [])),
    params(("rule" = String, Path, description = "The rule, as listed"),
        ("subject" = String, Path, description = "Who, as listed")),
    responses((status = 204, description = "Not blocked any more")))]
pub(super) async fn lift_block(
    State(api): State<Shared>,
    _: Admin,
    ApiPath((rule, subject)): ApiPath<(String, String)>,
) -> Result<StatusCode, Problem> {
    let subject: Subject =
        subject.parse().map_err(|error: SubjectError| Problem::field("subject", &error.to_string()))?;
    let of_log_ins = api.engine.accounts.log_in_rules().into_iter().flat_map(LogInRules::names);
    let of_log_ins = of_log_ins.into_iter().find(|name| ***name == *rule).cloned();
    let limits = api.door.limits.as_ref();
    let bookings = api.engine.sales.booking_rule().filter(|bookings| *bookings.name == *rule);
    let of_engine = of_log_ins.or_else(|| Some(bookings?.name.clone()));
    let known = |limits: &Limits| limits.rule(&rule).or(of_engine);
    let Some((limits, rule)) = limits.and_then(|limits| Some((limits, known(limits)?))) else {
        return Err(Problem::missing("rule"));
    };
    if limits.limiter.forget(&rule, subject).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::missing("block"))
}
