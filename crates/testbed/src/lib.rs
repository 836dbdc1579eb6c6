//! Real servers for tests, started privately, and faults to inject between a client and them.
//!
//! Every server listens on a free port of the loopback interface only, keeps its data in a temporary
//! folder, and ends with the process that started it, however that process ends. Nothing here returns
//! errors: a test that cannot have its server panics with a message that says what to do.
//!
//! - [`postgres()`] and [`mariadb()`]: one server for all tests of a process, a fresh database for each.
//! - [`PostgresServer`], [`PostgresReplica`], [`MariaDbServer`]: a server of one's own, to stop and restart.
//! - [`FaultProxy`]: stands between a client and a server and loses commits, answers or connections.

mod mariadb;
mod postgres;
mod process;
mod programs;
mod proxy;
mod replica;
mod shared;
mod tls;
mod url;

pub use mariadb::MariaDbServer;
pub use postgres::PostgresServer;
pub use proxy::{FaultProxy, Protocol};
pub use replica::PostgresReplica;
pub use shared::{SharedServer, mariadb, postgres};
