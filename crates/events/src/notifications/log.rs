//! Notifications into the log, for installations that send none.

use async_trait::async_trait;

use super::{Message, Notifier, NotifyError};

/// Notes in the log whom it would have told what. Without address and name, which have no place there.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogNotifier;

#[async_trait]
impl Notifier for LogNotifier {
    async fn notify(&self, message: &Message) -> Result<(), NotifyError> {
        tracing::info!(user = %message.user, id = %message.id, subject = %message.subject, "notification");
        Ok(())
    }
}
