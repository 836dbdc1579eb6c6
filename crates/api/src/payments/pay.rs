//! `POST /api/v1/payments`

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use onsale_domain::{ids::OrderId, order::Payment};
use onsale_engine::line::Shopper;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Shared,
    caller::LoggedIn,
    idempotency::{KeyHeader, mark_replayed},
    json::JsonBody,
    problem::{Kind, Problem},
    queue::QueueToken,
    time::Rfc3339,
};

pub(super) const PROBLEMS: &[Kind] = &[
    Kind::NoSuchReservation,
    Kind::PerformanceCancelled,
    Kind::HoldExpired,
    Kind::ReservationCancelled,
    Kind::AlreadyPaid,
    Kind::TooFewPoints,
];

/// A reservation to pay.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Pay)]
pub(super) struct Body {
    /// The reservation, held and in time.
    reservation_id: Uuid,
}

/// A payment.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Payment)]
struct PaymentBody {
    /// The payment's id.
    payment_id: Uuid,
    /// What it paid.
    reservation_id: Uuid,
    /// Always `completed`: what is not completed is a problem.
    #[schema(example = "completed")]
    status: &'static str,
    /// How much, in minor units of the currency.
    #[schema(minimum = 0, example = 308_000)]
    amount: i64,
    /// The currency, by its ISO 4217 code.
    #[schema(example = "KRW")]
    currency: String,
    /// What is left in the wallet.
    #[schema(minimum = 0, example = 192_000)]
    balance: i64,
    /// When it was made.
    created_at: Rfc3339,
}

impl From<Payment> for PaymentBody {
    fn from(payment: Payment) -> Self {
        Self {
            payment_id: payment.id.0,
            reservation_id: payment.order.0,
            status: "completed",
            amount: payment.amount,
            currency: payment.currency.to_string(),
            balance: payment.balance_after,
            created_at: Rfc3339(payment.created_at),
        }
    }
}

/// Pay a reservation
///
/// From one's points. With an `Idempotency-Key`, sending the request again gives the same answer and
/// pays nothing twice. If there is a waiting room, paying uses the token up.
#[utoipa::path(post, path = "/api/v1/payments", tag = "payments", security(("bearer" = [])),
    request_body = Body,
    params(("Idempotency-Key" = Option<String>, Header, description = "The caller's own name for this request", min_length = 1, max_length = 255),
        ("Queue-Token" = Option<String>, Header, description = "An active token, if there is a waiting room")),
    responses((status = 201, description = "The payment", body = PaymentBody,
        headers(("Idempotent-Replayed" = Option<String>, description = "`true` if an earlier request with the same key had done it")))))]
pub(super) async fn pay(
    State(api): State<Shared>,
    LoggedIn(caller): LoggedIn,
    key: KeyHeader,
    token: QueueToken,
    JsonBody(body): JsonBody<Body>,
) -> Result<Response, Problem> {
    let (high, low) = body.reservation_id.as_u64_pair();
    let key = key.key("pay", [high.cast_signed(), low.cast_signed()]);
    let shopper = Shopper { user: caller.user, pass: token.as_deref(), from: None };
    let paid = api
        .engine
        .sales
        .pay(shopper, key, OrderId(body.reservation_id))
        .await
        .map_err(|error| api.sale_problem(error))?;
    let mut response = (StatusCode::CREATED, Json(PaymentBody::from(paid.payment))).into_response();
    mark_replayed(&mut response, paid.replayed);
    Ok(response)
}
