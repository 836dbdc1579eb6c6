//! The group commit: one transaction for many commands.
//!
//! A lane is a queue and a task. While one transaction commits, the next batch gathers in the
//! queue, so an idle system answers at once and a busy one batches by itself; there is no timer.
//! All commands of one offer go through one lane, in the order they came.

mod at_work;
mod attempt;
mod batch_views;
mod known_absent;
mod on_memory;
mod unused_keys;
mod waiting;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

use futures_util::FutureExt;
use onsale_domain::{
    decide::{Changes, Outcome, Refusal, Request},
    ids::{ItemId, PerformanceId, UserId},
    offer::Offer,
    time::Timestamp,
};
use tokio::{
    runtime::{Handle, Runtime},
    sync::{mpsc, oneshot},
    time::Instant,
};

use self::{
    attempt::{Attempts, Failure, PATIENCE},
    batch_views::BatchViews,
    waiting::{Report, Waiting},
};
use super::{
    SaleError, Shared, deadlines, item_view::ItemView, other_nodes, unpaid::Ticket, view::PerformanceView,
    views::InMemory,
};
use crate::ports::{SaleWriter, StoreError};

pub(super) use at_work::AtWork;

/// Who commands that no person gave come from.
pub(super) const HOUSE: UserId = UserId(0);

/// What a lane is asked.
pub(super) enum Message {
    /// Decide a command.
    Command(Pending),
    /// Bring a performance into memory.
    View(PerformanceId, oneshot::Sender<Result<Arc<PerformanceView>, SaleError>>),
    /// Bring an item into memory.
    Item(ItemId, oneshot::Sender<Result<Arc<ItemView>, SaleError>>),
    /// Panic, for tests of what follows.
    Panic,
}

impl Message {
    /// The offer that it is about; a charge is about none.
    fn offer(&self) -> Option<Offer> {
        match self {
            Self::Command(pending) => pending.request.command.offer(),
            Self::View(performance, _) => Some((*performance).into()),
            Self::Item(item, _) => Some((*item).into()),
            Self::Panic => None,
        }
    }

    /// Answers that it was not carried out.
    fn refuse(self, error: SaleError) {
        // Whoever asked may have gone; then nobody misses the answer.
        match self {
            Self::Command(pending) => drop(pending.answer.send(Err(error))),
            Self::View(_, answer) => drop(answer.send(Err(error))),
            Self::Item(_, answer) => drop(answer.send(Err(error))),
            Self::Panic => {}
        }
    }
}

