//! Facts that one row states of another one, as records that are sorted by the other.

use onsale_domain::{
    ids::{OrderId, PerformanceId, SeatId, TransferId, UserId},
    time::Timestamp,
    wallet::TransferKind,
};
use uuid::Uuid;

use super::spool::{Record, from_halves, from_signed, halves, signed};

/// A position that was not written.
const NO_POSITION: i64 = i64::MIN;

/// Something said of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrderFact {
    /// It has claimed a seat.
    Claim { performance: PerformanceId, seat: SeatId },
    /// A transfer belongs to it.
    Transfer {
        refund: bool,
        wallet: i64,
        amount: i64,
        position: Option<i64>,
        at: Timestamp,
        transfer: TransferId,
    },
    /// A key stands for it, or for its payment.
    Key { pays: bool, user: UserId, at: Timestamp, key: u128 },
    /// The outbox tells of it: the code of the event's type, see `events`.
    Event { code: u64, version: i64, seq: i64 },
}

pub(super) type OrderRecord = Record<9>;

impl OrderFact {
    pub(super) fn record(self, order: OrderId) -> OrderRecord {
        let [high, low] = halves(order.0.as_u128());
        match self {
            Self::Claim { performance, seat } => {
                [high, low, 0, signed(performance.0), signed(seat.0), 0, 0, 0, 0]
            }
            Self::Transfer { refund, wallet, amount, position, at, transfer } => {
                let [transfer_high, transfer_low] = halves(transfer.0.as_u128());
                let position = signed(position.unwrap_or(NO_POSITION));
                let kind = 1 + u64::from(refund);
                let (wallet, amount, at) = (signed(wallet), signed(amount), signed(at.0));
                [high, low, kind, wallet, amount, position, at, transfer_high, transfer_low]
            }
            Self::Key { pays, user, at, key } => {
                let [key_high, key_low] = halves(key);
                [high, low, 3 + u64::from(pays), signed(user.0), signed(at.0), key_high, key_low, 0, 0]
            }
            Self::Event { code, version, seq } => [high, low, 5, code, signed(version), signed(seq), 0, 0, 0],
        }
    }

    pub(super) fn read(record: &OrderRecord) -> (OrderId, Self) {
        let [high, low, kind, rest @ ..] = *record;
        let order = OrderId(Uuid::from_u128(from_halves(high, low)));
        let fact = match kind {
            0 => Self::Claim {
                performance: PerformanceId(from_signed(rest[0])),
                seat: SeatId(from_signed(rest[1])),
            },
            1 | 2 => Self::Transfer {
                refund: kind == 2,
                wallet: from_signed(rest[0]),
                amount: from_signed(rest[1]),
                position: Some(from_signed(rest[2])).filter(|position| *position != NO_POSITION),
                at: Timestamp(from_signed(rest[3])),
                transfer: TransferId(Uuid::from_u128(from_halves(rest[4], rest[5]))),
            },
            3 | 4 => Self::Key {
                pays: kind == 4,
                user: UserId(from_signed(rest[0])),
                at: Timestamp(from_signed(rest[1])),
                key: from_halves(rest[2], rest[3]),
            },
            _ => Self::Event { code: rest[0], version: from_signed(rest[1]), seq: from_signed(rest[2]) },
        };
        (order, fact)
    }
}

/// Something said of a wallet's history. Records of a wallet are in the order of their positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WalletFact {
    /// A transfer to it, or from it.
    Entry { position: Option<i64>, amount: i64, at: Timestamp, kind: TransferKind, transfer: TransferId },
    /// The balance that a payment names after the transfer at a position.
    Left { position: i64, balance: i64, order: OrderId },
}

pub(super) type WalletRecord = Record<8>;

impl WalletFact {
    pub(super) fn record(self, user: UserId) -> WalletRecord {
        match self {
            Self::Entry { position, amount, at, kind, transfer } => {
                let [high, low] = halves(transfer.0.as_u128());
                let position = signed(position.unwrap_or(NO_POSITION));
                let charges = u64::from(kind == TransferKind::Charge);
                [signed(user.0), position, 0, charges, signed(amount), signed(at.0), high, low]
            }
            Self::Left { position, balance, order } => {
                let [high, low] = halves(order.0.as_u128());
                [signed(user.0), signed(position), 1, 0, signed(balance), 0, high, low]
            }
        }
    }

    /// Of an entry that is no charge the kind is not kept.
    pub(super) fn read(record: &WalletRecord) -> (UserId, Self) {
        let [user, position, kind, charges, amount, at, high, low] = *record;
        let (position, amount) = (from_signed(position), from_signed(amount));
        let id = Uuid::from_u128(from_halves(high, low));
        let fact = if kind == 0 {
            Self::Entry {
                position: Some(position).filter(|position| *position != NO_POSITION),
                amount,
                at: Timestamp(from_signed(at)),
                kind: if charges == 1 { TransferKind::Charge } else { TransferKind::Payment },
                transfer: TransferId(id),
            }
        } else {
            Self::Left { position, balance: amount, order: OrderId(id) }
        };
        (UserId(from_signed(user)), fact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_comes_back() {
        let (order, transfer) =
            (OrderId(Uuid::from_u128(7 << 64 | 9)), TransferId(Uuid::from_u128(u128::MAX)));
        let at = Timestamp(-5);
        for fact in [
            OrderFact::Claim { performance: PerformanceId(-1), seat: SeatId(3) },
            OrderFact::Transfer { refund: true, wallet: 1, amount: -2, position: None, at, transfer },
            OrderFact::Transfer { refund: false, wallet: 1, amount: 2, position: Some(3), at, transfer },
            OrderFact::Key { pays: true, user: UserId(4), at, key: u128::MAX - 1 },
            OrderFact::Event { code: 2, version: 3, seq: 4 },
        ] {
            assert_eq!(OrderFact::read(&fact.record(order)), (order, fact));
        }
        for fact in [
            WalletFact::Entry { position: Some(2), amount: -7, at, kind: TransferKind::Charge, transfer },
            WalletFact::Left { position: 2, balance: 5, order },
        ] {
            assert_eq!(WalletFact::read(&fact.record(UserId(8))), (UserId(8), fact));
        }
    }
}
