//! The group commit: one transaction for many commands.
//!
//! A lane is a queue and a task. While one transaction commits, the next batch gathers in the
//! queue, so an idle system answers at once and a busy one batches by itself; there is no timer.
//! All commands of one offer go through one lane, in the order they came.

use std::{collections::BTreeSet, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use hashbrown::HashMap;
use onsale_domain::{
    decide::{Changes, Decider, FactKeys, Facts, ItemFacts, Outcome, PerformanceFacts, Refusal, Request},
    ids::{ItemId, OrderId, PerformanceId, SeatId, UserId},
    offer::Offer,
    time::Timestamp,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};

use super::{
    SaleError, Shared, deadlines, item_view::ItemView, known_absent::KnownAbsent, on_memory, other_nodes,
    unused_keys::UnusedKeys, view::PerformanceView, views::InMemory,
};
use crate::ports::{
    CommitError, Guard, Held, LoadedFacts, LoadedItem, LockError, SaleTransaction, SaleWriter, StoreError,
    TransactionError,
};

/// Who commands that no person gave come from.
pub(super) const HOUSE: UserId = UserId(0);

/// How often a batch is decided because somebody else was first.
const ATTEMPTS_MAX: usize = 4;

/// After so many attempts lost to others, a batch locks what it loads whatever the guard, so that
/// nobody can be faster for ever.
const OPTIMISTIC_ATTEMPTS_MAX: usize = 2;

/// How long a batch that has certainly not happened is tried again on a database that is not there.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait before it is.
const PAUSE: Duration = Duration::from_millis(50);

/// How long one step of a transaction may take; more than the database's own limit for locks. One
/// that has stopped answering without closing the connection must not hold everybody.
const STEP_MAX: Duration = Duration::from_secs(10);

/// How many performances of one batch are locked in what nodes share, and how long each is waited for.
const LOCKS_MAX: usize = 8;
const LOCK_WAIT_MAX: Duration = Duration::from_millis(250);

/// After a lock was not to be had in time, a lane goes without for so long: what nodes share must
/// not make a sale slow.
const UNLOCKED: Duration = Duration::from_secs(1);

/// After memory has been found to be wrong, because somebody else writes to the same offers or a key
/// was used before, a lane loads everything at once for so long, instead of what memory leaves out
/// and then the rest.
const COMPANY: Duration = Duration::from_secs(1);

/// What a lane is asked.
pub(super) enum Message {
    /// Decide a command.
    Command(Pending),
    /// Bring a performance into memory.
    View(PerformanceId, oneshot::Sender<Result<Arc<PerformanceView>, SaleError>>),
    /// Bring an item into memory.
    Item(ItemId, oneshot::Sender<Result<Arc<ItemView>, SaleError>>),
    /// Read an offer's terms again.
    TermsChanged(Offer, oneshot::Sender<()>),
}

/// A command and where its answer goes.
pub(super) struct Pending {
    pub(super) request: Request,
    pub(super) answer: oneshot::Sender<Result<Outcome, SaleError>>,
}

/// How an attempt ends without answers.
enum Failure {
    /// Somebody else was first, or the terms in memory are old: decide again.
    Again,
    /// It did not happen.
    Store(StoreError),
    /// It may or may not have happened.
    Unknown,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<TransactionError> for Failure {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Conflict => Self::Again,
            TransactionError::Store(error) => Self::Store(error),
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::NotCommitted(error) => error.into(),
            CommitError::Unknown(reason) => {
                tracing::error!(reason, "the outcome of a commit is unknown");
                Self::Unknown
            }
        }
    }
}

/// The attempts at one batch: which guard the next one has, and when there are no more.
struct Attempts {
    guard: Guard,
    lost: usize,
    until: Instant,
}

