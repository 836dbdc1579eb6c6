//! What an audit found.

use std::collections::{BTreeMap, BTreeSet};

/// The most rows kept for one kind of violation; all are counted.
pub(super) const ROWS_KEPT_MAX: usize = 100;

/// What an audit counted and what it found wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// What there is.
    pub counts: Counts,
    /// What is wrong, by kind.
    pub violations: BTreeMap<Violation, Violations>,
}

impl AuditReport {
    /// Whether everything agrees.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// How many violations there are in all.
    #[must_use]
    pub fn violations_total(&self) -> u64 {
        self.violations.values().map(|found| found.total).sum()
    }

    /// The same without accounts that are missing: measurements and tests sell to buyers who have none.
    #[must_use]
    pub fn without_accounts(mut self) -> Self {
        self.violations.retain(|kind, _| !matches!(kind, Violation::OfNobody(_)));
        self
    }

    pub(super) fn add(&mut self, kind: Violation, row: impl FnOnce() -> String) {
        let found = self.violations.entry(kind).or_default();
        found.total += 1;
        if found.rows.len() < ROWS_KEPT_MAX {
            found.rows.push(row());
        }
    }

    /// Keeps what this report and an earlier one both found wrong. Rows are the same if they are about the same: what
    /// stands before the colon.
    pub(super) fn confirming(mut self, earlier: &Self) -> Self {
        let about = |row: &str| row.split(": ").next().unwrap_or_default().to_owned();
        for (kind, found) in &mut self.violations {
            let before = earlier.violations.get(kind);
            let known: BTreeSet<String> =
                before.into_iter().flat_map(|before| &before.rows).map(|row| about(row)).collect();
            let rows = found.rows.len() as u64;
            found.rows.retain(|row| known.contains(&about(row)));
            let gone = rows - found.rows.len() as u64;
            // Of those that were only counted nobody knows whether they are the same.
            found.total = (found.total - gone).min(before.map_or(0, |before| before.total));
        }
        self.violations.retain(|_, found| !found.rows.is_empty());
        self
    }
}

/// How many rows of each kind there are, and how much money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Orders written as held.
    pub orders_held: u64,
    /// Orders paid.
    pub orders_paid: u64,
    /// Orders expired.
    pub orders_expired: u64,
    /// Orders cancelled.
    pub orders_cancelled: u64,
    /// Seats in unpaid orders.
    pub seats_held: u64,
    /// Seats paid for.
    pub seats_sold: u64,
    /// Seats taken off sale.
    pub seats_locked: u64,
    /// Items.
    pub items: u64,
    /// Units in unpaid orders.
    pub units_held: i128,
    /// Units paid for.
    pub units_sold: i128,
    /// Units that nobody has.
    pub units_left: i128,
    /// Payments, those refunded included.
    pub payments: u64,
    /// Payments refunded.
    pub payments_refunded: u64,
    /// Ledger entries.
    pub ledger_entries: u64,
    /// Transfers that the entries belong to.
    pub transfers: u64,
    /// Wallets.
    pub wallets: u64,
    /// The sum of all wallets, in minor units.
    pub balance: i128,
    /// Idempotency keys.
    pub keys: u64,
}

impl Counts {
    /// The counts with their names, for a table.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, i128)> {
        vec![
            ("orders held", self.orders_held.into()),
            ("orders paid", self.orders_paid.into()),
            ("orders expired", self.orders_expired.into()),
            ("orders cancelled", self.orders_cancelled.into()),
            ("seats held", self.seats_held.into()),
            ("seats sold", self.seats_sold.into()),
            ("seats locked", self.seats_locked.into()),
            ("items", self.items.into()),
            ("units held", self.units_held),
            ("units sold", self.units_sold),
            ("units left", self.units_left),
            ("payments", self.payments.into()),
            ("payments refunded", self.payments_refunded.into()),
            ("ledger entries", self.ledger_entries.into()),
            ("transfers", self.transfers.into()),
            ("wallets", self.wallets.into()),
            ("balance of all wallets", self.balance),
            ("idempotency keys", self.keys.into()),
        ]
    }
}

/// The violations of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    /// How many there are.
    pub total: u64,
    /// The first of them, at most 100, each with its ids.
    pub rows: Vec<String>,
}

