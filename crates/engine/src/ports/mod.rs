//! The ports: what the engine needs from the world, as traits.

mod accounts;
mod audit;
mod catalogue;
mod coordination;
mod error;
mod health;
mod rooms;
mod sale;

pub use accounts::{AccountStore, NewUser, Session, User, UserChange};
pub use audit::{AuditStore, ClaimRow, FrozenStore, KeyRow, LedgerRow};
pub use catalogue::{
    CatalogueStore, ConcertPage, ImportOutcome, MovieQuery, PerformanceListing, PerformanceSummary,
    SeatSelector, ShowListing,
};
pub use coordination::{Admits, Coordination, CoordinationError, Holder, RoomJournal, Visitor};
pub use error::{CommitError, StoreError, TransactionError};
pub use health::{ReplicaCondition, ReplicaHealth};
pub use rooms::{AskedChange, NewRoom, NodeId, RoomStore, StoredRoom};
pub use sale::{
    ClaimsSnapshot, DueHold, Guard, LoadedFacts, OrderPage, SaleStore, SaleTransaction, TakenSeat,
};

/// Everything that is kept: the one database behind all store ports.
pub trait Store: SaleStore + CatalogueStore + AccountStore + AuditStore + RoomStore {}

impl<T: SaleStore + CatalogueStore + AccountStore + AuditStore + RoomStore> Store for T {}