impl Attempts {
    /// Whether there is another attempt after this failure; if so, returns when it is time for it.
    async fn again(&mut self, failure: &Failure) -> bool {
        match failure {
            Failure::Again => {
                self.lost += 1;
                if self.lost >= OPTIMISTIC_ATTEMPTS_MAX
                    && matches!(self.guard, Guard::Optimistic | Guard::Distributed)
                {
                    self.guard = Guard::Pessimistic;
                }
                self.lost < ATTEMPTS_MAX
            }
            Failure::Store(StoreError::Unavailable(_)) if Instant::now() < self.until => {
                sleep(PAUSE).await;
                true
            }
            Failure::Store(_) | Failure::Unknown => false,
        }
    }
}

/// A running lane. Dropping it stops it too, without waiting.
pub(super) struct LaneHandle {
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl LaneHandle {
    /// Waits until everything that is in the queue has been answered.
    pub(super) async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.ended.await;
    }
}

/// Starts a lane on a thread of its own. On the threads that serve requests, the lane would wait
/// behind hundreds of them at every step of a transaction, and everybody for it.
pub(super) fn spawn(shared: Arc<Shared>, queue: mpsc::Receiver<Message>) -> Result<LaneHandle, StoreError> {
    let failed = |error: std::io::Error| StoreError::Unavailable(format!("no thread for the sale: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let ((stop, stopped), (end, ended)) = (oneshot::channel(), oneshot::channel());
    let lane = Lane::new(shared);
    let run = move || {
        runtime.block_on(lane.run(queue, stopped));
        // With it end the connections that were opened here. Whoever uses the store next must not
        // begin a transaction on one that is about to.
        drop(runtime);
        let _ = end.send(());
    };
    std::thread::Builder::new().name("onsale-lane".to_owned()).spawn(run).map_err(failed)?;
    Ok(LaneHandle { stop, ended })
}

struct Lane {
    shared: Arc<Shared>,
    writer: Box<dyn SaleWriter>,
    /// No decision is made at an earlier time than the one before it, even if the clock is set back.
    last_decided_at: Timestamp,
    /// Until then it does without the locks that nodes share.
    unlocked_until: Option<Instant>,
    /// Until then it leaves nothing out that memory knows.
    company_until: Option<Instant>,
}

impl Lane {
    fn new(shared: Arc<Shared>) -> Self {
        let writer = shared.store.sale_writer();
        let last_decided_at = Timestamp(i64::MIN);
        Self { shared, writer, last_decided_at, unlocked_until: None, company_until: None }
    }

    /// Works until the queue is closed and empty, or until `stop` is told to; then what is already
    /// in the queue is still answered.
    async fn run(mut self, mut queue: mpsc::Receiver<Message>, mut stop: oneshot::Receiver<()>) {
        let batch_max = self.shared.settings.batch_max.max(1);
        let mut inbox = Vec::with_capacity(batch_max);
        loop {
            let received = tokio::select! {
                biased;
                received = queue.recv_many(&mut inbox, batch_max) => received,
                _ = &mut stop, if !queue.is_closed() => {
                    queue.close();
                    continue;
                }
            };
            if received == 0 {
                return;
            }
            self.shared.metrics.queue_depth.set(queue.len() as f64);
            // A defect in one batch must not end the sale. Whoever is in that batch is told that
            // the outcome is unknown, which is true.
            if AssertUnwindSafe(self.take(&mut inbox)).catch_unwind().await.is_err() {
                tracing::error!("a batch panicked");
                inbox.clear();
            }
            if queue.is_empty() || !self.shared.settings.keep_connection {
                self.writer.rest();
            }
        }
    }

    async fn take(&mut self, inbox: &mut Vec<Message>) {
        let mut batch = Vec::with_capacity(inbox.len());
        for message in inbox.drain(..) {
            match message {
                Message::Command(pending) => batch.push(pending),
                // Whoever asked may have gone; then nobody misses the answer.
                Message::View(performance, answer) => drop(answer.send(self.view(performance).await)),
                Message::Item(item, answer) => drop(answer.send(self.item(item).await)),
                Message::TermsChanged(offer, done) => {
                    if let Err(error) = other_nodes::read_anew(&self.shared, offer).await {
                        tracing::warn!(%error, %offer, "cannot read changed terms; a later batch will");
                    }
                    self.shared.tell(offer);
                    let _ = done.send(());
                }
            }
        }
        if !batch.is_empty() {
            self.carry_out(batch, Instant::now() + PATIENCE).await;
        }
    }

    /// Carries out a batch and answers it. Until `until`, a database that is not there is waited for.
    async fn carry_out(&mut self, batch: Vec<Pending>, until: Instant) {
        let mut attempts = Attempts { guard: self.shared.settings.guard, lost: 0, until };
        let failure = loop {
            match self.attempt(&batch, attempts.guard).await {
                Ok(answers) => return self.answer(batch, answers),
                Err(failure) if attempts.again(&failure).await => {
                    if matches!(failure, Failure::Again) {
                        self.shared.metrics.retries.increment(1);
                        self.distrust_memory();
                    }
                }
                Err(failure) => break failure,
            }
        };
        match failure {
            // One command that cannot be written must not take the others down with it.
            Failure::Again | Failure::Store(StoreError::Broken(_)) if batch.len() > 1 => {
                self.carry_out_singly(batch, until).await;
            }
            Failure::Again => {
                let reason = || StoreError::Unavailable("other writers were first, again and again".into());
                refuse(batch, || SaleError::Unavailable(reason()));
            }
            Failure::Store(error) => {
                tracing::error!(%error, "a batch was not written");
                let reason = error.to_string();
                refuse(batch, || SaleError::Unavailable(StoreError::Unavailable(reason.clone())));
            }
            Failure::Unknown => {
                let offers = offers(&batch);
                // First, because the database may be gone for a while. What is in memory is as
                // before the commit, which refuses nobody who may have what they ask for.
                refuse(batch, || SaleError::OutcomeUnknown);
                self.find_out(&offers).await;
            }
        }
    }

    async fn carry_out_singly(&mut self, batch: Vec<Pending>, until: Instant) {
        for pending in batch {
            Box::pin(self.carry_out(vec![pending], until)).await;
        }
    }

    /// Decide, write, commit, announce; and load first, unless memory knows enough.
    async fn attempt(
        &mut self,
        batch: &[Pending],
        guard: Guard,
    ) -> Result<Vec<Result<Outcome, Refusal>>, Failure> {
        let offers = offers(batch);
        let views = self.views(&offers).await?;
        // Let go when the batch is committed or has failed, or this is given up.
        let _locks = self.lock(&offers, guard).await;

        self.shared.metrics.batch_commands.record(batch.len() as f64);
        if let Some(answers) = self.attempt_on_memory(batch, &views, guard).await? {
            return Ok(answers);
        }
        self.attempt_on_loaded(batch, &views, guard).await
    }

    /// Decides a batch on what memory knows, if that is enough and nobody is refused.
    async fn attempt_on_memory(
        &mut self,
        batch: &[Pending],
        views: &BatchViews,
        guard: Guard,
    ) -> Result<Option<Vec<Result<Outcome, Refusal>>>, Failure> {
        if !self.trusts_memory() || guard == Guard::None {
            return Ok(None);
        }
        let stage = self.shared.metrics.stage();
        let Some(facts) = on_memory::facts(requests(batch), views) else { return Ok(None) };
        let mut decider = self.decider(views.facts(facts));
        let answers: Vec<_> = requests(batch).map(|request| decider.decide(request)).collect();
        if answers.iter().any(Result::is_err) {
            return Ok(None);
        }
        let changes = decider.into_changes();
        let stage = self.shared.metrics.decide_seconds(stage);
        let transaction = in_time(self.writer.write(guard, &changes)).await?;
        let stage = self.shared.metrics.write_seconds(stage);
        committed(transaction.commit()).await?;
        self.shared.metrics.commit_seconds(stage);
        self.announce(views, &changes);
        Ok(Some(answers))
    }

    /// Loads the facts behind a batch and decides it on them.
    async fn attempt_on_loaded(
        &mut self,
        batch: &[Pending],
        views: &BatchViews,
        guard: Guard,
    ) -> Result<Vec<Result<Outcome, Refusal>>, Failure> {
        let keys = FactKeys::of(requests(batch)).with_lapsed_by(self.shared.clock.now());
        let stage = self.shared.metrics.stage();
        let mut transaction = self.writer.begin(guard).await?;
        let (loaded, unused) = self.load(&mut *transaction, keys, requests(batch), views).await?;
        let stage = self.shared.metrics.load_seconds(stage);
        if let Some(stale) = views.stale_terms(&loaded) {
            drop(transaction);
            other_nodes::read_anew(&self.shared, stale).await?;
            return Err(Failure::Again);
        }

        let mut decider = self.decider(views.facts(loaded));
        let answers: Vec<_> = requests(batch).map(|request| decider.decide(request)).collect();
        if let Some(unproven) = unused.unproven(requests(batch).zip(&answers))
            && !in_time(transaction.load(&unproven)).await?.keys.is_empty()
        {
            return Err(Failure::Again);
        }
        let changes = decider.into_changes();
        if changes.is_empty() {
            return Ok(answers);
        }

        let metrics = &self.shared.metrics;
        let stage = metrics.decide_seconds(stage);
        in_time(transaction.write(&changes)).await?;
        let stage = metrics.write_seconds(stage);
        committed(transaction.commit()).await?;
        metrics.commit_seconds(stage);
        self.announce(views, &changes);
        Ok(answers)
    }

    /// A decider on facts that have been loaded before now, so that no decision is older than what it
    /// rests on.
    fn decider(&mut self, facts: Facts) -> Decider {
        self.last_decided_at = self.shared.clock.now().max(self.last_decided_at);
        Decider::new(facts, self.last_decided_at, self.shared.claim_check)
    }

    /// Loads the facts behind the keys, except those that memory knows to be absent. Idempotency keys that
    /// have not been looked up are returned, too.
    async fn load(
        &mut self,
        transaction: &mut dyn SaleTransaction,
        mut keys: FactKeys,
        requests: impl Iterator<Item = &Request>,
        views: &BatchViews,
    ) -> Result<(LoadedFacts, UnusedKeys), Failure> {
        if !self.trusts_memory() {
            return Ok((in_time(transaction.load(&keys)).await?, UnusedKeys::default()));
        }
        let unused = UnusedKeys::take(&mut keys, requests, views);
        let absent = KnownAbsent::take(&mut keys, views);
        let mut loaded = in_time(transaction.load(&keys)).await?;
        if let Some(left_out) = absent.if_outdated_by(&loaded) {
            self.distrust_memory();
            loaded.add(in_time(transaction.load(&left_out)).await?);
        }
        Ok((loaded, unused))
    }

    /// Whether look-ups are left out of which memory knows that they find nothing.
    fn trusts_memory(&self) -> bool {
        self.shared.settings.gate && !lasts(self.company_until)
    }

    /// Memory was wrong.
    fn distrust_memory(&mut self) {
        self.company_until = Some(Instant::now() + COMPANY);
    }

    /// Locks offers in what nodes share. Whoever does not get the lock goes on: it saves nodes
    /// from deciding twice, and the versions in the database are what keeps them apart.
    async fn lock(&mut self, offers: &BTreeSet<Offer>, guard: Guard) -> Vec<Held> {
        let mut held = Vec::new();
        let Some(locks) = self.shared.locks.get().filter(|_| guard == Guard::Distributed) else {
            return held;
        };
        if lasts(self.unlocked_until) {
            return held;
        }
        // In the order of their ids, so that nobody waits in a circle.
        let keys = offers.iter().map(|offer| match offer {
            Offer::Performance(id) => format!("performance:{id}"),
            Offer::Item(id) => format!("item:{id}"),
        });
        for key in keys.take(LOCKS_MAX) {
            match timeout(2 * LOCK_WAIT_MAX, locks.acquire(&key, LOCK_WAIT_MAX)).await {
                Ok(Ok(lock)) => held.push(lock),
                Ok(Err(LockError::Held)) => break,
                Ok(Err(LockError::Unavailable(_))) | Err(_) => {
                    tracing::debug!(key, "goes on without locks");
                    self.unlocked_until = Some(Instant::now() + UNLOCKED);
                    break;
                }
            }
        }
        held
    }

    /// Tells the gate, the watchers, the timers and the other nodes what has changed.
    fn announce(&self, views: &BatchViews, changes: &Changes) {
        self.shared.deadlines.follow(changes);
        for order in &changes.orders_new {
            views.add_buyer(order.offer(), order.user);
        }
        for change in &changes.versions {
            let offer = change.performance.into();
            self.shared.tell(offer);
            let Some(view) = views.performances.get(&change.performance) else { continue };
            if !view.apply(change.version, &changes.seats[&change.performance]) {
                self.shared.behind.add(offer);
            }
        }
        for change in &changes.stocks {
            self.shared.tell(change.item.into());
            let Some(view) = views.items.get(&change.item) else { continue };
            if !view.apply(change) {
                self.shared.behind.add(change.item.into());
            }
        }
    }

    fn answer(&self, batch: Vec<Pending>, answers: Vec<Result<Outcome, Refusal>>) {
        for (pending, answer) in batch.into_iter().zip(answers) {
            if let Err(refusal) = &answer {
                self.shared.metrics.refused(refusal);
            }
            let _ = pending.answer.send(answer.map_err(SaleError::Refused));
        }
    }

    async fn views(&self, offers: &BTreeSet<Offer>) -> Result<BatchViews, StoreError> {
        let mut views = BatchViews::default();
        for offer in offers {
            match *offer {
                Offer::Performance(id) => {
                    if let Some(view) = if_there(self.view(id).await)? {
                        views.performances.insert(id, view);
                    }
                }
                Offer::Item(id) => {
                    if let Some(view) = if_there(self.item(id).await)? {
                        views.items.insert(id, view);
                    }
                }
            }
        }
        Ok(views)
    }

    /// A performance from memory, or brought there. Only the lane that changes a performance brings
    /// it there, so no change can slip in between reading and keeping it.
    async fn view(&self, performance: PerformanceId) -> Result<Arc<PerformanceView>, SaleError> {
        let now = self.shared.clock.now();
        if let Some(view) = self.shared.performances.get(performance) {
            view.touch(now);
            return Ok(view);
        }
        let terms = self.shared.store.sale_terms(performance).await?;
        let terms = terms.ok_or(Refusal::NoSuchPerformance(performance))?;
        let claims = self.shared.store.claims(performance).await?;
        Ok(self.shared.performances.insert(performance, PerformanceView::new(terms, claims), now))
    }

    /// An item from memory, or brought there; see [`Lane::view`].
    async fn item(&self, item: ItemId) -> Result<Arc<ItemView>, SaleError> {
        let now = self.shared.clock.now();
        if let Some(view) = self.shared.items.get(item) {
            view.touch(now);
            return Ok(view);
        }
        let all = OrderId::first_at(Timestamp(0));
        let sale = self.shared.store.item_sale(item, all).await?.ok_or(Refusal::NoSuchItem(item))?;
        Ok(self.shared.items.insert(item, ItemView::new(sale, now), now))
    }

    /// Has what may have been written read again. What cannot be read is found later: holds by the
    /// sweep, seats by whoever refreshes what is behind.
    async fn find_out(&self, offers: &BTreeSet<Offer>) {
        for offer in offers {
            self.shared.behind.add(*offer);
            self.shared.tell(*offer);
        }
        if let Err(error) = deadlines::recover(&self.shared).await {
            tracing::warn!(%error, "cannot look for new holds; the sweep will");
        }
    }
}

/// Whether it is still before `until`.
fn lasts(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() < until)
}

/// A step of a transaction before its commit. One that takes too long is given up, and with it the
/// transaction: it has not happened.
async fn in_time<T>(step: impl Future<Output = Result<T, TransactionError>>) -> Result<T, Failure> {
    let no_answer = |_| StoreError::Unavailable(format!("no answer within {STEP_MAX:?}"));
    Ok(timeout(STEP_MAX, step).await.map_err(no_answer)??)
}

/// A commit. Of one that takes too long nobody knows what became of it.
async fn committed(commit: impl Future<Output = Result<(), CommitError>>) -> Result<(), CommitError> {
    let answer = timeout(STEP_MAX, commit).await;
    answer.unwrap_or_else(|_| Err(CommitError::Unknown("no answer in time".into())))
}

fn requests(batch: &[Pending]) -> impl ExactSizeIterator<Item = &Request> {
    batch.iter().map(|pending| &pending.request)
}

/// What a batch is about.
fn offers(batch: &[Pending]) -> BTreeSet<Offer> {
    requests(batch).filter_map(|request| request.command.offer()).collect()
}

fn refuse(batch: Vec<Pending>, error: impl Fn() -> SaleError) {
    for pending in batch {
        let _ = pending.answer.send(Err(error()));
    }
}

/// What is not there is left to the decision, which refuses it.
fn if_there<T>(found: Result<T, SaleError>) -> Result<Option<T>, StoreError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(SaleError::Unavailable(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// The offers of a batch.
#[derive(Default)]
pub(super) struct BatchViews {
    pub(super) performances: HashMap<PerformanceId, Arc<PerformanceView>>,
    pub(super) items: HashMap<ItemId, Arc<ItemView>>,
}

impl BatchViews {
    /// The versions that they are at.
    pub(super) fn versions(&self) -> HashMap<Offer, i64> {
        let performances = self.performances.iter().map(|(id, view)| ((*id).into(), view.version()));
        performances.chain(self.items.iter().map(|(id, view)| ((*id).into(), view.tag().1))).collect()
    }

    /// An offer whose terms in memory are older than the database's.
    fn stale_terms(&self, loaded: &LoadedFacts) -> Option<Offer> {
        let performance = loaded.performances.iter().find(|(id, (revision, _))| {
            self.performances.get(*id).is_none_or(|view| view.terms().revision != *revision)
        });
        let item = || {
            loaded.items.iter().find(|(id, item)| {
                self.items.get(*id).is_none_or(|view| view.terms().revision != item.revision)
            })
        };
        let performance = performance.map(|(id, _)| Offer::Performance(*id));
        performance.or_else(|| item().map(|(id, _)| Offer::Item(*id)))
    }

    fn facts(&self, loaded: LoadedFacts) -> Facts {
        let performances = loaded.performances.into_iter().filter_map(|(id, (revision, version))| {
            let terms = self.performances.get(&id)?.terms();
            Some((id, PerformanceFacts { terms, revision, version }))
        });
        let items = loaded.items.into_iter().filter_map(|(id, item)| {
            let LoadedItem { revision, version, stock, lapsed } = item;
            let terms = self.items.get(&id)?.terms();
            Some((id, ItemFacts { terms, revision, version, stock, lapsed }))
        });
        Facts {
            performances: performances.collect(),
            items: items.collect(),
            claims: loaded.claims,
            orders: loaded.orders,
            buyers: loaded.buyers,
            payments: loaded.payments,
            wallets: loaded.wallets,
            keys: loaded.keys,
        }
    }

    /// Whether somebody has never had an order of an offer, for all that memory knows.
    pub(super) fn knows_no_order_of(&self, user: UserId, offer: Offer) -> bool {
        match offer {
            Offer::Performance(id) => self.performances.get(&id).is_some_and(|view| !view.has_buyer(user)),
            Offer::Item(id) => self.items.get(&id).is_some_and(|view| !view.has_buyer(user)),
        }
    }

    /// Whether nobody has a claim on a seat, for all that memory knows.
    pub(super) fn knows_free(&self, performance: PerformanceId, seat: SeatId) -> bool {
        self.performances.get(&performance).is_some_and(|view| view.is_free(seat))
    }

    fn add_buyer(&self, offer: Offer, user: UserId) {
        match offer {
            Offer::Performance(performance) => {
                self.performances.get(&performance).inspect(|view| view.add_buyer(user));
            }
            Offer::Item(item) => {
                self.items.get(&item).inspect(|view| view.add_buyer(user));
            }
        }
    }
}
