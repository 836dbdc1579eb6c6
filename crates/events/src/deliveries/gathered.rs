//! Deliveries that a consumer has to add, written together.

use std::sync::Arc;

use onsale_engine::ports::{NewDelivery, Store, StoreError};
use parking_lot::Mutex;

use super::Wake;

/// Deliveries that are gathered before they are written.
const GATHERED_MAX: usize = 500;

/// Gathers deliveries until they are written.
pub(crate) struct Gathered {
    store: Arc<dyn Store>,
    wake: Wake,
    deliveries: Mutex<Vec<NewDelivery>>,
    writing: tokio::sync::Mutex<()>,
}

impl Gathered {
    pub(crate) fn new(store: Arc<dyn Store>, wake: Wake) -> Self {
        Self { store, wake, deliveries: Mutex::default(), writing: tokio::sync::Mutex::default() }
    }

    /// Adds deliveries, after writing those before if there are many.
    pub(crate) async fn add(
        &self,
        new: impl IntoIterator<Item = NewDelivery> + Send,
    ) -> Result<(), StoreError> {
        // First, so that there is room: what could not be written stays.
        if self.deliveries.lock().len() >= GATHERED_MAX {
            self.write().await?;
        }
        self.deliveries.lock().extend(new);
        Ok(())
    }

    /// Writes what was gathered, and wakes whoever makes deliveries.
    pub(crate) async fn write(&self) -> Result<(), StoreError> {
        // One at a time: what comes later must not be written earlier.
        let _writing = self.writing.lock().await;
        let gathered = std::mem::take(&mut *self.deliveries.lock());
        if gathered.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.store.add_deliveries(&gathered).await {
            // They stay first in line: those after them must not overtake.
            self.deliveries.lock().splice(0..0, gathered);
            return Err(error);
        }
        self.wake.wake();
        Ok(())
    }
}
