//! Points: balances and the double-entry ledger behind them.
//!
//! Every movement is one *transfer* of two entries that sum to zero, so the whole
//! ledger sums to zero and a wallet's balance is the sum of its entries.

use crate::{
    ids::{OrderId, TransferId, UserId},
    time::Timestamp,
    user::Role,
};

/// The most that one charge may add, in minor units.
pub const CHARGE_MAX: i64 = 1_000_000_000;

/// The most that one wallet may hold, in minor units.
pub const BALANCE_MAX: i64 = 1_000_000_000_000;

/// The setting of who may put points into wallets. Each value allows what the ones before it do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PointsFrom {
    /// Nobody.
    Nobody,
    /// Administrators, as whom the bridge to a payment provider logs in.
    #[default]
    Provider,
    /// Organisers.
    Organisers,
    /// Everybody into their own, without paying: for demonstrations and tests.
    Anyone,
}

impl PointsFrom {
    /// Whether somebody of this role may put points into any wallet.
    #[must_use]
    pub const fn lets_credit(self, role: Role) -> bool {
        match role {
            Role::Admin => !matches!(self, Self::Nobody),
            Role::Organiser => matches!(self, Self::Organisers | Self::Anyone),
            Role::User => false,
        }
    }

    /// Whether everybody may put points into their own wallet.
    #[must_use]
    pub const fn lets_charge(self) -> bool {
        matches!(self, Self::Anyone)
    }
}

/// Whose money an entry moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Account {
    /// Where charged points come from: the world outside.
    Outside,
    /// What was taken for seats and units.
    Sales,
    /// A buyer's wallet.
    Wallet(UserId),
}

impl Account {
    /// The number that stands for this account in the database: the user's id, or a
    /// negative number for the accounts of the house.
    #[must_use]
    pub const fn code(self) -> i64 {
        match self {
            Self::Outside => -1,
            Self::Sales => -2,
            Self::Wallet(user) => user.0,
        }
    }
}

/// Why money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransferKind {
    /// Points charged.
    Charge,
    /// An order paid.
    Payment,
    /// A payment given back.
    Refund,
}

impl TransferKind {
    /// The kind's name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Payment => "payment",
            Self::Refund => "refund",
        }
    }
}

/// Money moved from one account to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Its id.
    pub id: TransferId,
    /// Why.
    pub kind: TransferKind,
    /// The account that has `amount` less.
    pub from: Account,
    /// The account that has `amount` more.
    pub to: Account,
    /// In minor units, above zero.
    pub amount: i64,
    /// The order it belongs to, if any.
    pub order: Option<OrderId>,
    /// Its number among the transfers of its wallet, from 1: the wallet's version after it.
    pub position: i64,
    /// When.
    pub created_at: Timestamp,
}

/// A buyer's points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wallet {
    /// In minor units; never below zero.
    pub balance: i64,
    /// Counts its changes, from 0 for a wallet never used.
    pub version: i64,
}
