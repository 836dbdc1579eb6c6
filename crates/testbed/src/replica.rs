//! A streaming standby of a PostgreSQL server.

use std::{net::SocketAddr, thread, time::Duration};

use rustix::process::Signal;

use crate::{
    PostgresServer,
    postgres::{SERVER, data_folder, find, prepare, psql, start, url},
    process::ServerProcess,
    programs,
};

const POLL: Duration = Duration::from_millis(20);
/// A minute.
const POLLS_MAX: usize = 3_000;

/// A running hot standby, which follows its primary asynchronously and answers read-only queries. Dropping
/// it ends it and removes its data.
///
/// The methods block; in async code call them from `spawn_blocking`.
#[derive(Debug)]
pub struct PostgresReplica {
    process: ServerProcess,
}

impl PostgresReplica {
    /// Copies `primary` and starts to follow it.
    ///
    /// # Panics
    /// When PostgreSQL is not installed, or the primary cannot be copied.
    #[must_use]
    pub fn of(primary: &PostgresServer) -> Self {
        let pg_basebackup = find("pg_basebackup", SERVER);
        let process = prepare("postgres-replica");
        let copied = programs::run(
            process
                .command(&pg_basebackup)
                .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--no-password"])
                .arg("--dbname")
                .arg(primary.url("postgres"))
                .arg("--pgdata")
                .arg(data_folder(&process)),
        );
        copied.unwrap_or_else(|error| panic!("the primary cannot be copied: {error}"));
        let replica = Self { process };
        replica.start();
        replica
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// As clients want it told.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url(&self.process, database)
    }

    /// Runs a query through `psql`: see [`PostgresServer::query`].
    ///
    /// # Panics
    /// When it fails.
    pub fn query(&self, database: &str, sql: &str) -> String {
        psql(&self.url(database), sql).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts the stopped replica, on the same port, and waits until it answers.
    ///
    /// # Panics
    /// When it is running.
    pub fn start(&self) {
        // Soon back when the primary is back; five seconds otherwise.
        start(&self.process, &["wal_retrieve_retry_interval=100ms"]);
    }

    /// Ends the replica in order.
    pub fn stop(&self) {
        self.process.stop(Signal::INT);
    }

    /// Holds still what the replica shows. Returns once it does; what the primary sends is kept for later.
    ///
    /// Not while a change waits for its [delay](Self::set_apply_delay): the pause would begin after it.
    ///
    /// # Panics
    /// When the replica does not stand still within a minute.
    pub fn pause_replay(&self) {
        self.query("postgres", "SELECT pg_wal_replay_pause()");
        self.wait_until("SELECT pg_get_wal_replay_pause_state() = 'paused'", "stand still");
    }

    /// The replica follows again.
    pub fn resume_replay(&self) {
        self.query("postgres", "SELECT pg_wal_replay_resume()");
    }

    /// Every commit shows on the replica this many milliseconds after it was made on the primary, or later.
    pub fn set_apply_delay(&self, delay_ms: u32) {
        self.query("postgres", &format!("ALTER SYSTEM SET recovery_min_apply_delay = {delay_ms}"));
        self.query("postgres", "SELECT pg_reload_conf()");
        // The signal is on its way; a new session reads the settings as they are now.
        self.wait_until(
            &format!(
                "SELECT setting = '{delay_ms}' FROM pg_settings WHERE name = 'recovery_min_apply_delay'"
            ),
            "take up the delay",
        );
    }

    /// Waits until the replica shows everything that `primary` has committed up to now.
    ///
    /// # Panics
    /// When it does not within a minute.
    pub fn wait_until_caught_up(&self, primary: &PostgresServer) {
        let position = primary.query("postgres", "SELECT pg_current_wal_flush_lsn()");
        self.wait_until(&format!("SELECT pg_last_wal_replay_lsn() >= '{position}'"), "catch up");
    }

    fn wait_until(&self, condition: &str, what: &str) {
        for _ in 0..POLLS_MAX {
            if self.query("postgres", condition) == "t" {
                return;
            }
            thread::sleep(POLL);
        }
        panic!("the replica did not {what} within a minute");
    }
}