/// Everything that can be wrong. A row that is found wrong begins with what it is about, up to a colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Violation {
    /// The database finds its own file damaged.
    FileDamaged,
    /// A row cannot be read.
    Unreadable,
    /// An order is written twice.
    OrderTwice,
    /// An order has no seat, one seat twice, or no unit.
    OrderLines,
    /// An order's amount is not the sum of its lines, or a price is below zero.
    OrderAmount,
    /// An order or the database is in another currency.
    OtherCurrency,
    /// An order's version does not fit its status.
    OrderVersion,
    /// An order is for a performance or an item that does not exist.
    OrderOfNoOffer,
    /// An order is for a seat that the performance's hall has not.
    OrderSeat,
    /// An order was held for another time than its offer ever said.
    OrderDeadline,
    /// An order was sold for a price that its offer never had.
    OrderPrice,
    /// A buyer has more of an offer than it ever allowed.
    OverLimit,
    /// A seat is claimed twice.
    SeatClaimedTwice,
    /// A claim is on a seat or of a performance that does not exist.
    ClaimOfNoSeat,
    /// A claim belongs to an order that does not exist.
    ClaimWithoutOrder,
    /// A claim belongs to an order that has expired or was cancelled.
    ClaimOfEndedOrder,
    /// A claim belongs to an order that is not for that seat of that performance.
    ClaimNotInOrder,
    /// A held or paid order lacks the claim on one of its seats.
    ClaimMissing,
    /// An item's stock is written twice.
    StockTwice,
    /// An item's stock is below zero.
    StockNegative,
    /// What an item's orders have and what is left do not make up its stock.
    StockDiffers,
    /// Orders have units of an item that has no stock.
    StockMissing,
    /// An order is paid twice.
    PaidTwice,
    /// A paid order has no payment.
    PaymentMissing,
    /// A payment belongs to an order that does not exist, is held, or has expired.
    PaymentOfUnpaidOrder,
    /// A payment was made after the hold had ended.
    PaidLate,
    /// A payment differs from its order in amount, currency or buyer.
    PaymentDiffers,
    /// A paid order is refunded, or the payment of a cancelled one is not.
    RefundWrong,
    /// A payment or refund has not exactly one transfer of its amount in the ledger.
    LedgerDiffersFromPayments,
    /// A transfer does not sum to zero.
    TransferUnbalanced,
    /// A transfer does not move money between the two accounts of its kind.
    TransferMalformed,
    /// The whole ledger does not sum to zero.
    LedgerUnbalanced,
    /// A wallet is written twice.
    WalletTwice,
    /// A wallet's balance is not the sum of its ledger entries.
    WalletDiffers,
    /// A wallet is below zero.
    WalletNegative,
    /// A wallet's transfers are not as many as its changes, or not in one row.
    WalletVersion,
    /// The balance that a payment names is not what the ledger says.
    BalanceAfter,
    /// An idempotency key is written twice.
    KeyTwice,
    /// An order was made, or paid, under two idempotency keys.
    OrderWithTwoKeys,
    /// An idempotency key stands for an order or payment that does not exist.
    KeyWithoutOrder,
    /// An idempotency key stands for somebody else's order.
    KeyOfAnotherUser,
    /// An idempotency key was used at another time than what it stands for was done.
    KeyTime,
    /// An idempotency key stands for a charge that is not in the ledger, or left another balance.
    KeyWithoutCharge,
    /// The outbox tells of something that its order did not do.
    EventWrong,
    /// An offer's terms are not those that were kept of the same revision.
    TermsDiffer,
    /// A show's title or genre is not found by what it says.
    TitleNotFound,
    /// A ranking counts more than was sold, or not what was sold.
    CountWrong,
    /// A row refers to an account that does not exist; the text says which.
    OfNobody(&'static str),
    /// A row refers to something else that does not exist, or cannot be as it is; the text says which.
    Promise(&'static str),
}

impl Violation {
    /// What is wrong, in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FileDamaged => "damaged database file",
            Self::Unreadable => "row that cannot be read",
            Self::OtherCurrency => "order in another currency than the database",
            Self::OrderVersion => "order version does not fit its status",
            Self::OrderOfNoOffer => "order of a performance or item that does not exist",
            Self::OrderSeat => "order for a seat that does not exist",
            Self::OrderDeadline => "order held for longer or shorter than its offer ever said",
            Self::OrderPrice => "order at a price that its offer never had",
            Self::OverLimit => "buyer with more than the offer ever allowed",
            Self::ClaimOfNoSeat => "claim on a seat that does not exist",
            Self::PaidLate => "payment after the hold had ended",
            Self::WalletVersion => "transfers of a wallet are not as many as its changes",
            Self::BalanceAfter => "balance after a payment is not the ledger's",
            Self::KeyTime => "idempotency key of another time than what it stands for",
            Self::KeyWithoutCharge => "idempotency key without its charge",
            Self::EventWrong => "outbox tells what its order did not do",
            Self::TermsDiffer => "terms differ from those kept of the same revision",
            Self::TitleNotFound => "title or genre is not found by what it says",
            Self::CountWrong => "ranking counts what was not sold",
            Self::OfNobody(what) | Self::Promise(what) => what,
            Self::OrderTwice => "order written twice",
            Self::OrderLines => "order without seats or units, or with one seat twice",
            Self::OrderAmount => "order amount is not the sum of its lines",
            Self::SeatClaimedTwice => "seat claimed twice",
            Self::ClaimWithoutOrder => "claim of an order that does not exist",
            Self::ClaimOfEndedOrder => "claim of an expired or cancelled order",
            Self::ClaimNotInOrder => "claim of an order that is not for that seat",
            Self::ClaimMissing => "seat of a held or paid order without its claim",
            Self::StockTwice => "stock written twice",
            Self::StockNegative => "stock below zero",
            Self::StockDiffers => "units held, sold and left are not the stock",
            Self::StockMissing => "order of an item without a stock",
            Self::PaidTwice => "order paid twice",
            Self::PaymentMissing => "paid order without a payment",
            Self::PaymentOfUnpaidOrder => "payment of an order that is not paid",
            Self::PaymentDiffers => "payment differs from its order",
            Self::RefundWrong => "paid order refunded, or cancelled order not refunded",
            Self::LedgerDiffersFromPayments => "ledger differs from the payments",
            Self::TransferUnbalanced => "transfer does not sum to zero",
            Self::TransferMalformed => "transfer between the wrong accounts",
            Self::LedgerUnbalanced => "ledger does not sum to zero",
            Self::WalletTwice => "wallet written twice",
            Self::WalletDiffers => "wallet is not the sum of its ledger entries",
            Self::WalletNegative => "wallet below zero",
            Self::KeyTwice => "idempotency key written twice",
            Self::OrderWithTwoKeys => "order made or paid under two idempotency keys",
            Self::KeyWithoutOrder => "idempotency key without its order or payment",
            Self::KeyOfAnotherUser => "idempotency key of somebody else's order",
        }
    }
}
