//! Everything that can go wrong, as RFC 9457 problems with a closed set of types.

use std::borrow::Cow;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use onsale_domain::{
    decide::Refusal,
    line::{self, ChangeError},
    time::Timestamp,
    unpaid::Waiting,
    user::Role,
    wallet::PointsFrom,
};
use onsale_engine::{
    accounts::AccountError,
    catalogue::CatalogueError,
    line::{EntryError, EntryRefusal, LineError},
    media::{MediaError, NotAnImage},
    owners::OwnerError,
    ports::{LimiterError, StoreError},
    rankings::RankingError,
    sales::SaleError,
    webhooks::WebhookError,
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

use crate::{door::seconds_until, items::Failure, time::Rfc3339};

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $status:ident $slug:literal $title:literal;)*) => {
        /// The closed set of problem types.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Kind { $($(#[doc = $doc])+ $name,)* }

        impl Kind {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            /// The URI reference that names the type.
            pub(crate) const fn uri(self) -> &'static str {
                match self { $(Self::$name => concat!("/problems/", $slug),)* }
            }

            /// The same text for every problem of the type.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// The HTTP status it is answered with.
            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// When it happens and what to do about it.
            pub(crate) fn description(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc,)+).trim(),)* }
            }
        }
    };
}

kinds! {
    /// A field, parameter or identifier is not acceptable; `detail` says which and what is.
    InvalidRequest = BAD_REQUEST "invalid-request" "The request is not valid";
    /// The body is not JSON.
    MalformedJson = BAD_REQUEST "malformed-json" "The body is not JSON";
    /// `Idempotency-Key` must be 1 to 255 printable ASCII characters, given once.
    InvalidIdempotencyKey = BAD_REQUEST "invalid-idempotency-key" "The idempotency key is not valid";
    /// No seat is named.
    NoSeats = BAD_REQUEST "no-seats" "No seat is named";
    /// An order is for at least one unit.
    NoUnits = BAD_REQUEST "no-units" "No unit is asked for";
    /// A seat is named twice; `seatId` is the one.
    SeatTwice = BAD_REQUEST "seat-twice" "A seat is named twice";
    /// The amount is below 1 or above `max`.
    AmountOutOfBounds = BAD_REQUEST "amount-out-of-bounds" "The amount is out of bounds";

    /// The call needs an access token in `Authorization: Bearer`.
    NotAuthenticated = UNAUTHORIZED "not-authenticated" "Log in first";
    /// The token is neither ours nor the identity provider's, has run out, or its session has ended.
    InvalidToken = UNAUTHORIZED "invalid-token" "The token is not valid";
    /// The e-mail address or the password is wrong.
    WrongCredentials = UNAUTHORIZED "wrong-credentials" "Wrong e-mail address or password";

    /// The account is disabled; an administrator can enable it.
    AccountDisabled = FORBIDDEN "account-disabled" "The account is disabled";
    /// The caller's role does not allow it; `requiredRole` would.
    Forbidden = FORBIDDEN "forbidden" "Not allowed";
    /// It belongs to another organiser, or to nobody; `resource` says what it is. Its owner and
    /// administrators may.
    NotTheOwner = FORBIDDEN "not-the-owner" "It is not yours";
    /// Points come into wallets in another way here: the installation's settings say who may put them in, and
    /// `requiredRole` who may by the administrators' call.
    PointsNotForSale = FORBIDDEN "points-not-for-sale" "Points are not charged here";
    /// Sales have not opened yet; they do at `onSaleAt`.
    NotOnSaleYet = FORBIDDEN "not-on-sale-yet" "Not on sale yet";
    /// The performance has started; nothing more is sold.
    SaleClosed = FORBIDDEN "sale-closed" "Sales have closed";

    /// There is a waiting room in front of the sale: join `roomId`, wait until the token is active, and
    /// send it as `Queue-Token`.
    QueueTokenRequired = FORBIDDEN "queue-token-required" "Join the waiting room first";
    /// The token is not one of ours, or somebody else's, or of another room, or it has run out or been
    /// used up. Join again; `roomId` says where, if there is one in front of a sale.
    InvalidQueueToken = FORBIDDEN "invalid-queue-token" "The waiting room's token is not valid";
    /// The token is good, but not active yet: ask for it until it is.
    NotYourTurn = FORBIDDEN "not-your-turn" "Not your turn yet";
    /// The waiting room takes nobody yet.
    WaitingRoomNotOpen = FORBIDDEN "waiting-room-not-open" "The waiting room is not open yet";
    /// The waiting room has closed for good.
    WaitingRoomClosed = FORBIDDEN "waiting-room-closed" "The waiting room has closed";

    /// There is nothing at this address, or what was referred to does not exist.
    NotFound = NOT_FOUND "not-found" "Not found";
    /// There is no such performance.
    NoSuchPerformance = NOT_FOUND "no-such-performance" "No such performance";
    /// There is no such seat; `seatId` is the one.
    UnknownSeat = NOT_FOUND "unknown-seat" "No such seat";
    /// There is no such reservation, or it is somebody else's.
    NoSuchReservation = NOT_FOUND "no-such-reservation" "No such reservation";
    /// There is no such item.
    NoSuchItem = NOT_FOUND "no-such-item" "No such item";
    /// There is no such order, or it is somebody else's.
    NoSuchOrder = NOT_FOUND "no-such-order" "No such order";
    /// The account does not exist any more.
    NoSuchUser = NOT_FOUND "no-such-user" "No such account";

    /// The address exists, but not for this method; `Allow` names those that do.
    MethodNotAllowed = METHOD_NOT_ALLOWED "method-not-allowed" "Method not allowed";

    /// The e-mail address already has an account.
    EmailTaken = CONFLICT "email-taken" "The e-mail address is taken";
    /// The performance was called off.
    PerformanceCancelled = CONFLICT "performance-cancelled" "The performance has been cancelled";
    /// The seat exists, but in another hall; `seatId` is the one.
    SeatOfAnotherPerformance = CONFLICT "seat-of-another-performance" "The seat is not one of this performance";
    /// The seat is not for sale; `seatId` is the one.
    SeatLocked = CONFLICT "seat-locked" "The seat is not for sale";
    /// Another buyer holds the seat; it may become free again. `seatId` is the one.
    SeatHeld = CONFLICT "seat-held" "The seat is held";
    /// The seat is sold; `seatId` is the one.
    SeatSold = CONFLICT "seat-sold" "The seat is sold";
    /// More seats than a buyer may have at this performance (`max`, `have`, `asked`).
    TooManySeats = CONFLICT "too-many-seats" "Too many seats";
    /// The seats must be side by side in one row.
    NotSideBySide = CONFLICT "not-side-by-side" "The seats are not side by side";
    /// Fewer units are left than were asked for (`left`, `asked`).
    SoldOut = CONFLICT "sold-out" "Sold out";
    /// More units than a buyer may have of this item (`max`, `have`, `asked`).
    TooManyUnits = CONFLICT "too-many-units" "Too many units";
    /// The stock is below what orders have, or above what any may be (`min`, `max`).
    StockOutOfBounds = CONFLICT "stock-out-of-bounds" "The stock is out of bounds";
    /// The hold has ended; reserve again.
    HoldExpired = CONFLICT "hold-expired" "The hold has ended";
    /// The reservation was cancelled.
    ReservationCancelled = CONFLICT "reservation-cancelled" "The reservation was cancelled";
    /// The order was cancelled.
    OrderCancelled = CONFLICT "order-cancelled" "The order was cancelled";
    /// The reservation or order is already paid.
    AlreadyPaid = CONFLICT "already-paid" "Already paid";
    /// The wallet has too little (`amount`, `balance`). Charge points and pay again.
    TooFewPoints = CONFLICT "too-few-points" "Too few points";
    /// The performance has started; it can no longer be refunded.
    TooLateToRefund = CONFLICT "too-late-to-refund" "Too late to refund";
    /// What was to be added exists already.
    AlreadyExists = CONFLICT "already-exists" "It exists already";
    /// It cannot be done as things stand; `detail` says why.
    NotPossible = CONFLICT "not-possible" "Not possible as things stand";

    /// The body is larger than the call allows; `bytesMax` is how much it does.
    BodyTooLarge = PAYLOAD_TOO_LARGE "body-too-large" "The body is too large";
    /// The body is not of a kind that the call takes, or `Content-Type` does not say so; `detail` says what is.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "The body is of another kind";
    /// The same key was used with another request.
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY "idempotency-key-reused" "The idempotency key was used with another request";

    /// The body took too long to arrive.
    RequestTimeout = REQUEST_TIMEOUT "request-timeout" "The request took too long to arrive";
    /// More requests than allowed; `rule` says which rule. `Retry-After` says when to come back.
    TooManyRequests = TOO_MANY_REQUESTS "too-many-requests" "Too many requests";
    /// More requests than allowed, so that all are refused for a while; `rule` says which rule.
    /// `Retry-After` says when to come back.
    Blocked = TOO_MANY_REQUESTS "blocked" "Blocked for too many requests";

    /// A mistake of ours. It has been logged.
    Internal = INTERNAL_SERVER_ERROR "internal" "Something went wrong on our side";
    /// Too many requests are waiting. Nothing has changed; try again after `Retry-After`.
    Overloaded = SERVICE_UNAVAILABLE "overloaded" "Too busy at this moment";
    /// The database cannot be reached. Nothing has changed; try again after `Retry-After`.
    Unavailable = SERVICE_UNAVAILABLE "unavailable" "Not available at this moment";
    /// It may or may not have happened. Send the same request with the same `Idempotency-Key`
    /// again: it tells which, and does nothing twice.
    OutcomeUnknown = SERVICE_UNAVAILABLE "outcome-unknown" "The outcome is unknown";
}

