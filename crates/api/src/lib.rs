//! The JSON API of Onsale: one operation per file with its request type, handler and documentation.
//!
//! [`router`] serves it over an [`Engine`]; [`openapi`] describes it. Errors are RFC 9457 problems
//! with a closed set of types, all in `problem.rs`. Answers that many ask for are encoded once
//! (`encoded.rs`) and kept: catalogue reads by address and epoch, seats by version.

use std::sync::{Arc, atomic::AtomicBool};

use axum::Router;
use onsale_domain::money::Currency;
use onsale_engine::{Engine, sales::SaleError};
use tokio::sync::{Semaphore, watch};
use utoipa::openapi::OpenApi;

mod accounts;
mod admin;
mod caller;
mod catalogue;
mod document;
pub mod door;
mod encoded;
mod event_stream;
mod extract;
mod idempotency;
mod items;
mod json;
mod media;
mod observe;
mod operation;
mod ops;
mod paging;
mod payments;
mod performances;
mod problem;
mod queue;
mod reservations;
mod time;

use door::{Door, DoorSettings};
use operation::Operations;
use problem::Problem;

/// The settings of the API.
#[derive(Clone)]
pub struct ApiSettings {
    /// The currency of all prices and wallets; the engine's.
    pub currency: Currency,
    /// The most watchers of seats at once; more are refused with 503.
    pub watchers_max: usize,
    /// Turns `true` when the server stops: then watchers are let go. Never, if there is none.
    pub stopping: Option<watch::Receiver<bool>>,
    /// Whether the server is about to stop: then it says that it is not ready, and serves on.
    pub draining: Arc<AtomicBool>,
    /// Who is let in.
    pub door: DoorSettings,
}

impl ApiSettings {
    /// Defaults: 10,000 watchers, no limits.
    #[must_use]
    pub fn new(currency: Currency) -> Self {
        Self {
            currency,
            watchers_max: 10_000,
            stopping: None,
            draining: Arc::default(),
            door: DoorSettings::default(),
        }
    }
}

/// What handlers share.
struct Api {
    engine: Arc<Engine>,
    currency: Currency,
    catalogue: catalogue::CatalogueCache,
    live: performances::LiveCache,
    rooms: queue::RoomCache,
    watchers: Arc<Semaphore>,
    door: Door,
    stopping: Option<watch::Receiver<bool>>,
    draining: Arc<AtomicBool>,
    metrics: Box<dyn Fn() -> String + Send + Sync>,
}

type Shared = Arc<Api>;

impl Api {
    /// What a command that was not carried out is answered.
    fn sale_problem(&self, error: SaleError) -> Problem {
        Problem::sale(error, self.engine.clock().now())
    }
}

/// The API over an engine. `metrics` gives the text that `/metrics` answers; install the metrics
/// recorder before the first request.
pub fn router(
    engine: Arc<Engine>,
    settings: ApiSettings,
    metrics: impl Fn() -> String + Send + Sync + 'static,
) -> Router {
    let cors_origins = settings.door.cors_origins.clone();
    let api = Arc::new(Api {
        engine,
        currency: settings.currency,
        catalogue: catalogue::CatalogueCache::new(),
        live: performances::LiveCache::new(),
        rooms: queue::RoomCache::new(),
        watchers: Arc::new(Semaphore::new(settings.watchers_max.min(Semaphore::MAX_PERMITS))),
        stopping: settings.stopping,
        draining: settings.draining,
        door: Door::new(settings.door),
        metrics: Box::new(metrics),
    });
    let (routes, document) = operations().split_for_parts();
    let document = document::with_optional_bodies(document);
    let routes = routes.with_state(api).merge(ops::documentation(&document));
    door::cors(operation::with_fallbacks(routes), &cors_origins)
}

/// The OpenAPI document of [`router`].
#[must_use]
pub fn openapi() -> OpenApi {
    document::with_optional_bodies(operations().into_openapi())
}

fn operations() -> Operations {
    Operations::with_openapi(document::base())
        .merge(accounts::operations())
        .merge(catalogue::operations())
        .merge(media::operations())
        .merge(performances::operations())
        .merge(reservations::operations())
        .merge(items::operations())
        .merge(payments::operations())
        .merge(queue::operations())
        .merge(admin::operations())
        .merge(ops::operations())
}
