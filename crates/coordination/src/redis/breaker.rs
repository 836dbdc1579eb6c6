//! Sparing callers a Redis that does not answer.
//!
//! A Redis that is frozen, or behind a network that drops everything, takes a second of each who asks it.
//! After the first of them nobody asks any more: all are told at once that it is away, those who wait
//! included. Beside them it is tried again and again, and asked by all as soon as it answers.

use std::{sync::Arc, time::Duration};

use metrics::{counter, gauge};
use tokio::{runtime::Handle, sync::watch, time::sleep};

/// How long to wait between two tries.
const TRY_EVERY: Duration = Duration::from_millis(200);

/// Whether Redis is asked at all. Cheap to clone; whoever uses the same Redis shares one.
#[derive(Clone, Debug)]
pub struct Breaker {
    open: Arc<watch::Sender<bool>>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { open: Arc::new(watch::Sender::new(false)) }
    }
}

impl Breaker {
    /// Whether Redis is not to be asked.
    pub(super) fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    /// Returns when it is not to be asked any more.
    pub(super) async fn opens(&self) {
        let mut open = self.open.subscribe();
        // It cannot fail, as the sender is here.
        let _ = open.wait_for(|open| *open).await;
    }

    /// Redis has not answered in time. From now on it is not asked until `answers` says that it does.
    pub(super) fn trip<F>(&self, runtime: &Handle, answers: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = bool> + Send,
    {
        if self.open.send_replace(true) {
            return;
        }
        tracing::warn!("Redis does not answer in time; it is not waited for until it does");
        counter!("onsale_redis_breaker_opened_total").increment(1);
        gauge!("onsale_redis_breaker_open").set(1.0);
        let closes = Closes(self.clone());
        runtime.spawn(async move {
            while !answers().await {
                sleep(TRY_EVERY).await;
            }
            tracing::info!("Redis answers again");
            drop(closes);
        });
    }
}

/// Has Redis asked again when it is dropped: also if nobody tries any more whether it answers.
struct Closes(Breaker);

impl Drop for Closes {
    fn drop(&mut self) {
        gauge!("onsale_redis_breaker_open").set(0.0);
        self.0.open.send_replace(false);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn it_is_open_until_redis_answers_and_one_tries_for_all() {
        let (breaker, answers) = (Breaker::default(), Arc::new(AtomicBool::new(false)));
        let tries = Arc::new(AtomicU32::new(0));
        for _ in 0..10 {
            let (answers, tries) = (answers.clone(), tries.clone());
            breaker.clone().trip(&Handle::current(), move || {
                tries.fetch_add(1, Ordering::SeqCst);
                let answers = answers.clone();
                async move { answers.load(Ordering::SeqCst) }
            });
        }
        breaker.opens().await;
        sleep(TRY_EVERY / 2).await;
        assert!(breaker.is_open());
        assert_eq!(tries.load(Ordering::SeqCst), 1);
        answers.store(true, Ordering::SeqCst);
        for _ in 0..100 {
            if !breaker.is_open() {
                return;
            }
            sleep(TRY_EVERY / 10).await;
        }
        panic!("it stays open");
    }
}