/// A problem, as it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    detail: Cow<'static, str>,
    members: Vec<(&'static str, Value)>,
    retry_after_s: Option<i64>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        let retry_after_s = (kind.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        Self { kind, detail: detail.into(), members: Vec::new(), retry_after_s }
    }

    /// A field that is not acceptable.
    pub(crate) fn field(field: &str, reason: &str) -> Self {
        Self::new(Kind::InvalidRequest, format!("{field}: {reason}")).with("field", field)
    }

    /// Something referred to that does not exist.
    pub(crate) fn missing(resource: &str) -> Self {
        match resource {
            "performance" => Self::new(Kind::NoSuchPerformance, "there is no such performance"),
            "item" => Self::new(Kind::NoSuchItem, "there is no such item"),
            _ => Self::new(Kind::NotFound, format!("there is no such {resource}")).with("resource", resource),
        }
    }

    /// Adds a machine-readable member.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// When to come back, in seconds.
    pub(crate) fn retry_after(mut self, seconds: i64) -> Self {
        self.retry_after_s = Some(seconds.max(1));
        self
    }

    /// A refusal of the sale's rules at a time.
    pub(crate) fn refused(refusal: &Refusal, now: Timestamp) -> Self {
        let problem = |kind| Self::new(kind, refusal.to_string());
        match refusal {
            Refusal::NoSuchPerformance(_) => problem(Kind::NoSuchPerformance),
            Refusal::PerformanceCancelled(_) => problem(Kind::PerformanceCancelled),
            Refusal::NotOnSaleYet { on_sale_at } => problem(Kind::NotOnSaleYet)
                .with("onSaleAt", Rfc3339(*on_sale_at).to_string())
                .retry_after(on_sale_at.since_ms(now).saturating_add(999) / 1_000),
            Refusal::SaleClosed => problem(Kind::SaleClosed),
            Refusal::NoSeats => problem(Kind::NoSeats),
            Refusal::SeatTwice(seat) => problem(Kind::SeatTwice).with("seatId", seat.0),
            Refusal::NoSuchSeat(seat) => problem(Kind::UnknownSeat).with("seatId", seat.0),
            Refusal::SeatLocked(seat) => problem(Kind::SeatLocked).with("seatId", seat.0),
            Refusal::SeatHeld(seat) => problem(Kind::SeatHeld).with("seatId", seat.0),
            Refusal::SeatSold(seat) => problem(Kind::SeatSold).with("seatId", seat.0),
            Refusal::TooManySeats { max, have, asked } => {
                problem(Kind::TooManySeats).with("max", *max).with("have", *have).with("asked", *asked)
            }
            Refusal::NotSideBySide => problem(Kind::NotSideBySide),
            Refusal::NoSuchItem(_) => problem(Kind::NoSuchItem),
            Refusal::NoUnits => problem(Kind::NoUnits),
            Refusal::TooManyUnits { max, have, asked } => {
                problem(Kind::TooManyUnits).with("max", *max).with("have", *have).with("asked", *asked)
            }
            Refusal::SoldOut { left, asked } => {
                problem(Kind::SoldOut).with("left", *left).with("asked", *asked)
            }
            Refusal::StockOutOfBounds { min, max } => {
                problem(Kind::StockOutOfBounds).with("min", *min).with("max", *max)
            }
            Refusal::NoSuchOrder => problem(Kind::NoSuchReservation),
            Refusal::HoldExpired => problem(Kind::HoldExpired),
            Refusal::OrderCancelled => problem(Kind::ReservationCancelled),
            Refusal::AlreadyPaid => problem(Kind::AlreadyPaid),
            // 409 rather than 402: RFC 9110 keeps 402 for future use, and charging points
            // and sending the same request again resolves it, as with any conflict.
            Refusal::TooFewPoints { amount, balance } => {
                problem(Kind::TooFewPoints).with("amount", *amount).with("balance", *balance)
            }
            Refusal::AmountOutOfBounds { max } => problem(Kind::AmountOutOfBounds).with("max", *max),
            Refusal::TooLateToRefund => problem(Kind::TooLateToRefund),
            Refusal::KeyReused => problem(Kind::IdempotencyKeyReused),
        }
    }

    /// Somebody who is asked to wait by a rule of the sale.
    fn to_wait(error: &SaleError, until: Timestamp, rule: &'static str, now: Timestamp) -> Self {
        let seconds = seconds_until(until, now);
        let detail = format!("{error}; try again in {seconds} s");
        Self::new(Kind::TooManyRequests, detail).with("rule", rule).retry_after(seconds)
    }

    /// A command that was not carried out.
    pub(crate) fn sale(error: SaleError, now: Timestamp) -> Self {
        match error {
            SaleError::Refused(refusal) => Self::refused(&refusal, now),
            SaleError::Overloaded => Self::new(Kind::Overloaded, error.to_string()),
            SaleError::OutcomeUnknown => Self::new(Kind::OutcomeUnknown, error.to_string()),
            SaleError::Unavailable(error) => error.into(),
            SaleError::NoEntry(error) => error.into(),
            SaleError::NoPoints(from) => {
                let problem = Self::new(Kind::PointsNotForSale, error.to_string());
                match from {
                    PointsFrom::Nobody => problem,
                    PointsFrom::Provider => problem.with("requiredRole", Role::Admin.as_str()),
                    _ => problem.with("requiredRole", Role::Organiser.as_str()),
                }
            }
            SaleError::TooManyBookings { until, .. } => Self::to_wait(&error, until, "bookings", now),
            SaleError::TooMuchUnpaid(Waiting::Address { until, max, held }) => {
                let problem = Self::to_wait(&error, until, "unpaid-by-ip", now);
                problem.with("max", max).with("held", held)
            }
            SaleError::TooMuchUnpaid(Waiting::Account { until }) => {
                Self::to_wait(&error, until, "unpaid-by-account", now)
            }
        }
    }
}

