//! The port under telling other nodes what has changed.

use std::collections::HashSet;

use async_trait::async_trait;
use onsale_domain::offer::Offer;

/// Tells the nodes what one of them has changed. It saves them from looking and never decides: what
/// is told may be lost, so whoever hears nothing still looks into the database, only more rarely.
#[async_trait]
pub trait Broadcast: Send + Sync + 'static {
    /// Tells the other nodes that an offer has changed. Returns at once. What is told of one offer in
    /// a short time is told once.
    fn tell(&self, offer: Offer);

    /// Waits for what other nodes tell: all that has been told since the last time, each offer once.
    async fn heard(&self) -> HashSet<Offer>;

    /// Tells the other nodes that sessions have ended or accounts have changed. Returns at once.
    fn tell_accounts(&self);

    /// Waits until another node tells that.
    async fn heard_accounts(&self);

    /// Whether this node hears what is told, as far as it knows. Some of it may have been missed when
    /// this turns from `false` to `true`.
    fn works(&self) -> bool;
}
