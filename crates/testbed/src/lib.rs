//! Real servers for tests, started privately, and faults to inject between a client and them.
//!
//! Every server listens on a free port of the loopback interface only, keeps its data in a temporary
//! folder, and ends with the process that started it, however that process ends. Nothing here returns
//! errors: a test that cannot have its server panics with a message that says what to do.
//!
//! - [`postgres()`] and [`mariadb()`]: one server for all tests of a process, a fresh database for each.
//! - [`PostgresServer`], [`PostgresReplica`], [`MariaDbServer`], [`KafkaBroker`]: a server of one's own, to stop and restart.
//! - [`RedisServer`], [`RedisCluster`]: likewise; [`redis()`] is one server for all tests of a process,
//!   where each test has a prefix of its own.
//! - [`S3Server`]: a store for objects, with one account; [`s3()`] is one for all tests of a process.
//! - [`openid`]: a provider of identities, and keys that sign tokens, good and forged.
//! - [`Relay`]: stands between a client and any server and cuts or holds up what they say.
//! - [`HaProxy`], [`WebProxy`], [`Prometheus`]: what stands in front of a fleet and what watches it.
//! - [`Port`]: a port for a server that the test starts itself.
//! - [`FaultProxy`]: stands between a client and a server and loses commits, answers or connections.

mod haproxy;
mod kafka;
mod mariadb;
pub mod openid;
mod postgres;
mod process;
mod programs;
mod prometheus;
mod proxy;
mod redis;
mod relay;
mod replica;
mod s3;
mod shared;
mod tls;
mod url;
mod web_proxy;

pub use haproxy::HaProxy;
pub use kafka::KafkaBroker;
pub use mariadb::MariaDbServer;
pub use postgres::PostgresServer;
pub use process::Port;
pub use prometheus::Prometheus;
pub use proxy::{FaultProxy, Protocol};
pub use redis::{RedisCluster, RedisServer, redis};
pub use relay::Relay;
pub use replica::PostgresReplica;
pub use s3::{S3Server, s3};
pub use shared::{SharedServer, mariadb, postgres};
pub use web_proxy::WebProxy;
