//! A task that goes on beside the use cases until it is ended.

use parking_lot::Mutex;
use tokio::task::JoinHandle;

/// At most one running task.
#[derive(Default)]
pub(crate) struct Background(Mutex<Option<JoinHandle<()>>>);

impl Background {
    /// Starts a task. Must be called inside a Tokio runtime.
    pub(crate) fn start(&self, task: impl Future<Output = ()> + Send + 'static) {
        *self.0.lock() = Some(tokio::spawn(task));
    }

    /// Whether it was started and has not ended.
    pub(crate) fn goes_on(&self) -> bool {
        self.0.lock().as_ref().is_some_and(|task| !task.is_finished())
    }

    /// Ends it, if it runs, and waits until it has let go of what it holds, such as the store.
    pub(crate) async fn end(&self) {
        let running = self.0.lock().take();
        if let Some(task) = running {
            task.abort();
            let _ = task.await;
        }
    }
}
