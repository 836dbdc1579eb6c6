//! Webhooks: events sent to those who have subscribed to them.
//!
//! [`WebhookConsumer`] turns each event into one delivery for each subscription that wants it; the
//! [`Courier`](crate::deliveries::Courier) has [`WebhookSender`] send them. `docs/webhooks.md` is for
//! receivers.

mod consumer;
mod resolver;
mod retry_after;
mod sender;
mod signature;

pub use consumer::{BODY_BYTES_MAX, WebhookConsumer};
pub use resolver::{Lookup, SystemLookup};
pub use sender::{Judged, WebhookSender};
pub use signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, VerifyError, WINDOW_MS, sign, verify};
