//! The ports: what the engine needs from the world, as traits.

mod accounts;
mod audit;
mod broadcast;
mod catalogue;
mod coordination;
mod deliveries;
mod error;
mod health;
mod identities;
mod items;
mod limiter;
mod locks;
mod media;
mod outbox;
mod owners;
mod popularity;
mod rooms;
mod sale;
mod shared_cache;
mod webhooks;

pub use accounts::{
    AccountStore, NewUser, Replaced, Rotation, Session, UnlessLastAdmin, User, UserChange, UserQuery,
};
pub use audit::{
    AuditStore, BrokenPromise, ClaimRow, Count, CountRow, FrozenStore, KeyRow, LedgerRow, OfferFacts,
    OfferRevision, OutboxRow, Page, StockRow, TermsRow, TitleRow, WalletRow,
};
pub use broadcast::Broadcast;
pub use catalogue::{
    CatalogueStore, ConcertPage, ImportOutcome, Imported, MovieQuery, PerformanceListing, PerformanceSummary,
    SeatSelector, ShowListing,
};
pub use coordination::{
    Admits, Coordination, CoordinationError, Holder, LOG_ROW_BYTES_MAX, Reach, RoomJournal, Visitor,
};
pub use deliveries::{
    Again, Attempt, AttemptOutcome, Channel, Delivery, DeliveryBacklog, DeliveryState, DeliveryStore, Lease,
    NewDelivery,
};
pub use error::{CommitError, StoreError, TransactionError};
pub use health::{ReplicaCondition, ReplicaHealth};
pub use identities::{
    Identity, IdentityEmail, IdentityKey, IdentityKeys, IdentityKeysError, IdentityStore, NewIdentity,
};
pub use items::{ItemSale, ItemStore};
pub use limiter::{BLOCKS_LISTED_MAX, Block, Limiter, LimiterError};
pub use locks::{Held, LockError, Locks, with_lock};
pub use media::{MediaFiles, MediaFilesError, MediaStore, Pictured};
pub use outbox::{
    Backlog, EventLogStore, EventTask, LogEntry, LoggedEvent, OutboxEvent, OutboxOrder, OutboxStore,
    OutboxSubject,
};
pub use owners::{Owned, OwnerStore};
pub use popularity::{Chart, ChartKey, CountedSale, PopularityStore, Ranked, Sold};
pub use rooms::{AskedChange, NewRoom, NodeId, RoomStore, StoredRoom};
pub use sale::{
    ClaimsSnapshot, DueHold, Guard, LoadedFacts, LoadedItem, OrderPage, SaleStore, SaleTransaction,
    SaleWriter, TakenSeat,
};
pub use shared_cache::{Kept, Loading, Look, SharedCache, through};
pub use webhooks::{NewWebhook, Webhook, WebhookStore};

/// Everything that is kept: the one database behind all store ports.
pub trait Store:
    SaleStore
    + CatalogueStore
    + ItemStore
    + AccountStore
    + IdentityStore
    + AuditStore
    + RoomStore
    + OwnerStore
    + OutboxStore
    + EventLogStore
    + PopularityStore
    + WebhookStore
    + DeliveryStore
    + MediaStore
{
}

impl<T> Store for T where
    T: SaleStore
        + CatalogueStore
        + ItemStore
        + AccountStore
        + IdentityStore
        + AuditStore
        + RoomStore
        + OwnerStore
        + OutboxStore
        + EventLogStore
        + PopularityStore
        + WebhookStore
        + DeliveryStore
        + MediaStore
{
}
