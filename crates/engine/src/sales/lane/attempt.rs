//! Attempts at a batch: decide it, on memory or on what is loaded, and write it.

use std::{collections::BTreeSet, time::Duration};

use onsale_domain::{
    decide::{Changes, Decider, FactKeys, Facts, Outcome, Refusal, Request},
    offer::Offer,
};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Lane, Pending, batch_views::BatchViews, known_absent::KnownAbsent, offers, on_memory, requests,
    unused_keys::UnusedKeys,
};
use crate::{
    clock::Reading,
    ports::{
        CommitError, Guard, Held, LoadedFacts, LockError, SaleTransaction, StoreError, TransactionError,
    },
    sales::metrics::Stage,
};

/// How often a batch is decided because somebody else was first.
const ATTEMPTS_MAX: usize = 4;

/// After so many attempts lost to others, a batch locks what it loads whatever the guard, so that
/// nobody can be faster for ever.
const OPTIMISTIC_ATTEMPTS_MAX: usize = 2;

/// How long a batch that has certainly not happened is tried again on a database that is not there.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait before it is.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

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

/// How an attempt ends without answers.
pub(super) enum Failure {
    /// Somebody else was first: decide again.
    Again,
    /// The terms of this offer in memory are old: decide again when they have been read.
    OldTerms(Offer),
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
pub(super) struct Attempts {
    pub(super) guard: Guard,
    lost: usize,
    until: Instant,
}

impl Attempts {
    /// None yet. Until `until`, a database that is not there is waited for.
    pub(super) const fn new(guard: Guard, until: Instant) -> Self {
        Self { guard, lost: 0, until }
    }

    /// Whether there is another attempt after this failure; if so, returns when it is time for it.
    pub(super) async fn again(&mut self, failure: &Failure) -> bool {
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
            Failure::OldTerms(_) | Failure::Store(_) | Failure::Unknown => false,
        }
    }
}

impl Lane {
    /// Decide, write, commit, announce; and load first, unless memory knows enough.
    pub(super) async fn attempt(
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
        self.commit(transaction, stage, views, &changes).await?;
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
        let mut transaction = in_time(async { Ok(self.writer.begin(guard).await?) }).await?;
        let (loaded, unused) = self.load(&mut *transaction, keys, requests(batch), views).await?;
        let stage = self.shared.metrics.load_seconds(stage);
        if let Some(stale) = views.stale_terms(&loaded) {
            return Err(Failure::OldTerms(stale));
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

        let stage = self.shared.metrics.decide_seconds(stage);
        in_time(transaction.write(&changes)).await?;
        let stage = self.shared.metrics.write_seconds(stage);
        self.commit(transaction, stage, views, &changes).await?;
        Ok(answers)
    }

    /// Commits what is written, and tells everybody.
    async fn commit(
        &self,
        transaction: Box<dyn SaleTransaction>,
        stage: Stage,
        views: &BatchViews,
        changes: &Changes,
    ) -> Result<(), Failure> {
        committed(transaction.commit()).await?;
        self.shared.metrics.commit_seconds(stage);
        self.announce(views, changes);
        Ok(())
    }

    /// A decider on facts that have been loaded before now, so that no decision is older than what it
    /// rests on.
    fn decider(&mut self, facts: Facts) -> Decider {
        let Reading { now, set_by_ms } = self.shared.clock.reading();
        if self.set_by_ms != set_by_ms {
            // Else everything would be decided at one moment until the clock has come to it again.
            (self.last_decided_at, self.set_by_ms) = (now, set_by_ms);
        }
        self.last_decided_at = now.max(self.last_decided_at);
        Decider::new(facts, self.last_decided_at, self.shared.claim_check)
    }

    /// Loads the facts behind the keys, except those that memory knows. Idempotency keys that
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
        if let Some(left_out) = absent.add_to(&mut loaded) {
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
    pub(super) fn distrust_memory(&mut self) {
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
