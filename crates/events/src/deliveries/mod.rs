//! Makes deliveries: takes what is due from the store, has it carried, notes what came of it.

mod gathered;
mod metrics;
mod schedule;

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use onsale_domain::time::Timestamp;
use onsale_engine::{
    clock::Clock,
    ids::Ids,
    ports::{Attempt, AttemptOutcome, Channel, Delivery, Lease, Store, StoreError},
    vitals::Vitals,
};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

pub(crate) use gathered::Gathered;

use crate::Subscription;

/// Carries one delivery to where it goes.
#[async_trait]
pub trait Carrier: Send + Sync + 'static {
    /// Tries once. What it is given may have been carried before: whoever gets it goes by the event's id.
    async fn carry(&self, delivery: &Delivery) -> Carried;
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// How it went.
    pub verdict: Verdict,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The beginning of the answer, or what went wrong.
    pub answer: String,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It arrived.
    Delivered,
    /// Nobody needs it any more.
    Unneeded,
    /// It may arrive later, not before so many milliseconds.
    Failed {
        /// 0 unless the receiver asked for it.
        retry_after_ms: i64,
    },
    /// It will never arrive as things stand.
    Refused,
}

impl Carried {
    /// It failed, and may succeed later.
    #[must_use]
    pub fn failed(why: impl ToString) -> Self {
        Self { verdict: Verdict::Failed { retry_after_ms: 0 }, status: None, answer: why.to_string() }
    }

    /// Nobody needs it any more.
    #[must_use]
    pub fn unneeded(why: impl ToString) -> Self {
        Self { verdict: Verdict::Unneeded, status: None, answer: why.to_string() }
    }
}

/// Who carries what. What has no carrier waits.
#[derive(Clone, Default)]
pub struct Carriers {
    /// Webhooks.
    pub webhooks: Option<Arc<dyn Carrier>>,
    /// Notifications.
    pub notifications: Option<Arc<dyn Carrier>>,
}

impl Carriers {
    fn of(&self, channel: Channel) -> Option<&Arc<dyn Carrier>> {
        match channel {
            Channel::Webhook(_) => self.webhooks.as_ref(),
            Channel::Notifications => self.notifications.as_ref(),
        }
    }
}

/// The settings of a [`Courier`].
#[derive(Clone, Copy, Debug)]
pub struct CourierSettings {
    /// The most deliveries under way at once.
    pub under_way_max: usize,
    /// The most of them to one receiver, so that a slow one does not hold up the others.
    pub under_way_per_channel_max: usize,
    /// The longest an attempt may take.
    pub attempt_max: Duration,
    /// How often the store is asked for what has become due; a quarter as often while nothing does.
    pub poll: Duration,
}

impl Default for CourierSettings {
    fn default() -> Self {
        Self {
            under_way_max: 64,
            under_way_per_channel_max: 4,
            attempt_max: Duration::from_secs(15),
            poll: Duration::from_millis(500),
        }
    }
}

/// The least time from one look at the store to the next: what ends meanwhile is noted together. It
/// bounds what deliveries write beside the sale.
const PACE: Duration = Duration::from_millis(20);

/// How many times the usual pause it is to the next look while nothing is due.
const IDLE_POLLS: u32 = 4;

/// How much longer than an attempt a lease is, for noting it.
const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// How often figures are taken and old deliveries forgotten.
const TIDY: Duration = Duration::from_secs(15);

/// How long deliveries are listed: those that were made, and those that are parked.
const ENDED_KEPT_MS: i64 = 7 * 86_400_000;
const PARKED_KEPT_MS: i64 = 30 * 86_400_000;

/// Old deliveries forgotten at once.
const PRUNE_MAX: usize = 1_000;

/// Channels looked at at once.
const CHANNELS_MAX: usize = 10_000;

/// The most characters of an answer that are kept.
pub const ANSWER_CHARS_MAX: usize = 500;

/// Tells a courier that something has been added. Without it, it looks by itself in a moment.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Something has been added.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// Makes deliveries in the background, beside those of other nodes.
pub struct Courier(Mutex<Option<Subscription>>);

impl Courier {
    /// Begins. Must be called inside a Tokio runtime.
    #[must_use]
    pub fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        carriers: Carriers,
        wake: Wake,
        settings: CourierSettings,
    ) -> Self {
        Self::start_among(&Vitals::default(), store, clock, ids, carriers, wake, settings)
    }

    /// As [`Courier::start`], among the parts of a node.
    #[must_use]
    pub fn start_among(
        vitals: &Vitals,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        carriers: Carriers,
        wake: Wake,
        settings: CourierSettings,
    ) -> Self {
        let name = "the courier of deliveries".to_owned();
        let work = Subscription::start(vitals, name, move |stopping| {
            let round = Round {
                store: store.clone(),
                clock: clock.clone(),
                ids: ids.clone(),
                carriers: carriers.clone(),
                settings,
                under_way: JoinSet::new(),
                by_channel: HashMap::new(),
                ended: Vec::new(),
                turn: 0,
                rests: false,
            };
            round.run(wake.clone(), stopping)
        });
        Self(Mutex::new(Some(work)))
    }

    /// Begins nothing more, and waits for what is under way. What is cut off is tried again by whoever
    /// runs next, once its lease has ended.
    pub async fn stop(&self) {
        let work = self.0.lock().take();
        if let Some(work) = work {
            work.stop().await;
        }
    }
}

struct Round {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    carriers: Carriers,
    settings: CourierSettings,
    under_way: JoinSet<(Channel, Option<Attempt>)>,
    by_channel: HashMap<Channel, usize>,
    /// Attempts that are to be noted.
    ended: Vec<Attempt>,
    /// Which channel is served first changes, so that the first does not always take what is free.
    turn: usize,
    /// Nothing was due at the last look.
    rests: bool,
}