impl Problem {
    /// The answer at an address: in the envelope where answers stand in one.
    pub(crate) fn answer_at(self, path: &str) -> Response {
        if Failure::is_at(path) { Failure::from(self).into_response() } else { self.into_response() }
    }

    /// The same problem of an order for units, which nobody calls a reservation.
    pub(crate) fn of_order(mut self) -> Self {
        (self.kind, self.detail) = match self.kind {
            Kind::NoSuchReservation => (Kind::NoSuchOrder, "there is no such order".into()),
            Kind::ReservationCancelled => (Kind::OrderCancelled, "the order was cancelled".into()),
            Kind::AlreadyPaid => (Kind::AlreadyPaid, "the order is already paid".into()),
            kind => (kind, self.detail),
        };
        self
    }

    /// What happened this time, in words.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The machine-readable members.
    pub(crate) fn members(&self) -> &[(&'static str, Value)] {
        &self.members
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(what) => Self::missing(what),
            StoreError::Conflict(what) => Self::new(Kind::AlreadyExists, format!("{what} exists already")),
            StoreError::Rejected(why) => Self::new(Kind::NotPossible, why),
            // What the database said is for the log, not for the caller.
            StoreError::Unavailable(why) => {
                tracing::warn!(%why, "the database cannot be reached");
                Self::new(Kind::Unavailable, "the database cannot be reached; try again in a moment")
            }
            StoreError::Damaged(why) => {
                tracing::error!(%why, "the database is damaged");
                Self::new(
                    Kind::Unavailable,
                    "the database is damaged; nothing can be sold until it is repaired",
                )
            }
            error @ StoreError::OtherCurrency { .. } => {
                tracing::error!(%error, "the database was opened wrongly");
                Self::new(Kind::Internal, "the database was opened wrongly")
            }
            StoreError::Broken(why) => {
                tracing::error!(%why, "unexpected answer from the database");
                Self::new(Kind::Internal, "the database gave an unexpected answer")
            }
        }
    }
}

