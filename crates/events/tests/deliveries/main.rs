//! Webhooks and notifications, from the event to a receiver that listens on a port of its own.

mod notifications;
mod receiver;
mod smtp;
mod stage;
mod targets;
mod webhooks;
