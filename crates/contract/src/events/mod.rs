//! The contract of the way that events go from the relay to consumers.
#![allow(missing_docs, reason = "a case's name says what it demands")]

pub mod deliveries;
mod recorder;

use std::sync::Arc;

use onsale_events::Transport;

/// A way that events go, with nodes at it.
pub trait Way: Send + Sync {
    /// The way as one more node sees it.
    fn node(&self) -> Arc<dyn Transport>;
}
