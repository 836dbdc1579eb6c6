//! Whoever acts on events.

use async_trait::async_trait;

use crate::Event;

/// Acts on events.
///
/// Each event comes at least once. Events with the same [`key`](Event::key) come in the order in
/// which they happened, one after the other; an event that came before may come again. So an effect
/// must be idempotent by [`Event::id`]. Each consumer has a position of its own, which survives
/// restarts: one that fails does not stop the others.
#[async_trait]
pub trait Consumer: Send + Sync + 'static {
    /// Its name, under which its position is kept: at most [`NAME_LEN_MAX`] lower-case letters and
    /// hyphens, and never changed.
    fn name(&self) -> &'static str;

    /// Acts on one event, and returns when its effect has happened, or when [`flush`](Self::flush)
    /// will make it happen. An error means: the same event later again, with growing delays, and
    /// nothing else of the same key before it.
    async fn consume(&self, event: &Event) -> Result<(), ConsumeError>;

    /// Makes lasting what was consumed so far. Called before the position is noted.
    async fn flush(&self) -> Result<(), ConsumeError> {
        Ok(())
    }
}

/// The longest name of a consumer.
pub const NAME_LEN_MAX: usize = 40;

/// Why an event could not be acted on; for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConsumeError(pub String);

impl ConsumeError {
    /// An error because of another one.
    pub fn new(reason: impl ToString) -> Self {
        Self(reason.to_string())
    }
}

impl From<onsale_engine::ports::StoreError> for ConsumeError {
    fn from(error: onsale_engine::ports::StoreError) -> Self {
        Self::new(error)
    }
}