impl Round {
    async fn run(mut self, wake: Wake, mut stopping: watch::Receiver<bool>) {
        let mut tidied: Option<Instant> = None;
        while !*stopping.borrow() {
            if let Err(error) = self.work(&mut tidied).await {
                tracing::warn!(%error, "deliveries wait for the database");
                sleep(Duration::from_secs(1)).await;
            }
            sleep(PACE).await;
            tokio::select! {
                Some(ended) = self.under_way.join_next() => self.take_back(ended),
                () = wake.0.notified() => {}
                () = sleep(if self.rests { self.settings.poll * IDLE_POLLS } else { self.settings.poll }) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        }
        let finish_max = self.settings.attempt_max;
        let finish = async {
            while let Some(ended) = self.under_way.join_next().await {
                self.take_back(ended);
            }
        };
        let _ = timeout(finish_max, finish).await;
        if let Err(error) = self.note().await {
            tracing::warn!(%error, "deliveries were made that could not be noted; they are made again");
        }
    }

    async fn work(&mut self, tidied: &mut Option<Instant>) -> Result<(), StoreError> {
        while let Some(ended) = self.under_way.try_join_next() {
            self.take_back(ended);
        }
        self.note().await?;
        self.begin_what_is_due().await?;
        if tidied.is_none_or(|at| at.elapsed() >= TIDY) {
            *tidied = Some(Instant::now());
            self.tidy().await?;
        }
        Ok(())
    }

    fn take_back(&mut self, ended: Result<(Channel, Option<Attempt>), tokio::task::JoinError>) {
        // An attempt catches its own panics, so only the runtime's end could break it off.
        let Ok((channel, attempt)) = ended else { return };
        if let Some(count) = self.by_channel.get_mut(&channel) {
            *count -= 1;
            if *count == 0 {
                self.by_channel.remove(&channel);
            }
        }
        self.ended.extend(attempt);
    }

    async fn note(&mut self) -> Result<(), StoreError> {
        if !self.ended.is_empty() {
            self.store.note_attempts(&self.ended).await?;
            self.ended.clear();
        }
        Ok(())
    }

    async fn begin_what_is_due(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut channels = self.store.due_channels(now, CHANNELS_MAX).await?;
        self.rests = channels.is_empty() && self.under_way.is_empty();
        if !channels.is_empty() {
            let first = self.turn % channels.len();
            channels.rotate_left(first);
            self.turn = self.turn.wrapping_add(1);
        }
        for channel in channels {
            let Some(carrier) = self.carriers.of(channel).cloned() else { continue };
            let busy = self.by_channel.get(&channel).copied().unwrap_or(0);
            let free = self.settings.under_way_max.saturating_sub(self.under_way.len());
            let free = free.min(self.settings.under_way_per_channel_max.saturating_sub(busy));
            if free == 0 {
                continue;
            }
            let lease_ms = (self.settings.attempt_max + LEASE_MARGIN).as_millis() as i64;
            let lease = Lease { id: self.ids.next(now), now, until: now.plus_ms(lease_ms) };
            for delivery in self.store.lease_deliveries(channel, lease, free).await? {
                self.begin(carrier.clone(), delivery, lease.id);
            }
        }
        Ok(())
    }

    fn begin(&mut self, carrier: Arc<dyn Carrier>, delivery: Delivery, lease: Uuid) {
        let channel = delivery.channel;
        *self.by_channel.entry(channel).or_default() += 1;
        let (clock, attempt_max) = (self.clock.clone(), self.settings.attempt_max);
        self.under_way.spawn(async move {
            let carrying = tokio::spawn(async move {
                let carried = timeout(attempt_max, carrier.carry(&delivery)).await;
                let carried = carried.unwrap_or_else(|_| Carried::failed("it took too long"));
                (delivery, carried)
            });
            let carried = carrying.await;
            // What panicked is not noted: its lease ends by itself.
            let attempt = carried.ok().map(|(delivery, carried)| {
                let attempt = judge(&delivery, lease, carried, clock.now());
                metrics::count(channel, attempt.outcome);
                attempt
            });
            (channel, attempt)
        });
    }

    async fn tidy(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        metrics::tell(&self.store.backlogs().await?, now);
        let ended_before = now.plus_ms(-ENDED_KEPT_MS);
        self.store.prune_deliveries(ended_before, now.plus_ms(-PARKED_KEPT_MS), PRUNE_MAX).await?;
        Ok(())
    }
}

/// What follows from how an attempt went.
fn judge(delivery: &Delivery, lease: Uuid, carried: Carried, now: Timestamp) -> Attempt {
    let attempts = delivery.attempts.saturating_add(1);
    let outcome = match carried.verdict {
        Verdict::Delivered => AttemptOutcome::Delivered,
        Verdict::Unneeded => AttemptOutcome::Dropped,
        Verdict::Refused => AttemptOutcome::Parked,
        Verdict::Failed { retry_after_ms } => {
            let next = schedule::next_attempt(delivery.id, attempts, delivery.since, now, retry_after_ms);
            next.map_or(AttemptOutcome::Parked, AttemptOutcome::Retry)
        }
    };
    if outcome == AttemptOutcome::Parked {
        tracing::warn!(channel = ?delivery.channel, event = %delivery.event_id, attempts, why = %carried.answer, "a delivery is given up and parked");
    }
    Attempt {
        delivery: delivery.id,
        lease,
        since: delivery.since,
        at: now,
        outcome,
        answer_status: carried.status,
        answer: printable(&carried.answer),
    }
}

/// The beginning of a text, without what databases and terminals do not like.
fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(ANSWER_CHARS_MAX).collect()
}