impl From<LimiterError> for Problem {
    fn from(error: LimiterError) -> Self {
        match error {
            LimiterError::Unavailable(why) => {
                tracing::warn!(%why, "the shared limits cannot be reached");
                Self::new(Kind::Unavailable, "the shared limits cannot be reached; try again in a moment")
            }
        }
    }
}

impl From<CatalogueError> for Problem {
    fn from(error: CatalogueError) -> Self {
        match error {
            CatalogueError::Invalid { field, reason } => Self::field(field, &reason),
            CatalogueError::Store(error) => error.into(),
        }
    }
}

impl From<RankingError> for Problem {
    fn from(error: RankingError) -> Self {
        match error {
            RankingError::NoSuchDay { .. } => Self::field("date", &error.to_string()),
            RankingError::Store(error) => error.into(),
        }
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Invalid { field, reason } => Self::field(field, &reason),
            WebhookError::Owner(error) => error.into(),
            WebhookError::Store(error) => error.into(),
        }
    }
}

impl From<OwnerError> for Problem {
    fn from(error: OwnerError) -> Self {
        let text = error.to_string();
        match error {
            OwnerError::NotTheOwner(kind) => Self::new(Kind::NotTheOwner, text).with("resource", kind),
            OwnerError::NoOrganiser(_) => Self::new(Kind::NotPossible, text),
            OwnerError::Store(error) => error.into(),
        }
    }
}

