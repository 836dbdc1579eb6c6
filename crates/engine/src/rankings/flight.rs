//! One load for all who ask for the same at the same time.

use std::{collections::HashMap, hash::Hash};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use parking_lot::Mutex;

type Load<V, E> = BoxFuture<'static, Result<V, E>>;

/// Loads that are under way. A load goes on as long as anybody waits for it: whoever began it may
/// leave.
pub(super) struct Flights<K, V: Clone, E: Clone> {
    under_way: Mutex<HashMap<K, WeakShared<Load<V, E>>>>,
}

impl<K, V: Clone, E: Clone> Default for Flights<K, V, E> {
    fn default() -> Self {
        Self { under_way: Mutex::default() }
    }
}

impl<K: Copy + Eq + Hash, V: Clone, E: Clone> Flights<K, V, E> {
    /// What the load gives that is under way for this key, or else this one. Failures are shared,
    /// and not kept.
    pub(super) async fn join(
        &self,
        key: K,
        load: impl Future<Output = Result<V, E>> + Send + 'static,
    ) -> Result<V, E> {
        let flight = {
            let mut under_way = self.under_way.lock();
            match under_way.get(&key).and_then(unfinished) {
                Some(flight) => flight,
                None => {
                    let flight = load.boxed().shared();
                    under_way.extend(flight.downgrade().map(|weak| (key, weak)));
                    flight
                }
            }
        };
        let loaded = flight.await;
        let mut under_way = self.under_way.lock();
        if under_way.get(&key).and_then(unfinished).is_none() {
            under_way.remove(&key);
        }
        loaded
    }
}

/// The flight, if somebody waits for it and it has not ended.
fn unfinished<V: Clone, E: Clone>(flight: &WeakShared<Load<V, E>>) -> Option<Shared<Load<V, E>>> {
    flight.upgrade().filter(|flight| flight.peek().is_none())
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::{sync::oneshot, task::yield_now};

    use super::*;

    #[tokio::test]
    async fn one_load_answers_everybody_and_a_failure_is_not_kept() {
        let flights = Flights::<u8, u8, &str>::default();
        let (answer, answered) = oneshot::channel::<Result<u8, &str>>();
        let first = flights.join(1, async { answered.await.unwrap() });
        let second = flights.join(1, async { unreachable!("the first is under way") });
        let other = flights.join(2, async { Ok(9) });
        let send = async {
            yield_now().await;
            answer.send(Err("broken")).unwrap();
        };
        let (first, second, other, ()) = tokio::join!(first, second, other, send);
        assert_eq!((first, second, other), (Err("broken"), Err("broken"), Ok(9)));
        assert_eq!(flights.join(1, async { Ok(7) }).await, Ok(7), "the next one loads again");
        assert!(flights.under_way.lock().is_empty());
    }

    #[tokio::test]
    async fn a_load_outlives_whoever_began_it_and_ends_with_the_last_who_waits() {
        let flights = Flights::<u8, u8, &str>::default();
        let (answer, answered) = oneshot::channel::<u8>();
        let mut first = Box::pin(flights.join(1, async { Ok(answered.await.unwrap()) }));
        assert!(futures_util::poll!(&mut first).is_pending());
        let mut second = Box::pin(flights.join(1, pending()));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        answer.send(7).unwrap();
        assert_eq!(second.await, Ok(7));
        let mut given_up = Box::pin(flights.join(1, pending()));
        assert!(futures_util::poll!(&mut given_up).is_pending());
        drop(given_up);
        assert_eq!(flights.join(1, async { Ok(8) }).await, Ok(8));
    }
}
