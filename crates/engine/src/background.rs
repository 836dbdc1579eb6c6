//! A task that goes on beside the use cases until it is ended.

use parking_lot::Mutex;

use crate::vitals::{Supervised, Vitals};

/// At most one running task.
#[derive(Default)]
pub(crate) struct Background(Mutex<Option<Supervised>>);

impl Background {
    /// Starts a task, and starts it again if it ends by itself. Must be called inside a Tokio runtime.
    pub(crate) fn start<F>(
        &self,
        vitals: &Vitals,
        name: &'static str,
        begin: impl FnMut() -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        *self.0.lock() = Some(vitals.supervise(name, begin));
    }

    /// Ends it, if it runs, and waits until it has let go of what it holds, such as the store.
    pub(crate) async fn end(&self) {
        let running = self.0.lock().take();
        if let Some(task) = running {
            task.end().await;
        }
    }
}
