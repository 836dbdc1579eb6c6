//! How the database's replicas are doing, for probes and people.

/// How one replica is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaHealth {
    /// Its host and port.
    pub name: String,
    /// Whether it is used, and if not, why.
    pub condition: ReplicaCondition,
    /// How far it is behind at most, in milliseconds. `None` until it has shown a state that was
    /// written since this node started.
    pub lag_ms: Option<u64>,
}

/// Whether a replica is used, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaCondition {
    /// It takes reads.
    Usable,
    /// It has not been asked yet.
    Unchecked,
    /// It does not answer, or a read on it has failed.
    Failing,
    /// It is further behind than it may be.
    Behind,
    /// It answers and has caught up; one more such check and it is used.
    Returning,
    /// It shows what the database has not written: it is a replica of something else.
    Foreign,
}
