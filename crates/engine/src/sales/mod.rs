//! Selling: the use cases around the pipeline.
//!
//! A hold goes: gate (`view.rs`), lane (`lane.rs`: load, decide, write, commit, announce), answer.
//! The decision itself is `onsale_domain::decide`.

mod bookings;
mod deadlines;
mod health;
mod item_view;
mod lane;
mod metrics;
mod other_nodes;
mod seat_locks;
mod unpaid;
mod view;
mod views;
mod writes;

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use onsale_domain::{
    decide::{
        Cancel, Charge, ClaimCheck, Command, FactKeys, Hold, HoldUnits, IdempotencyKey, Outcome, Pay,
        Refusal, Release, Request, SetStock,
    },
    ids::{ItemId, OrderId, PaymentId, PerformanceId, SeatId, TransferId, UserId},
    item::Stock,
    limits::AllowanceRule,
    line::SaleHealth,
    offer::{Offer, OfferKind},
    order::{Order, OrderStatus, Payment},
    sale::SaleRules,
    time::Timestamp,
    unpaid::{Holder, Holding, Waiting},
    wallet::{PointsFrom, Wallet},
};
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use self::{
    bookings::Bookings,
    deadlines::Deadlines,
    health::Latencies,
    lane::{AtWork, LaneHandle, Message, Pending},
    metrics::Metrics,
    other_nodes::Behind,
    unpaid::{Asked, Known, Ticket, UnpaidHolds},
    views::{InMemory, Views},
};
use crate::{
    accounts::Caller,
    clock::Clock,
    engine::Settings,
    ids::Ids,
    line::{Entry, EntryError, LineError, Shopper, WaitingRooms},
    ports::{Broadcast, Guard, Limiter, Locks, OrderPage, Store, StoreError, TransactionError},
    vitals::{Supervised, Vitals},
};

pub use item_view::ItemView;
pub use unpaid::UnpaidSettings;
pub use view::{PerformanceView, SeatChanges, SeatCounts, SeatSnapshot};

/// How long an idempotency key is remembered, in milliseconds: 24 hours.
const KEY_KEPT_MS: i64 = 24 * 3_600_000;

/// How often old idempotency keys are forgotten, in milliseconds, and how many at once.
const PRUNE_EVERY_MS: i64 = 60_000;
const PRUNE_CHUNK: usize = 1_000;

/// The longest hold, in milliseconds.
const HELD_AT_MOST_MS: i64 = SaleRules::HOLD_MS_BOUNDS.1;

/// How many orders of an account are read at once.
const ORDERS_AT_ONCE: usize = 100;

/// The seats of one portion of a large lock: about ten milliseconds of work, and one flush.
const SEATS_PER_PORTION: usize = 2_000;

/// The settings of the sale pipeline.
#[derive(Clone, Copy, Debug)]
pub struct SaleSettings {
    /// The most commands in one transaction. 1, without what is in memory and with a connection out of the
    /// pool for each, is the classic design.
    pub batch_max: usize,
    /// The most commands that wait in one lane; more are refused with [`SaleError::Overloaded`].
    pub queue_max: usize,
    /// The most seats that an organiser locks or unlocks in one command. More are changed in portions, so
    /// that holds get in between.
    pub seats_per_portion: usize,
    /// Whether what is in memory spares the database work: the gate refuses what is certainly gone, and
    /// a batch leaves out look-ups that memory knows to find nothing.
    pub gate: bool,
    /// Whether a lane keeps its connection to the database while there is work. Otherwise it takes one out
    /// of the pool for each transaction, as the classic design does.
    pub keep_connection: bool,
    /// How a batch defends itself against other nodes.
    pub guard: Guard,
    /// How often the database is asked what other nodes have changed, if it has others. While they tell
    /// it themselves, an eighth as often.
    pub look_every: Duration,
}

