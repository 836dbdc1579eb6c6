//! A Redis that neither answers nor goes away is waited for once, by nobody in particular.

use std::{sync::Arc, time::Duration};

use onsale_coordination::{RedisCache, RedisLimiter, RedisLocks, RedisOptions};
use onsale_domain::{
    ids::UserId,
    limits::{CountRule, Subject},
};
use onsale_engine::{
    clock::SystemClock,
    ports::{Limiter, LockError, Locks as _, Look, SharedCache as _},
};
use onsale_testbed::RedisServer;
use tokio::time::{Instant, sleep};

use super::unused_prefix;

fn rule() -> CountRule {
    CountRule {
        name: "reads".into(),
        requests: 1_000,
        window_ms: 60_000,
        burst: 1_000,
        block_ms: 0,
        block_ms_max: 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_redis_is_waited_for_once() {
    let redis = Arc::new(tokio::task::spawn_blocking(RedisServer::new).await.expect("Redis starts"));
    let (url, clock) = (redis.url(), Arc::new(SystemClock));
    let options = RedisOptions { prefix: unused_prefix(), ..RedisOptions::default() };
    let cache = RedisCache::start(&url, &options, clock.clone()).unwrap();
    let locks = RedisLocks::start(&url, &options).unwrap();
    let limiter = RedisLimiter::start(&url, &options, clock).unwrap();
    let subject = Subject::Account(UserId(1));
    assert!(limiter.count(&rule(), subject).await.is_allowed());
    assert_ne!(cache.look(cache.generation(), "key").await, Look::Away);

    let freezing = redis.clone();
    tokio::task::spawn_blocking(move || freezing.freeze()).await.unwrap();
    let since = Instant::now();
    assert_eq!(cache.look(cache.generation(), "another").await, Look::Away);
    // What each of them would cost without the breaker, as it costs this one.
    assert!(since.elapsed() <= Duration::from_secs(5), "{:?}", since.elapsed());

    let since = Instant::now();
    for _ in 0..50 {
        assert_eq!(cache.look(cache.generation(), "key").await, Look::Away);
        assert!(limiter.count(&rule(), subject).await.is_allowed());
        let held = locks.acquire("performance:1", Duration::from_millis(250)).await;
        assert!(matches!(held, Err(LockError::Unavailable(_))));
    }
    assert!(since.elapsed() < Duration::from_secs(1), "150 requests took {:?}", since.elapsed());

    let thawing = redis.clone();
    tokio::task::spawn_blocking(move || thawing.thaw()).await.unwrap();
    let since = Instant::now();
    while cache.look(cache.generation(), "key").await == Look::Away {
        assert!(since.elapsed() < Duration::from_secs(10), "it answers again");
        sleep(Duration::from_millis(20)).await;
    }
}
