//! Adapters of the coordination port: state that nodes share and that may be lost.
//!
//! [`LocalCoordination`] keeps it in the process, for a single node.

mod accounts;
mod local;
mod room;

pub use accounts::Accounts;
pub use local::LocalCoordination;