impl Default for SaleSettings {
    fn default() -> Self {
        Self {
            batch_max: 1_024,
            queue_max: 8_192,
            seats_per_portion: SEATS_PER_PORTION,
            gate: true,
            keep_connection: true,
            guard: Guard::default(),
            look_every: Duration::from_millis(250),
        }
    }
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum SaleError {
    /// The rules forbid it. Nothing has changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many wait already. Nothing has changed.
    #[error("too many requests are waiting; try again in a moment")]
    Overloaded,
    /// The database failed before the commit. Nothing has changed.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
    /// It may or may not have happened. The same idempotency key tells.
    #[error("whether it was done is unknown; ask again with the same idempotency key")]
    OutcomeUnknown,
    /// There is a waiting room in front of it. Nothing has changed.
    #[error(transparent)]
    NoEntry(#[from] EntryError),
    /// The account has had its bookings at this performance for now. Nothing has changed.
    #[error("at most {max} booking(s) of one account at one performance in {seconds} s")]
    TooManyBookings {
        /// How many there may be.
        max: u32,
        /// In how many seconds.
        seconds: i64,
        /// When to come back.
        until: Timestamp,
    },
    /// Too much is held unpaid from the caller's address, or holds of theirs ended unpaid too often.
    /// Nothing has changed.
    #[error("{}", waiting(.0))]
    TooMuchUnpaid(Waiting),
    /// The caller may not put points into this wallet; those whom it says may. Nothing has changed.
    #[error("points are not put into wallets in this way here")]
    NoPoints(PointsFrom),
}

fn waiting(reason: &Waiting) -> String {
    match reason {
        Waiting::Address { max, held, .. } => {
            format!("at most {max} may be held unpaid from one address at this moment; {held} are")
        }
        Waiting::Account { .. } => "too many holds of this account ended unpaid".to_owned(),
    }
}

/// Unpaid holds that an organiser ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnpaidOf {
    /// One.
    Order(OrderId),
    /// All of an account; or all from an address that were made at this node.
    Holder(Holder),
}

/// Seats or units held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The order.
    pub order: Order,
    /// Whether an earlier request with the same key had done it.
    pub replayed: bool,
    /// The pass, which now lasts as long as the hold; its new token. None where no waiting room is.
    pub pass: Option<String>,
}

/// An order paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// The payment.
    pub payment: Payment,
    /// Whether an earlier request with the same key had done it.
    pub replayed: bool,
}

/// Points charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charged {
    /// The balance after it.
    pub balance: i64,
    /// Whether an earlier request with the same key had done it.
    pub replayed: bool,
}

/// Seats locked or unlocked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeatsLocked {
    /// How many changed.
    pub changed: u32,
    /// How many already were as asked.
    pub unchanged: u32,
    /// Those that buyers have, left as they are.
    pub taken: Vec<SeatId>,
}

/// Selling. Cheap to clone.
#[derive(Clone)]
pub struct Sales {
    shared: Arc<Shared>,
    running: Arc<Mutex<Option<Running>>>,
}

/// What the use cases and the background tasks share.
struct Shared {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    settings: SaleSettings,
    claim_check: ClaimCheck,
    performances: Views<PerformanceId, PerformanceView>,
    items: Views<ItemId, ItemView>,
    deadlines: Deadlines,
    behind: Behind,
    metrics: Metrics,
    latencies: Latencies,
    rooms: WaitingRooms,
    lanes: Vec<mpsc::Sender<Message>>,
    unpaid: Arc<UnpaidHolds>,
    points_from: PointsFrom,
    /// How many bookings an account may make, if that is limited.
    bookings: OnceLock<Bookings>,
    /// The turn of a portion of a large change; see `seat_locks.rs`. Whoever waits longest is next.
    portions: tokio::sync::Mutex<()>,
    /// Since when each lane has been at its batch.
    at_work: Vec<AtWork>,
    vitals: Vitals,
    /// What nodes share, if they do.
    locks: OnceLock<Arc<dyn Locks>>,
    /// How nodes tell each other what they change, if they do.
    broadcast: OnceLock<Arc<dyn Broadcast>>,
}

/// The background tasks.
struct Running {
    lanes: Vec<LaneHandle>,
    helpers: Vec<Supervised>,
}

/// The answer that a lane will give.
type Answer = oneshot::Receiver<Result<Outcome, SaleError>>;

impl Sales {
    /// From now on [`Guard::Distributed`] takes these locks.
    pub(crate) fn share(&self, locks: Arc<dyn Locks>) {
        // The first ones stay.
        let _ = self.shared.locks.set(locks);
    }

    /// From now on other nodes are told what changes here, and heard.
    pub(crate) fn tell_changes(&self, broadcast: Arc<dyn Broadcast>) {
        // The first one stays.
        let _ = self.shared.broadcast.set(broadcast);
    }

