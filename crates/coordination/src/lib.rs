//! Adapters of the coordination ports: state that nodes share and that may be lost.
//!
//! [`LocalCoordination`], [`LocalLimiter`], [`LocalCache`], [`LocalLocks`] and [`LocalBroadcast`] keep it in the process,
//! for a single node; [`RedisCoordination`], [`RedisLimiter`], [`RedisCache`], [`RedisLocks`] and
//! [`RedisBroadcast`] let any number of nodes share it.

mod accounts;
mod broadcast;
mod cache;
mod limiter;
mod local;
mod locks;
mod log;
mod recent;
mod redis;
mod room;

pub use accounts::Accounts;
pub use broadcast::LocalBroadcast;
pub use cache::LocalCache;
pub use limiter::LocalLimiter;
pub use local::LocalCoordination;
pub use locks::LocalLocks;
pub use redis::{
    Breaker, RedisBroadcast, RedisCache, RedisCoordination, RedisLimiter, RedisLocks, RedisOptions,
};
