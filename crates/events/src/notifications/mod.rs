//! Notifications: buyers are told that their order is paid, that their hold is about to end, that their
//! order was cancelled.
//!
//! [`NotificationConsumer`] turns events into deliveries; the [`Courier`](crate::deliveries::Courier)
//! has [`NotificationSender`] write each as a [`Message`] and hand it to a [`Notifier`]. A booking waits
//! for none of it. Who is to be told, and whether there is still a reason to, is looked up at that
//! moment: no addresses are copied.

mod consumer;
mod log;
mod sender;
mod smtp;
mod text;

use async_trait::async_trait;
use onsale_domain::ids::UserId;

pub use consumer::NotificationConsumer;
pub use log::LogNotifier;
pub use sender::NotificationSender;
pub use smtp::{SmtpError, SmtpNotifier};
pub use text::Language;

/// Tells people something.
#[async_trait]
pub trait Notifier: Send + Sync + 'static {
    /// Hands a message over. It may come twice; then with the same id.
    async fn notify(&self, message: &Message) -> Result<(), NotifyError>;
}

/// A message to a buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Names this message and no other.
    pub id: String,
    /// To whom.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// Their e-mail address; empty if none is known.
    pub email: String,
    /// What it is about.
    pub subject: String,
    /// What it says, as plain text.
    pub text: String,
}

/// Why a message was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// It may succeed later.
    #[error("{0}")]
    Later(String),
    /// It will never succeed.
    #[error("{0}")]
    Never(String),
    /// There is nowhere to send it, and nothing wrong with that.
    #[error("no e-mail address is known")]
    Nowhere,
}