    /// From now on an account may make so many bookings at a performance.
    pub(crate) fn limit_bookings(&self, limiter: Arc<dyn Limiter>, rule: AllowanceRule) {
        // The first rule stays.
        let _ = self.shared.bookings.set(Bookings::new(limiter, rule));
    }

    /// How many bookings an account may make at a performance, if that is limited.
    #[must_use]
    pub fn booking_rule(&self) -> Option<&AllowanceRule> {
        self.shared.bookings.get().map(Bookings::rule)
    }

    pub(crate) async fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        rooms: WaitingRooms,
        settings: &Settings,
    ) -> Result<Self, StoreError> {
        let queue_max = settings.sales.queue_max.max(1);
        let (lanes, queues): (Vec<_>, Vec<_>) =
            (0..store.lanes().max(1)).map(|_| mpsc::channel(queue_max)).unzip();
        let shared = Arc::new(Shared {
            store,
            clock,
            ids,
            settings: settings.sales,
            claim_check: settings.claim_check,
            performances: Views::default(),
            items: Views::default(),
            deadlines: Deadlines::default(),
            behind: Behind::default(),
            metrics: Metrics::new(),
            latencies: Latencies::default(),
            rooms,
            at_work: lanes.iter().map(|_| AtWork::default()).collect(),
            lanes,
            unpaid: Arc::new(UnpaidHolds::new(settings.unpaid.clone())),
            points_from: settings.points_from,
            bookings: OnceLock::new(),
            portions: tokio::sync::Mutex::default(),
            vitals: settings.vitals.clone(),
            locks: OnceLock::new(),
            broadcast: OnceLock::new(),
        });
        deadlines::recover(&shared).await?;
        let lanes = queues.into_iter().enumerate();
        let lanes = lanes.map(|(index, queue)| lane::spawn(shared.clone(), index, queue));
        let running = Running { lanes: lanes.collect::<Result<_, _>>()?, helpers: helpers(&shared) };
        Ok(Self { shared, running: Arc::new(Mutex::new(Some(running))) })
    }

    /// The lanes that do not get on with their batches, for people.
    pub(crate) fn stuck(&self) -> Vec<String> {
        let now = Instant::now();
        let stuck = self.shared.at_work.iter().enumerate().filter_map(|(index, at_work)| {
            let busy_for = at_work.stuck_for(now)?;
            Some(format!("lane {} of the sale has been at one batch for {} s", index + 1, busy_for.as_secs()))
        });
        stuck.collect()
    }

    /// Has the thread of a lane panic, beside its batches. For tests only.
    #[doc(hidden)]
    pub fn break_lane_of(&self, performance: PerformanceId) {
        let _ = self.shared.lane(performance.0).try_send(Message::Panic);
    }

    /// Holds seats for a buyer, who shows a pass if there is a waiting room. When this returns `Ok`,
    /// the hold is on disk.
    ///
    /// # Errors
    /// See [`SaleError`].
    pub async fn hold<'a>(
        &self,
        shopper: impl Into<Shopper<'a>>,
        key: Option<IdempotencyKey>,
        performance: PerformanceId,
        seats: Vec<SeatId>,
    ) -> Result<Held, SaleError> {
        let command = |order| Command::Hold(Hold { order, performance, seats });
        self.take(shopper.into(), key, performance.into(), command).await
    }

    /// Holds units of an item for a buyer, all of them or none, as [`Sales::hold`] does seats.
    ///
    /// # Errors
    /// See [`SaleError`].
    pub async fn hold_units<'a>(
        &self,
        shopper: impl Into<Shopper<'a>>,
        key: Option<IdempotencyKey>,
        item: ItemId,
        count: u32,
    ) -> Result<Held, SaleError> {
        let command = |order| Command::HoldUnits(HoldUnits { order, item, count });
        self.take(shopper.into(), key, item.into(), command).await
    }

    /// Lets a hold through room, gate and pipeline.
    async fn take(
        &self,
        Shopper { user: caller, pass, from }: Shopper<'_>,
        key: Option<IdempotencyKey>,
        offer: Offer,
        command: impl FnOnce(OrderId) -> Command,
    ) -> Result<Held, SaleError> {
        let entry = match self.shared.rooms.admit(offer, Some(caller), pass).await {
            Ok(entry) => entry,
            // Whoever was inside and repeats a request is to learn what became of it.
            Err(error) if error.has_been_inside() && self.is_repeated(caller, key).await? => None,
            Err(error) => return Err(error.into()),
        };
        let order = OrderId(self.shared.next_id());
        let command = command(order);
        if self.shared.settings.gate {
            self.pass_gate(caller, &command)?;
        }
        let ticket = self.count_unpaid(caller, from, key, order, &command)?;
        let booked = self.shared.bookings.get().zip(offer.performance());
        let Some((bookings, performance)) = booked else {
            return self.hold_now(caller, key, command, ticket, entry).await;
        };
        let token = key.map_or(order.0.as_u128(), |key| key.id);
        let booking = bookings.begin(caller, performance, token).await?;
        // Carried out and settled also if the caller does not wait for it.
        let sales = self.clone();
        let carried_out = tokio::spawn(async move {
            let outcome = sales.hold_now(caller, key, command, ticket, entry).await;
            if let Some(bookings) = sales.shared.bookings.get() {
                bookings.settle(&booking, &outcome).await;
            }
            outcome
        });
        match carried_out.await {
            Ok(outcome) => outcome,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Has a hold decided that may go on.
    async fn hold_now(
        &self,
        caller: UserId,
        key: Option<IdempotencyKey>,
        command: Command,
        ticket: Option<Ticket>,
        entry: Option<Entry>,
    ) -> Result<Held, SaleError> {
        match self.shared.ask_with(caller, key, command, ticket).await? {
            Outcome::Held { order, replayed } => {
                let pass = self.extended(entry, &order).await;
                Ok(Held { order, replayed, pass })
            }
            other => unreachable!("a hold was answered {other:?}"),
        }
    }

    /// Counts a hold among those that are not paid, if it may be.
    fn count_unpaid(
        &self,
        user: UserId,
        address: Option<IpAddr>,
        key: Option<IdempotencyKey>,
        order: OrderId,
        command: &Command,
    ) -> Result<Option<Ticket>, SaleError> {
        let shared = &self.shared;
        let now = shared.clock.now();
        let key = key.map(|key| key.id);
        let ticket = match command {
            Command::Hold(Hold { performance, seats, .. }) => {
                let view = shared.performances.get(*performance);
                let known = view.as_deref().map(known_performance);
                let units = u32::try_from(seats.len()).unwrap_or(u32::MAX);
                let seat = seats.first().copied();
                let offer = (*performance).into();
                let asked = Asked { offer, order, user, address, key, seat, units };
                let is_over = |seat: SeatId| view.as_ref().is_some_and(|view| view.is_not_held(seat));
                let other_nodes = shared.store.is_shared().then_some(&is_over as &dyn Fn(SeatId) -> bool);
                shared.unpaid.ask(asked, known, now, other_nodes)
            }
            Command::HoldUnits(HoldUnits { item, count, .. }) => {
                let known = shared.items.get(*item).as_deref().map(known_item);
                let offer = (*item).into();
                let asked = Asked { offer, order, user, address, key, seat: None, units: *count };
                shared.unpaid.ask(asked, known, now, None)
            }
            _ => Ok(None),
        };
        ticket.map_err(SaleError::TooMuchUnpaid)
    }

    /// The unpaid holdings of an offer through this node, by account and by address, the most first.
    #[must_use]
    pub fn unpaid(&self, offer: Offer) -> Vec<Holding> {
        self.shared.unpaid.holdings(offer, self.shared.clock.now())
    }

    /// Ends unpaid holds of an offer, for its organiser; how many. What is paid meanwhile stays. To those
    /// who held them it counts as if they had let them lapse.
    ///
    /// # Errors
    /// If the database cannot be read, or what it was asked for may or may not have happened.
    pub async fn end_unpaid(&self, offer: Offer, which: UnpaidOf) -> Result<usize, SaleError> {
        let orders = match which {
            UnpaidOf::Order(order) => vec![order],
            UnpaidOf::Holder(holder @ Holder::Network(..)) => self.shared.unpaid.orders_of(offer, holder),
            UnpaidOf::Holder(Holder::Account(user)) => self.unpaid_orders(offer, user).await?,
        };
        self.shared.unpaid.end_for(offer, orders.iter().copied());
        let mut answers = Vec::with_capacity(orders.len());
        for order in orders {
            let command = Command::Release(Release { order, offer });
            answers.push(self.shared.command_waiting(lane::HOUSE, command).await?);
        }
        let mut ended = 0;
        for answer in answers {
            let outcome = answer.await.unwrap_or(Err(SaleError::OutcomeUnknown))?;
            ended += usize::from(outcome == Outcome::Released(true));
        }
        Ok(ended)
    }

    /// The unpaid orders of an account at an offer, through whatever node they were made.
    async fn unpaid_orders(&self, offer: Offer, user: UserId) -> Result<Vec<OrderId>, SaleError> {
        let oldest = OrderId::first_at(self.shared.clock.now().plus_ms(-HELD_AT_MOST_MS));
        let (mut orders, mut before) = (Vec::new(), None);
        loop {
            let page = self.shared.store.orders_of(user, offer.kind(), before, ORDERS_AT_ONCE).await?;
            let held = page.orders.iter().filter(|order| order.status == OrderStatus::Held);
            orders.extend(held.filter(|order| order.offer() == offer).map(|order| order.id));
            before = page.orders.last().map(|order| order.id);
            if page.orders.len() < ORDERS_AT_ONCE || before.is_some_and(|order| order.0 < oldest.0) {
                return Ok(orders);
            }
        }
    }

    /// Pays a held order from the buyer's wallet. If there is a waiting room, that uses the pass up.
    ///
    /// # Errors
    /// See [`SaleError`].
    pub async fn pay<'a>(
        &self,
        shopper: impl Into<Shopper<'a>>,
        key: Option<IdempotencyKey>,
        order: OrderId,
    ) -> Result<Paid, SaleError> {
        let shopper = shopper.into();
        let caller = shopper.user;
        let found = self.order(caller, order).await?;
        let offer = found.offer();
        let entry = match self.shared.rooms.admit_to_pay(offer, shopper, found.expires_at).await {
            Ok(entry) => entry,
            // Read after the pass was looked at, since an order is paid before its pass is used up. No
            // money moves any more: whoever repeats the request is to learn what became of it.
            Err(error) if self.order(caller, order).await?.status == OrderStatus::Held => {
                return Err(error.into());
            }
            Err(_) => None,
        };
        let payment = PaymentId(self.shared.next_id());
        let transfer = TransferId(self.shared.next_id());
        let command = Command::Pay(Pay { order, offer, payment, transfer });
        match self.shared.ask(caller, key, command).await? {
            Outcome::Paid { payment, replayed } => {
                if let Some(entry) = entry {
                    self.shared.rooms.use_up(entry).await;
                }
                Ok(Paid { payment, replayed })
            }
            other => unreachable!("a payment was answered {other:?}"),
        }
    }

    /// Gives an order back; refunds it if it was paid. Cancelling twice is the same as once.
    ///
    /// # Errors
    /// See [`SaleError`].
    pub async fn cancel(&self, caller: UserId, order: OrderId) -> Result<Order, SaleError> {
        let offer = self.order(caller, order).await?.offer();
        let transfer = TransferId(self.shared.next_id());
        let command = Command::Cancel(Cancel { order, offer, transfer });
        match self.shared.ask(caller, None, command).await? {
            Outcome::Cancelled { order, again } => {
                if let Some(bookings) = self.shared.bookings.get().filter(|_| !again) {
                    bookings.given_back(&order, self.shared.clock.now()).await;
                }
                Ok(order)
            }
            other => unreachable!("a cancellation was answered {other:?}"),
        }
    }

    /// Adds points to the caller's own wallet, if everybody may ([`PointsFrom`]). `amount` is in minor units.
    ///
    /// # Errors
    /// See [`SaleError`].
    pub async fn charge(
        &self,
        caller: UserId,
        key: Option<IdempotencyKey>,
        amount: i64,
    ) -> Result<Charged, SaleError> {
        if !self.shared.points_from.lets_charge() {
            return Err(SaleError::NoPoints(self.shared.points_from));
        }
        self.add_points(caller, key, amount).await
    }

    /// Adds points to an account's wallet on behalf of somebody who may ([`PointsFrom`]). The account must
    /// exist.
    ///
    /// # Errors
    /// See [`SaleError`].
    pub async fn credit(
        &self,
        by: Caller,
        account: UserId,
        key: Option<IdempotencyKey>,
        amount: i64,
    ) -> Result<Charged, SaleError> {
        if !self.shared.points_from.lets_credit(by.role) {
            return Err(SaleError::NoPoints(self.shared.points_from));
        }
        let charged = self.add_points(account, key, amount).await?;
        tracing::info!(by = %by.user, %account, amount, replayed = charged.replayed, "points were credited");
        Ok(charged)
    }

    async fn add_points(
        &self,
        caller: UserId,
        key: Option<IdempotencyKey>,
        amount: i64,
    ) -> Result<Charged, SaleError> {
        let transfer = TransferId(self.shared.next_id());
        match self.shared.ask(caller, key, Command::Charge(Charge { amount, transfer })).await? {
            Outcome::Charged { balance, replayed } => Ok(Charged { balance, replayed }),
            other => unreachable!("a charge was answered {other:?}"),
        }
    }

    /// A buyer's points.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn wallet(&self, caller: UserId) -> Result<Wallet, SaleError> {
        Ok(self.shared.store.wallet(caller).await?)
    }

    /// A buyer's order, its status as of now. Somebody else's is [`Refusal::NoSuchOrder`].
    ///
    /// # Errors
    /// See [`SaleError`].
    pub async fn order(&self, caller: UserId, order: OrderId) -> Result<Order, SaleError> {
        let order = self.shared.store.order(order).await?;
        let mut order = order.filter(|order| order.user == caller).ok_or(Refusal::NoSuchOrder)?;
        order.status = order.status_at(self.shared.clock.now());
        Ok(order)
    }

    /// A buyer's orders of one kind of offer, newest first, statuses as of now; those before `before`,
    /// at most `limit`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn orders(
        &self,
        caller: UserId,
        kind: OfferKind,
        before: Option<OrderId>,
        limit: usize,
    ) -> Result<OrderPage, SaleError> {
        let mut page = self.shared.store.orders_of(caller, kind, before, limit).await?;
        let now = self.shared.clock.now();
        for order in &mut page.orders {
            order.status = order.status_at(now);
        }
        Ok(page)
    }

    /// Changes how many units an item has in all, those in orders included. `caller` is the organiser.
    ///
    /// # Errors
    /// See [`SaleError`]; [`Refusal::StockOutOfBounds`] if orders have more.
    pub async fn set_stock(&self, caller: UserId, item: ItemId, total: i64) -> Result<Stock, SaleError> {
        match self.shared.ask(caller, None, Command::SetStock(SetStock { item, total })).await? {
            Outcome::StockSet(stock) => Ok(stock),
            other => unreachable!("a change of stock was answered {other:?}"),
        }
    }

    /// An item's terms and stock, kept up to date in memory. Everybody may see them, whatever waiting
    /// room there is.
    ///
    /// # Errors
    /// [`Refusal::NoSuchItem`], or if the database cannot be read.
    pub async fn item(&self, item: ItemId) -> Result<Arc<ItemView>, SaleError> {
        if let Some(view) = self.shared.items.get(item) {
            view.touch(self.shared.clock.now());
            return Ok(view);
        }
        // Asked here, so that made-up ids do not keep the lane from selling.
        if self.shared.store.item_versions(&[item]).await?.is_empty() {
            return Err(Refusal::NoSuchItem(item).into());
        }
        let (answer, view) = oneshot::channel();
        self.shared.send_now(Offer::Item(item).code(), Message::Item(item, answer))?;
        view.await.map_err(|_| SaleError::Overloaded)?
    }

    /// What everybody may see of a performance's seats, kept up to date in memory. If there is a
    /// waiting room, nobody may without a pass: see [`Sales::view_with`].
    ///
    /// # Errors
    /// [`Refusal::NoSuchPerformance`], [`SaleError::NoEntry`], or if the database cannot be read.
    pub async fn view(&self, performance: PerformanceId) -> Result<Arc<PerformanceView>, SaleError> {
        self.view_with(None, performance).await
    }

    /// As [`Sales::view`], for somebody who may have a pass.
    ///
    /// # Errors
    /// As [`Sales::view`].
    pub async fn view_with(
        &self,
        pass: Option<&str>,
        performance: PerformanceId,
    ) -> Result<Arc<PerformanceView>, SaleError> {
        self.shared.rooms.admit(performance.into(), None, pass).await?;
        self.view_of_house(performance).await
    }

    /// As [`Sales::view`], for organisers, and for what somebody has bought already: whatever waiting
    /// room there is.
    ///
    /// # Errors
    /// [`Refusal::NoSuchPerformance`], or if the database cannot be read.
    pub async fn view_of_house(&self, performance: PerformanceId) -> Result<Arc<PerformanceView>, SaleError> {
        if let Some(view) = self.shared.performances.get(performance) {
            view.touch(self.shared.clock.now());
            return Ok(view);
        }
        // Asked here, so that made-up ids do not keep the lane from selling.
        if self.shared.store.performance(performance).await?.is_none() {
            return Err(Refusal::NoSuchPerformance(performance).into());
        }
        let (answer, view) = oneshot::channel();
        self.shared.send_now(performance.0, Message::View(performance, answer))?;
        view.await.map_err(|_| SaleError::Overloaded)?
    }

    /// Reads an offer's terms again after an organiser has changed them.
    pub(crate) async fn terms_changed(&self, offer: Offer) {
        if let Err(error) = other_nodes::read_anew(&self.shared, offer).await {
            // The next batch notices the new revision by itself.
            tracing::warn!(%error, %offer, "cannot read changed terms; a later batch will");
        }
        self.shared.tell(offer);
    }

    /// Answers what has been accepted, then ends.
    pub(crate) async fn stop(&self) {
        let Some(running) = self.running.lock().take() else {
            return;
        };
        drop(running.helpers);
        for lane in running.lanes {
            lane.stop().await;
        }
    }

    /// Whether an earlier request with the same key has done something.
    async fn is_repeated(&self, caller: UserId, key: Option<IdempotencyKey>) -> Result<bool, SaleError> {
        let Some(key) = key else { return Ok(false) };
        let keys = FactKeys { keys: BTreeSet::from([(caller, key.id)]), ..FactKeys::default() };
        let mut transaction = self.shared.store.begin(Guard::None).await?;
        match transaction.load(&keys).await {
            Ok(loaded) => Ok(!loaded.keys.is_empty()),
            Err(TransactionError::Conflict) => Err(SaleError::Overloaded),
            Err(TransactionError::Store(error)) => Err(error.into()),
        }
    }

    /// How the sale fared since this was called last.
    pub(crate) fn health(&self) -> SaleHealth {
        self.shared.health()
    }

    /// Lets a pass last as long as what was held with it; its new token. If the room does not answer, it
    /// is asked again beside: what is held would outlive its pass.
    async fn extended(&self, entry: Option<Entry>, order: &Order) -> Option<String> {
        let (entry, until) = (entry?, order.expires_at);
        match self.shared.rooms.extend(&entry, until).await {
            Ok(token) => Some(token),
            Err(LineError::Store(error)) => {
                tracing::debug!(%error, "a pass is not extended yet");
                let rooms = self.shared.rooms.clone();
                tokio::spawn(async move { rooms.extend_in_the_end(&entry, until).await });
                None
            }
            Err(error) => {
                tracing::debug!(%error, "a pass was not extended");
                None
            }
        }
    }

    fn pass_gate(&self, caller: UserId, command: &Command) -> Result<(), SaleError> {
        match self.refused_at_gate(caller, command) {
            None => Ok(()),
            Some(refusal) => {
                self.shared.metrics.refused_at_gate(&refusal);
                Err(SaleError::Refused(refusal))
            }
        }
    }

    /// Why a hold is certainly refused, if that is known in memory.
    fn refused_at_gate(&self, caller: UserId, command: &Command) -> Option<Refusal> {
        let now = self.shared.clock.now();
        match command {
            Command::Hold(hold) => {
                let view = self.shared.performances.get(hold.performance)?;
                view.touch(now);
                view.refuses(caller, &hold.seats, now)
            }
            Command::HoldUnits(hold) => {
                let view = self.shared.items.get(hold.item)?;
                view.touch(now);
                view.refuses(caller, hold.count, now)
            }
            _ => None,
        }
    }
}

