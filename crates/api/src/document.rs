//! The parts of the OpenAPI document that belong to no single operation.

use serde_json::json;
use utoipa::{
    OpenApi as _, ToSchema,
    openapi::{
        OpenApi, RefOr, Required,
        schema::Schema,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::{items::FailureBody, problem::Kind};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Onsale",
        description = "Sells limited things to a crowd: what is on, which seats can be had, reservations, payments.\n\nErrors are RFC 9457 problems; `type` is one of a closed set and can be looked up at its own address. Amounts are in minor units of the currency. Identifiers are integers, those of reservations and payments UUIDs.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ProblemBody, FailureBody)),
    tags(
        (name = "catalogue", description = "What is on. Cached; change-aware through entity tags"),
        (name = "performances", description = "Terms and seats of a performance"),
        (name = "reservations", description = "Holding seats and giving them back"),
        (name = "items", description = "What is sold by the unit, and orders for it. Answers stand in an envelope: `success` and `data`, or `success`, `message` and the problem's `type`"),
        (name = "payments", description = "Paying from points"),
        (name = "queue", description = "Waiting rooms in front of sales"),
        (name = "accounts", description = "People, log-ins and points"),
        (name = "admin", description = "For organisers and administrators"),
        (name = "operation", description = "Probes, metrics, problem types")
    )
)]
struct Base;

/// A problem, as RFC 9457 describes it.
#[derive(ToSchema)]
#[schema(as = Problem, rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what `Problem` writes")]
struct ProblemBody {
    /// What kind of problem it is.
    #[schema(example = "/problems/seat-sold")]
    r#type: String,
    /// The same text for every problem of the type.
    #[schema(example = "The seat is sold")]
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 409)]
    status: u16,
    /// What happened this time.
    #[schema(example = "seat 12 is sold")]
    detail: String,
    /// The field or parameter that is not acceptable.
    #[schema(nullable = false)]
    field: Option<String>,
    /// The seat that stands in the way.
    #[schema(nullable = false)]
    seat_id: Option<i64>,
    /// What does not exist.
    #[schema(nullable = false)]
    resource: Option<String>,
    /// When sales open.
    #[schema(nullable = false, format = DateTime)]
    on_sale_at: Option<String>,
    /// The most that is allowed.
    #[schema(nullable = false)]
    max: Option<i64>,
    /// How many seats or units the buyer has.
    #[schema(nullable = false)]
    have: Option<i64>,
    /// How many seats or units were asked for.
    #[schema(nullable = false)]
    asked: Option<i64>,
    /// What was to be paid.
    #[schema(nullable = false)]
    amount: Option<i64>,
    /// How many units are left.
    #[schema(nullable = false)]
    left: Option<i64>,
    /// The least that is allowed.
    #[schema(nullable = false)]
    min: Option<i64>,
    /// What is in the wallet.
    #[schema(nullable = false)]
    balance: Option<i64>,
    /// The most bytes that the body may have.
    #[schema(nullable = false)]
    bytes_max: Option<i64>,
    /// The waiting room to join.
    #[schema(nullable = false)]
    room_id: Option<i64>,
    /// The limit that was exceeded.
    #[schema(nullable = false)]
    rule: Option<String>,
    /// The role that the call needs.
    #[schema(nullable = false)]
    required_role: Option<String>,
}

/// The document without its operations.
pub(crate) fn base() -> OpenApi {
    let mut document = Base::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The access token of a log-in, or a token of the identity provider"))
        .build();
    components.security_schemes.insert("bearer".to_owned(), SecurityScheme::Http(bearer).into());
    if let Some(RefOr::T(Schema::Object(problem))) = components.schemas.get_mut("Problem")
        && let Some(RefOr::T(Schema::Object(kind))) = problem.properties.get_mut("type")
    {
        kind.enum_values = Some(Kind::ALL.iter().map(|kind| json!(kind.uri())).collect());
    }
    document
}

/// The document with the bodies that may be left out: those in which no member is required.
pub(crate) fn with_optional_bodies(mut document: OpenApi) -> OpenApi {
    let schemas =
        document.components.as_ref().map(|components| components.schemas.clone()).unwrap_or_default();
    let requires_nothing = |schema: &RefOr<Schema>| {
        let schema = match schema {
            RefOr::Ref(named) => named.ref_location.rsplit('/').next().and_then(|name| schemas.get(name)),
            schema => Some(schema),
        };
        matches!(schema, Some(RefOr::T(Schema::Object(object))) if object.required.is_empty())
    };
    for path in document.paths.paths.values_mut() {
        for operation in [&mut path.post, &mut path.put, &mut path.patch].into_iter().flatten() {
            let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
            let Some(RefOr::T(content)) = body.content.get("application/json") else { continue };
            if content.schema.as_ref().is_some_and(requires_nothing) {
                body.required = Some(Required::False);
            }
        }
    }
    document
}