/// A command and where its answer goes.
pub(super) struct Pending {
    pub(super) request: Request,
    pub(super) answer: oneshot::Sender<Result<Outcome, SaleError>>,
    /// By which a hold counts as unpaid.
    pub(super) ticket: Option<Ticket>,
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
/// behind hundreds of them at every step of a transaction, and everybody for it. Must be called inside a
/// Tokio runtime: there the lane has large halls read.
pub(super) fn spawn(
    shared: Arc<Shared>,
    index: usize,
    mut queue: mpsc::Receiver<Message>,
) -> Result<LaneHandle, StoreError> {
    let failed = |error: std::io::Error| StoreError::Unavailable(format!("no thread for the sale: {error}"));
    let mut first = Some(runtime().map_err(failed)?);
    let readers = Handle::current();
    let ((stop, mut stopped), (end, ended)) = (oneshot::channel(), oneshot::channel());
    let work = move || {
        shared.vitals.supervise_thread(format!("lane {} of the sale", index + 1), || {
            let runtime =
                first.take().unwrap_or_else(|| runtime().expect("the lane has had a runtime before"));
            let lane = Lane::new(shared.clone(), index, readers.clone());
            let ended = runtime.block_on(lane.run_to_end(&mut queue, &mut stopped));
            // With it end the connections that were opened here. Whoever uses the store next must not
            // begin a transaction on one that is about to.
            drop(runtime);
            if let Err(panic) = ended {
                shared.at_work[index].rests();
                resume_unwind(panic);
            }
        });
        let _ = end.send(());
    };
    std::thread::Builder::new().name("onsale-lane".to_owned()).spawn(work).map_err(failed)?;
    Ok(LaneHandle { stop, ended })
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Whether commands may be put aside until the terms of their offer have been read anew. It is done once: terms
/// that are still not those in the database, as after it lost a change in a failover, would keep them for ever.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PutAside {
    Allowed,
    Done,
}

struct Lane {
    shared: Arc<Shared>,
    index: usize,
    writer: Box<dyn SaleWriter>,
    /// No decision is made at an earlier time than the one before it, unless the clock has been set back
    /// in between.
    last_decided_at: Timestamp,
    /// By how much the clock had been set then.
    set_by_ms: i64,
    /// Until then it does without the locks that nodes share.
    unlocked_until: Option<Instant>,
    /// Until then it leaves nothing out that memory knows.
    company_until: Option<Instant>,
    /// Messages about offers that are being read.
    waiting: Waiting,
    /// For tests only.
    is_to_panic: bool,
}

impl Lane {
    fn new(shared: Arc<Shared>, index: usize, readers: Handle) -> Self {
        let writer = shared.store.sale_writer();
        let last_decided_at = Timestamp(i64::MIN);
        Self {
            shared,
            index,
            writer,
            last_decided_at,
            set_by_ms: 0,
            unlocked_until: None,
            company_until: None,
            waiting: Waiting::new(readers),
            is_to_panic: false,
        }
    }

    /// As [`Lane::run`], until that panics at the latest. Whatever the lane has is let go of by then, within
    /// its runtime.
    async fn run_to_end(
        self,
        queue: &mut mpsc::Receiver<Message>,
        stop: &mut oneshot::Receiver<()>,
    ) -> std::thread::Result<()> {
        AssertUnwindSafe(self.run(queue, stop)).catch_unwind().await
    }

    /// Works until the queue is closed and empty, or until `stop` is told to; then what is already
    /// in the queue is still answered.
    async fn run(mut self, queue: &mut mpsc::Receiver<Message>, stop: &mut oneshot::Receiver<()>) {
        let batch_max = self.shared.settings.batch_max.max(1);
        let mut inbox = Vec::with_capacity(batch_max);
        let mut is_open = true;
        while is_open || self.waiting.count() > 0 {
            let report = tokio::select! {
                biased;
                report = self.waiting.report() => Some(report),
                received = queue.recv_many(&mut inbox, batch_max), if is_open => {
                    is_open = received > 0;
                    None
                }
                _ = &mut *stop, if !queue.is_closed() => {
                    queue.close();
                    None
                }
            };
            self.shared.metrics.queue_depth.set(queue.len() as f64);
            let now = Instant::now();
            self.shared.at_work[self.index].begins(now);
            // A defect in one batch must not end the sale. Whoever is in that batch is told that
            // the outcome is unknown, which is true.
            if AssertUnwindSafe(self.take(report, &mut inbox, now)).catch_unwind().await.is_err() {
                inbox.clear();
                self.begin_anew().await;
            }
            assert!(!self.is_to_panic, "a lane was made to panic");
            self.shared.at_work[self.index].rests();
            if queue.is_empty() || !self.shared.settings.keep_connection {
                self.writer.rest();
            }
        }
    }

    /// After a batch has panicked: it may have been written, and whatever it used may be in disorder.
    async fn begin_anew(&mut self) {
        tracing::error!(lane = self.index + 1, "a batch panicked; what it did is read again");
        self.writer = self.shared.store.sale_writer();
        self.distrust_memory();
        self.shared.suspect_everything();
        if let Err(error) = deadlines::recover(&self.shared).await {
            tracing::warn!(%error, "cannot look for new holds; the sweep will");
        }
    }