impl Shared {
    /// Has everything in memory read anew: nobody knows what of it is still so.
    fn suspect_everything(&self) {
        let ever = Timestamp(i64::MIN);
        self.performances.used_since(ever).iter().for_each(|(id, _)| self.behind.add((*id).into()));
        self.items.used_since(ever).iter().for_each(|(id, _)| self.behind.add((*id).into()));
    }

    /// Tells the other nodes that an offer has changed.
    fn tell(&self, offer: Offer) {
        if let Some(broadcast) = self.broadcast.get() {
            broadcast.tell(offer);
        }
    }

    fn next_id(&self) -> uuid::Uuid {
        self.ids.next(self.clock.now())
    }

    /// Puts a command into its lane and waits for the answer. A full lane refuses at once.
    async fn ask(
        &self,
        caller: UserId,
        key: Option<IdempotencyKey>,
        command: Command,
    ) -> Result<Outcome, SaleError> {
        self.ask_with(caller, key, command, None).await
    }

    async fn ask_with(
        &self,
        caller: UserId,
        key: Option<IdempotencyKey>,
        command: Command,
        ticket: Option<Ticket>,
    ) -> Result<Outcome, SaleError> {
        let (answer, outcome) = oneshot::channel();
        let shard = shard(caller, &command);
        let request = Request { caller, key, command };
        let asked = Instant::now();
        self.send_now(shard, Message::Command(Pending { request, answer, ticket }))?;
        // A lane that goes away without an answer was stopped in the middle of a batch.
        let answered = outcome.await.unwrap_or(Err(SaleError::OutcomeUnknown));
        self.latencies.note(asked.elapsed());
        answered
    }