impl From<MediaError> for Problem {
    fn from(error: MediaError) -> Self {
        let text = error.to_string();
        let kind = match error {
            MediaError::None => Kind::NotFound,
            MediaError::TooLarge => Kind::BodyTooLarge,
            MediaError::NotAnImage(NotAnImage::Unknown) | MediaError::OtherFormat { .. } => {
                Kind::UnsupportedMediaType
            }
            MediaError::NotAnImage(_) => Kind::InvalidRequest,
            MediaError::TooMany(_) => Kind::NotPossible,
            MediaError::Files(why) => {
                tracing::warn!(%why, "the files of pictures cannot be reached");
                return Self::new(Kind::Unavailable, "pictures cannot be reached; try again in a moment");
            }
            MediaError::Store(error) => return error.into(),
        };
        Self::new(kind, text)
    }
}

impl From<EntryError> for Problem {
    fn from(error: EntryError) -> Self {
        let text = error.to_string();
        let kind = match error.reason {
            EntryRefusal::NoToken => Kind::QueueTokenRequired,
            EntryRefusal::NotYourTurn => Kind::NotYourTurn,
            EntryRefusal::Token(_) | EntryRefusal::Over => Kind::InvalidQueueToken,
            EntryRefusal::Unavailable(error) => return error.into(),
        };
        Self::new(kind, text).with("roomId", error.room.0)
    }
}

impl From<LineError> for Problem {
    fn from(error: LineError) -> Self {
        let text = error.to_string();
        match error {
            LineError::NoSuchRoom(_) => Self::missing("waiting room"),
            LineError::NotGuarded(_) => Self::new(Kind::NotPossible, text),
            LineError::AccountNeeded => Self::new(Kind::NotAuthenticated, text),
            LineError::Token(_) => Self::new(Kind::InvalidQueueToken, text),
            LineError::Refused(line::Refusal::TooManyNumbers) => {
                Self::new(Kind::TooManyRequests, text).retry_after(60)
            }
            LineError::Refused(refusal) => Self::new(line_kind(refusal), text),
            LineError::Change(ChangeError::Settings(error)) => LineError::from(error).into(),
            LineError::Change(ChangeError::PublicRandomness) => Self::field("publicRandomness", &text),
            LineError::Change(ChangeError::Phase(_)) => Self::new(Kind::NotPossible, text),
            LineError::Invalid { field, reason } => Self::field(line_field(field), &reason),
            LineError::Store(error) => error.into(),
        }
    }
}