    async fn take(&mut self, report: Option<Report>, inbox: &mut Vec<Message>, now: Instant) {
        if let Some(report) = report {
            self.go_on_with(report).await;
        }
        let mut batch = Vec::with_capacity(inbox.len());
        for message in inbox.drain(..) {
            match message {
                Message::Command(pending) => batch.push(pending),
                Message::Panic => self.is_to_panic = true,
                other => self.show(other).await,
            }
        }
        let unread: Vec<Offer> = offers(&batch).into_iter().filter(|offer| !self.is_read(*offer)).collect();
        for offer in unread {
            batch = self.put_aside(offer, batch);
        }
        if !batch.is_empty() {
            self.carry_out(batch, now + PATIENCE, PutAside::Allowed).await;
        }
    }

    /// Whether an offer is in memory, and not just being read anew.
    fn is_read(&self, offer: Offer) -> bool {
        !self.waiting.is_reading(offer)
            && match offer {
                Offer::Performance(id) => self.shared.performances.get(id).is_some(),
                Offer::Item(id) => self.shared.items.get(id).is_some(),
            }
    }

    /// Answers a message that asks for a view, now or when it has been read.
    async fn show(&mut self, message: Message) {
        match message.offer() {
            Some(offer) if !self.is_read(offer) => self.wait(offer, message),
            _ => self.show_now(message).await,
        }
    }

    async fn show_now(&mut self, message: Message) {
        // Whoever asked may have gone; then nobody misses the answer.
        match message {
            Message::View(performance, answer) => drop(answer.send(self.view(performance).await)),
            Message::Item(item, answer) => drop(answer.send(self.item(item).await)),
            Message::Command(_) | Message::Panic => {}
        }
    }

    /// Has the commands about an offer wait until it has been read; the others.
    fn put_aside(&mut self, offer: Offer, batch: Vec<Pending>) -> Vec<Pending> {
        let is_about_it = |pending: &Pending| pending.request.command.offer() == Some(offer);
        let (waiting, others): (Vec<_>, Vec<_>) = batch.into_iter().partition(is_about_it);
        for pending in waiting {
            self.wait(offer, Message::Command(pending));
        }
        others
    }

    fn wait(&mut self, offer: Offer, message: Message) {
        if self.waiting.count() < self.shared.settings.queue_max {
            self.waiting.add(&self.shared, offer, message);
        } else {
            self.shared.metrics.overloaded.increment(1);
            message.refuse(SaleError::Overloaded);
        }
    }

    /// Goes on with what has waited for an offer.
    async fn go_on_with(&mut self, report: Report) {
        let messages = self.waiting.take(report.offer);
        if let Some(reason) = report.failed {
            tracing::error!(reason, offer = %report.offer, "an offer cannot be read");
            let unavailable = || SaleError::Unavailable(StoreError::Unavailable(reason.clone()));
            return messages.into_iter().for_each(|message| message.refuse(unavailable()));
        }
        let mut batch = Vec::with_capacity(messages.len());
        for message in messages {
            match message {
                Message::Command(pending) => batch.push(pending),
                other => self.show_now(other).await,
            }
        }
        let batch_max = self.shared.settings.batch_max.max(1);
        while !batch.is_empty() {
            let later = batch.split_off(batch.len().min(batch_max));
            self.carry_out(batch, Instant::now() + PATIENCE, PutAside::Done).await;
            batch = later;
        }
    }