    /// Puts a command into its lane, waiting for a place if it is full.
    async fn command_waiting(&self, caller: UserId, command: Command) -> Result<Answer, SaleError> {
        let (answer, outcome) = oneshot::channel();
        let lane = self.lane(shard(caller, &command));
        let request = Request { caller, key: None, command };
        let pending = Pending { request, answer, ticket: None };
        lane.send(Message::Command(pending)).await.map_err(|_| SaleError::Overloaded)?;
        Ok(outcome)
    }

    fn send_now(&self, shard: i64, message: Message) -> Result<(), SaleError> {
        self.lane(shard).try_send(message).map_err(|_| {
            self.metrics.overloaded.increment(1);
            SaleError::Overloaded
        })
    }

    fn lane(&self, shard: i64) -> &mpsc::Sender<Message> {
        let lanes = self.lanes.len() as u64;
        &self.lanes[usize::try_from(shard.unsigned_abs() % lanes).expect("a lane's index is small")]
    }
}

fn known_performance(view: &PerformanceView) -> Known {
    let terms = view.terms();
    Known {
        total: u32::try_from(terms.seats.seats().len()).unwrap_or(u32::MAX),
        buyer_max: terms.rules.seats_per_buyer_max,
        hold_ms: terms.rules.hold_ms,
    }
}