fn line_kind(refusal: line::Refusal) -> Kind {
    match refusal {
        line::Refusal::NotYet => Kind::WaitingRoomNotOpen,
        line::Refusal::Closed => Kind::WaitingRoomClosed,
        line::Refusal::NotYourTurn => Kind::NotYourTurn,
        line::Refusal::UnknownTicket | line::Refusal::Over => Kind::InvalidQueueToken,
        line::Refusal::Full | line::Refusal::NumbersUsedUp => Kind::Overloaded,
        line::Refusal::TooManyNumbers => Kind::TooManyRequests,
    }
}

/// The engine's field as requests have it.
fn line_field(field: &'static str) -> &'static str {
    match field {
        "performances" => "performanceIds",
        "items" => "itemNumbers",
        "admissions" => "mode.admissions",
        "interval_ms" => "mode.intervalMs",
        "inside_max" => "mode.insideMax",
        "floor" => "mode.floor",
        "ceiling" => "mode.ceiling",
        "unseen_ms" => "times.unseenMs",
        "claim_ms" => "times.claimMs",
        "pass_ms" => "times.passMs",
        "poll.min_ms" => "times.pollMinMs",
        "poll.max_ms" => "times.pollMaxMs",
        field => field,
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        let text = error.to_string();
        match error {
            AccountError::Invalid { field, reason } => Self::field(field, reason),
            AccountError::EmailTaken => Self::new(Kind::EmailTaken, text),
            AccountError::WrongCredentials => Self::new(Kind::WrongCredentials, text),
            AccountError::InvalidToken => Self::new(Kind::InvalidToken, text),
            AccountError::ProviderAway => Self::new(Kind::Unavailable, text).retry_after(10),
            AccountError::NoSuchUser => Self::new(Kind::NoSuchUser, text),
            AccountError::Disabled => Self::new(Kind::AccountDisabled, text),
            AccountError::LastAdmin => Self::new(Kind::NotPossible, text),
            AccountError::TooMany { wait_ms, .. } => {
                Self::new(Kind::TooManyRequests, text).retry_after(wait_ms.saturating_add(999) / 1_000)
            }
            AccountError::Overloaded => Self::new(Kind::Overloaded, text),
            AccountError::Store(error) => error.into(),
        }
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4 + self.members.len()))?;
        map.serialize_entry("type", self.kind.uri())?;
        map.serialize_entry("title", self.kind.title())?;
        map.serialize_entry("status", &self.kind.status().as_u16())?;
        map.serialize_entry("detail", &*self.detail)?;
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The media type of problems.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.respond(&self, PROBLEM_JSON)
    }
}

impl Problem {
    /// An answer with the problem's status and headers, and this body.
    pub(crate) fn respond(&self, body: &impl Serialize, media_type: &'static str) -> Response {
        let mut bytes = Vec::with_capacity(256);
        serde_json::to_writer(&mut bytes, body).expect("a problem is plain JSON");
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = self.kind.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.kind.status() == StatusCode::UNAUTHORIZED {
            let challenge =
                if self.kind == Kind::InvalidToken { "Bearer error=\"invalid_token\"" } else { "Bearer" };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use onsale_engine::sales::SaleError;

    use super::*;

    fn written(problem: Problem) -> String {
        let response = problem.clone().into_response();
        let retry_after = response.headers().get(header::RETRY_AFTER).map(|value| value.to_str().unwrap());
        let json = serde_json::to_string(&problem).unwrap();
        format!("{} {retry_after:?} {json}", response.status().as_u16())
    }

    #[test]
    fn what_a_crowd_or_a_failing_database_brings_about_tells_nothing_of_the_inside() {
        let unavailable = || StoreError::Unavailable("10.0.0.7: connection refused".to_owned());
        let problems = [
            Problem::sale(SaleError::Overloaded, Timestamp(0)),
            Problem::sale(SaleError::OutcomeUnknown, Timestamp(0)),
            Problem::sale(unavailable().into(), Timestamp(0)),
            CatalogueError::from(unavailable()).into(),
            AccountError::Overloaded.into(),
            AccountError::Store(StoreError::Broken("column 7".to_owned())).into(),
        ];
        insta::assert_snapshot!(problems.map(written).join("\n"));
    }

    #[test]
    fn each_kind_has_an_address_of_its_own() {
        for (index, kind) in Kind::ALL.iter().enumerate() {
            assert!(Kind::ALL[..index].iter().all(|other| other.uri() != kind.uri()), "{}", kind.uri());
            assert!(!kind.description().is_empty() && kind.status().as_u16() >= 400);
        }
    }
}
