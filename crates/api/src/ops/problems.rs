//! `GET /problems/{name}`

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    extract::ApiPath,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::NotFound];

/// What a problem type means.
#[derive(Serialize, ToSchema)]
pub(super) struct ProblemType {
    /// The type.
    #[schema(example = "/problems/seat-sold")]
    r#type: &'static str,
    /// The title of every problem of the type.
    #[schema(example = "The seat is sold")]
    title: &'static str,
    /// The HTTP status it comes with.
    #[schema(minimum = 400, maximum = 599, example = 409)]
    status: u16,
    /// When it happens and what to do about it.
    description: &'static str,
}

/// Look up a problem type
///
/// Every problem's `type` is such an address.
#[utoipa::path(get, path = "/problems/{name}", tag = "operation",
    params(("name" = String, Path, description = "The name of the type", example = "seat-sold")),
    responses((status = 200, description = "What it means", body = ProblemType)))]
pub(super) async fn problem_type(ApiPath(name): ApiPath<String>) -> Result<Json<ProblemType>, Problem> {
    let known = Kind::ALL.iter().find(|kind| kind.uri().strip_prefix("/problems/") == Some(&name));
    let kind = known.ok_or_else(|| Problem::missing("problem type"))?;
    Ok(Json(ProblemType {
        r#type: kind.uri(),
        title: kind.title(),
        status: kind.status().as_u16(),
        description: kind.description(),
    }))
}
