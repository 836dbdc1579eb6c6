//! The envelope that answers stand in: `success` and `data`, or `success`, `message` and `type`.

use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer, ser::SerializeMap};
use utoipa::ToSchema;

use crate::problem::Problem;

/// An answer.
#[derive(Serialize, ToSchema)]
pub(super) struct Success<T> {
    /// Always `true`.
    #[schema(example = true)]
    success: bool,
    /// What was asked for.
    data: T,
}

impl<T> Success<T> {
    pub(super) const fn new(data: T) -> Self {
        Self { success: true, data }
    }
}

/// A problem. It has the status and the members that it has elsewhere.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) Problem);

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(problem.of_order())
    }
}

impl Failure {
    /// Whether what an address answers stands in the envelope.
    pub(crate) fn is_at(path: &str) -> bool {
        ["/api/item", "/api/stock", "/api/order"]
            .into_iter()
            .any(|of| path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }
}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(problem) = self;
        let mut map = serializer.serialize_map(Some(3 + problem.members().len()))?;
        map.serialize_entry("success", &false)?;
        map.serialize_entry("message", problem.detail())?;
        map.serialize_entry("type", problem.kind.uri())?;
        for (name, value) in problem.members() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.0.respond(&self, "application/json")
    }
}

/// A problem in the envelope of the item calls, with the members that it has elsewhere.
#[derive(ToSchema)]
#[schema(as = Failure, rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what `Failure` writes")]
pub(crate) struct FailureBody {
    /// Always `false`.
    #[schema(example = false)]
    success: bool,
    /// What happened this time.
    #[schema(example = "0 left of this item, 1 asked for")]
    message: String,
    /// What kind of problem it is: one of those of `Problem`.
    #[schema(example = "/problems/sold-out")]
    r#type: String,
    /// The waiting room to join.
    #[schema(nullable = false)]
    room_id: Option<i64>,
}