fn known_item(view: &ItemView) -> Known {
    let rules = view.terms().rules;
    Known {
        total: u32::try_from(view.stock().total).unwrap_or(u32::MAX),
        buyer_max: rules.units_per_buyer_max,
        hold_ms: rules.hold_ms,
    }
}

/// Begins what works beside the lanes.
fn helpers(shared: &Arc<Shared>) -> Vec<Supervised> {
    fn helper<F: Future<Output = ()> + Send + 'static>(
        shared: &Arc<Shared>,
        name: &'static str,
        work: fn(Arc<Shared>) -> F,
    ) -> Supervised {
        let working = shared.clone();
        shared.vitals.supervise(name, move || work(working.clone()))
    }
    vec![
        helper(shared, "the timer of holds", deadlines::keep),
        helper(shared, "the sweep of holds", deadlines::sweep),
        helper(shared, "the follower of other nodes", other_nodes::follow),
        helper(shared, "the sweep of idempotency keys", forget_old_keys),
        helper(shared, "the watch over writes", writes::watch),
    ]
}

/// What decides which lane a command goes through: the offer, or whose wallet it is.
fn shard(caller: UserId, command: &Command) -> i64 {
    command.offer().map_or(caller.0, Offer::code)
}

/// Forgets idempotency keys that are old enough, until the task is aborted.
async fn forget_old_keys(shared: Arc<Shared>) {
    loop {
        let now = shared.clock.now();
        match shared.store.prune_keys(now.plus_ms(-KEY_KEPT_MS), PRUNE_CHUNK).await {
            // There may be more; the pause lets the sale through.
            Ok(PRUNE_CHUNK) => tokio::time::sleep(Duration::from_millis(50)).await,
            Ok(_) => shared.clock.sleep(PRUNE_EVERY_MS).await,
            Err(error) => {
                tracing::warn!(%error, "cannot forget old idempotency keys");
                shared.clock.sleep(PRUNE_EVERY_MS).await;
            }
        }
    }
}
