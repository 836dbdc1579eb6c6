//! Who has joined: from an account to its number, in less than 20 bytes each.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use onsale_domain::{ids::UserId, line::Ticket};

/// So many tables, so that one growing holds nobody up for long: with ten million accounts, each
/// moves 40,000 numbers at a time.
const TABLES: usize = 256;

/// So many accounts in a page of the list by number.
const PAGE: usize = 1_024;

/// The accounts that have joined a room and their numbers.
///
/// The list by number has 8 bytes an account. The tables hold numbers only, 4 bytes and one of
/// control each, and are between 7/16 and 7/8 full: 5.7 to 11.4 bytes an account.
pub struct Accounts {
    tables: Vec<HashTable<Ticket>>,
    by_ticket: Vec<Option<Box<[UserId; PAGE]>>>,
    hasher: RandomState,
    count: usize,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            tables: (0..TABLES).map(|_| HashTable::new()).collect(),
            by_ticket: Vec::new(),
            hasher: RandomState::new(),
            count: 0,
        }
    }
}

impl Accounts {
    /// An account's number, if it has joined.
    #[must_use]
    pub fn get(&self, account: UserId) -> Option<Ticket> {
        let hash = self.hasher.hash_one(account);
        self.tables[table(hash)].find(hash, |ticket| self.at(*ticket) == Some(account)).copied()
    }

    /// Notes an account's number, in the place of the one it had.
    pub fn set(&mut self, account: UserId, ticket: Ticket) {
        let hash = self.hasher.hash_one(account);
        let (page, index) = split(ticket);
        if page >= self.by_ticket.len() {
            self.by_ticket.resize(page + 1, None);
        }
        self.by_ticket[page].get_or_insert_with(|| Box::new([UserId(0); PAGE]))[index] = account;
        let Self { tables, by_ticket, hasher, count } = self;
        let account_of = |ticket: &Ticket| at(by_ticket, *ticket).expect("what is in a table is listed");
        match tables[table(hash)].find_mut(hash, |ticket| account_of(ticket) == account) {
            Some(before) => *before = ticket,
            None => {
                *count += 1;
                tables[table(hash)].insert_unique(hash, ticket, |ticket| hasher.hash_one(account_of(ticket)));
            }
        }
    }

    /// Forgets an account.
    pub fn remove(&mut self, account: UserId) {
        let hash = self.hasher.hash_one(account);
        let Self { tables, by_ticket, count, .. } = self;
        if let Ok(entry) =
            tables[table(hash)].find_entry(hash, |ticket| at(by_ticket, *ticket) == Some(account))
        {
            entry.remove();
            *count -= 1;
        }
    }

    /// The account whose number this is.
    #[must_use]
    pub fn holder(&self, ticket: Ticket) -> Option<UserId> {
        self.at(ticket).filter(|account| self.get(*account) == Some(ticket))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether nobody has joined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes that are reserved for them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let tables: usize = self.tables.iter().map(HashTable::allocation_size).sum();
        let pages = self.by_ticket.iter().flatten().count();
        tables
            + pages * size_of::<[UserId; PAGE]>()
            + self.by_ticket.capacity() * size_of::<Option<Box<[UserId; PAGE]>>>()
            + self.tables.capacity() * size_of::<HashTable<Ticket>>()
    }

    fn at(&self, ticket: Ticket) -> Option<UserId> {
        at(&self.by_ticket, ticket)
    }
}

fn at(by_ticket: &[Option<Box<[UserId; PAGE]>>], ticket: Ticket) -> Option<UserId> {
    let (page, index) = split(ticket);
    by_ticket.get(page)?.as_ref().map(|page| page[index])
}

fn split(ticket: Ticket) -> (usize, usize) {
    let number = ticket.0 as usize;
    (number / PAGE, number % PAGE)
}

/// The tables themselves look at the lowest and the highest bits of a hash, so those between
/// choose the table.
fn table(hash: u64) -> usize {
    (hash >> 40) as usize % TABLES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_the_number_that_was_noted_last() {
        let mut accounts = Accounts::default();
        for number in 0..5_000 {
            accounts.set(UserId(i64::from(number) * 7), Ticket(number));
        }
        accounts.set(UserId(70), Ticket(2_000_000));
        accounts.remove(UserId(77));
        accounts.remove(UserId(78));
        assert_eq!(accounts.len(), 4_999);
        assert_eq!(accounts.get(UserId(70)), Some(Ticket(2_000_000)));
        assert_eq!(accounts.get(UserId(77)), None);
        assert_eq!(accounts.get(UserId(1)), None);
        assert_eq!(accounts.get(UserId(4_999 * 7)), Some(Ticket(4_999)));
        assert_eq!(accounts.get(UserId(0)), Some(Ticket(0)));
    }

    #[test]
    fn an_account_takes_less_than_twenty_bytes_whenever_one_looks() {
        let mut accounts = Accounts::default();
        let mut most: f64 = 0.0;
        for number in 0..1_000_000_u32 {
            accounts.set(UserId(i64::from(number)), Ticket(number));
            if number >= 100_000 && number % 1_000 == 0 {
                most = most.max(accounts.bytes() as f64 / accounts.len() as f64);
            }
        }
        assert!(most <= 20.0, "{most} bytes an account");
        assert!(most > 12.0, "{most} bytes an account cannot be all of it");
    }
}
