//! Names in Redis. What belongs to a room has its number in braces, so that on a Cluster all of it
//! lies on one node and a script may use it together.

use onsale_domain::ids::RoomId;

/// The names of an installation.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub(crate) fn room(&self, room: RoomId) -> RoomKeys {
        RoomKeys { base: format!("{}:{{room:{room}}}", self.prefix) }
    }

    /// Where a node finds what others send it.
    pub(crate) fn inbox(&self, node: &str) -> String {
        format!("{}:inbox:{node}", self.prefix)
    }
}

/// The names of a room.
#[derive(Clone, Debug)]
pub(crate) struct RoomKeys {
    base: String,
}

impl RoomKeys {
    /// Who runs it; gone when its lease has ended.
    pub(crate) fn runner(&self) -> String {
        format!("{}:runner", self.base)
    }

    /// Whose copy of the room this is, and its version. Missing while the copy is not complete.
    pub(crate) fn version(&self) -> String {
        format!("{}:version", self.base)
    }

    /// Turns by place.
    pub(crate) fn turns(&self) -> String {
        format!("{}:turns", self.base)
    }

    /// A bit for each place that has been taken.
    pub(crate) fn taken(&self) -> String {
        format!("{}:taken", self.base)
    }

    /// A bit for each number that was given up before the opening.
    pub(crate) fn given_up(&self) -> String {
        format!("{}:given-up", self.base)
    }

    /// Eight bytes for each number: whose it is.
    pub(crate) fn accounts(&self, page: u32) -> String {
        format!("{}:accounts:{page}", self.base)
    }
}