    /// Carries out a batch and answers it. Until `until`, a database that is not there is waited for.
    async fn carry_out(&mut self, mut batch: Vec<Pending>, until: Instant, put_aside: PutAside) {
        let mut attempts = Attempts::new(self.shared.settings.guard, until);
        let failure = loop {
            match self.attempt(&batch, attempts.guard).await {
                Ok(answers) => return self.answer(batch, answers),
                Err(Failure::OldTerms(offer)) if put_aside == PutAside::Allowed => {
                    batch = self.put_aside(offer, batch);
                    if batch.is_empty() {
                        return;
                    }
                }
                Err(Failure::OldTerms(offer)) => {
                    if let Err(error) = other_nodes::read_anew(&self.shared, offer).await {
                        break error.into();
                    }
                    if !attempts.again(&Failure::Again).await {
                        break Failure::Again;
                    }
                }
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
                self.carry_out_singly(batch, until, put_aside).await;
            }
            Failure::Again | Failure::OldTerms(_) => {
                let reason = || StoreError::Unavailable("other writers were first, again and again".into());
                refuse(batch, || SaleError::Unavailable(reason()));
            }
            Failure::Store(error) => {
                tracing::error!(%error, "a batch was not written");
                self.shared.vitals.doubt_writes();
                let reason = error.to_string();
                refuse(batch, || SaleError::Unavailable(StoreError::Unavailable(reason.clone())));
            }
            Failure::Unknown => {
                self.shared.vitals.doubt_writes();
                let offers = offers(&batch);
                // First, because the database may be gone for a while. What is in memory is as
                // before the commit, which refuses nobody who may have what they ask for.
                refuse(batch, || SaleError::OutcomeUnknown);
                self.find_out(&offers).await;
            }
        }
    }

    async fn carry_out_singly(&mut self, batch: Vec<Pending>, until: Instant, put_aside: PutAside) {
        for pending in batch {
            Box::pin(self.carry_out(vec![pending], until, put_aside)).await;
        }
    }

    /// Tells the gate, the watchers, the timers and the other nodes what has changed. The batch is
    /// written: whatever goes wrong here must not keep its answers back.
    fn announce(&self, views: &BatchViews, changes: &Changes) {
        if catch_unwind(AssertUnwindSafe(|| self.tell_all(views, changes))).is_err() {
            tracing::error!("what a batch changed could not be told; it is read again");
            self.shared.suspect_everything();
        }
    }

    fn tell_all(&self, views: &BatchViews, changes: &Changes) {
        self.shared.deadlines.follow(changes);
        self.shared.unpaid.follow(changes);
        if let Some(bookings) = self.shared.bookings.get() {
            bookings.follow(changes);
        }
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
            match (&answer, pending.ticket) {
                (Err(refusal), _) => self.shared.metrics.refused(refusal),
                (Ok(Outcome::Held { replayed: false, .. }), Some(ticket)) => ticket.keep(),
                (Ok(_), _) => {}
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

    /// A performance from memory, or brought there if it is missing or has just been dropped. Only the lane that
    /// changes a performance has it brought there, so no change can slip in between reading and keeping it.
    async fn view(&self, performance: PerformanceId) -> Result<Arc<PerformanceView>, SaleError> {
        let now = self.shared.clock.now();
        if let Some(view) = self.shared.performances.get(performance) {
            view.touch(now);
            return Ok(view);
        }
        let view = PerformanceView::read(&*self.shared.store, performance).await?;
        Ok(self.shared.performances.insert(performance, view, now))
    }

    /// An item from memory, or brought there; see [`Lane::view`].
    async fn item(&self, item: ItemId) -> Result<Arc<ItemView>, SaleError> {
        let now = self.shared.clock.now();
        if let Some(view) = self.shared.items.get(item) {
            view.touch(now);
            return Ok(view);
        }
        let view = ItemView::read(&*self.shared.store, item, now).await?;
        Ok(self.shared.items.insert(item, view, now))
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

fn requests(batch: &[Pending]) -> impl ExactSizeIterator<Item = &Request> {
    batch.iter().map(|pending| &pending.request)
}

/// What a batch is about.
fn offers(batch: &[Pending]) -> BTreeSet<Offer> {
    requests(batch).filter_map(|request| request.command.offer()).collect()
}

fn refuse(batch: Vec<Pending>, error: impl Fn() -> SaleError) {
    for pending in batch {
        let error = error();
        if let (SaleError::OutcomeUnknown, Some(ticket)) = (&error, pending.ticket) {
            ticket.keep();
        }
        let _ = pending.answer.send(Err(error));
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
