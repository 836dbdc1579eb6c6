//! What happened, told to consumers at least once and in order.
//!
//! An [`Event`] is a CloudEvent. The relay takes it from the outbox, where the transaction it happened in
//! has left it, and gives it to a [`Transport`]; that brings it to every [`Consumer`]. Whoever wants to act
//! on events implements [`Consumer`], and never learns which way they came.

mod consumer;
pub mod deliveries;
mod delivery;
mod event;
mod journal;
#[cfg(feature = "kafka")]
mod kafka;
mod lease;
mod local;
pub mod notifications;
mod popularity;
mod relay;
mod service;
mod tell;
mod transport;
pub mod webhooks;

pub use consumer::{ConsumeError, Consumer, NAME_LEN_MAX};
pub use event::{Event, EventError, EventType};
pub use journal::Journal;
#[cfg(feature = "kafka")]
pub use kafka::{KafkaSettings, KafkaTransport};
pub use local::LocalTransport;
pub use popularity::Popularity;
pub use service::{Events, Parts};
pub use transport::{Subscription, Transport, TransportError};
