//! A room's log: what of it cannot be learnt again after a crash, in the order in which it happened.
//!
//! Rows are opaque to the database: a version, the room's time, then entries, each a letter and a few
//! bytes. Nothing in it is ever changed; a number costs 13 bytes, a pass 13 more and its use 5.

use std::collections::{HashMap, HashSet};

use onsale_domain::{
    ids::UserId,
    line::{Place, Ticket},
    time::Timestamp,
};
use onsale_engine::ports::{LOG_ROW_BYTES_MAX, StoreError};

const VERSION: u8 = 1;

/// A version and a time.
const HEAD_BYTES: usize = 9;

const NUMBER: u8 = b'n';
const GIVEN_UP: u8 = b'g';
const INSIDE: u8 = b'i';
const OVER: u8 = b'o';

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// An account has a number, instead of the one that it had.
    Number(Ticket, UserId),
    /// A number was given up before the opening.
    GivenUp(Ticket),
    /// A pass is good until a time.
    Inside(Place, Timestamp),
    /// A place was left, or its pass used up.
    Over(Place),
}

/// Rows with these entries; at least one, which says the time.
pub(crate) fn rows(at: Timestamp, entries: &[Entry]) -> Vec<Vec<u8>> {
    let head = || [&[VERSION][..], &at.0.to_be_bytes()].concat();
    let mut rows = vec![head()];
    for entry in entries {
        let (letter, number, rest) = match *entry {
            Entry::Number(ticket, account) => (NUMBER, ticket.0, Some(account.0)),
            Entry::GivenUp(ticket) => (GIVEN_UP, ticket.0, None),
            Entry::Inside(place, until) => (INSIDE, place.0, Some(until.0)),
            Entry::Over(place) => (OVER, place.0, None),
        };
        if rows.last().is_none_or(|row| row.len() + 13 > LOG_ROW_BYTES_MAX) {
            rows.push(head());
        }
        let row = rows.last_mut().expect("there is one at least");
        row.push(letter);
        row.extend(number.to_be_bytes());
        row.extend(rest.map(i64::to_be_bytes).iter().flatten());
    }
    rows
}

/// Everything that a log says.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// How many rows it has.
    pub(crate) rows: usize,
    /// The room's time when it was written last.
    pub(crate) at: Option<Timestamp>,
    /// Numbers and the accounts that got them, in the order of the log.
    pub(crate) numbers: Vec<(Ticket, UserId)>,
    pub(crate) given_up: HashSet<Ticket>,
    /// Passes that have not been used up, whether or not they have run out.
    pub(crate) passes: HashMap<Place, Timestamp>,
    pub(crate) over: HashSet<Place>,
}

impl Log {
    /// Reads the next row.
    pub(crate) fn read(&mut self, row: &[u8]) -> Result<(), StoreError> {
        let damaged = || StoreError::Broken("a row of a waiting room's log is damaged".to_owned());
        let (head, mut rest) = row.split_at_checked(HEAD_BYTES).ok_or_else(damaged)?;
        let (version, at) = head.split_first().ok_or_else(damaged)?;
        if *version != VERSION {
            return Err(StoreError::Broken("a newer version has written a waiting room's log".to_owned()));
        }
        self.rows += 1;
        self.at = Some(Timestamp(i64::from_be_bytes(at.try_into().map_err(|_| damaged())?)));
        while !rest.is_empty() {
            let entry;
            (entry, rest) = next(rest).ok_or_else(damaged)?;
            self.add(entry);
        }
        Ok(())
    }

    fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Number(ticket, account) => self.numbers.push((ticket, account)),
            Entry::GivenUp(ticket) => drop(self.given_up.insert(ticket)),
            Entry::Inside(place, until) => drop(self.passes.insert(place, until)),
            Entry::Over(place) => {
                self.passes.remove(&place);
                self.over.insert(place);
            }
        }
    }
}

/// The first entry of some bytes, and the bytes after it.
fn next(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let (letter, rest) = bytes.split_first()?;
    let (number, rest) = rest.split_first_chunk()?;
    let number = u32::from_be_bytes(*number);
    let long = || {
        let (value, rest) = rest.split_first_chunk()?;
        Some((i64::from_be_bytes(*value), rest))
    };
    Some(match *letter {
        NUMBER => {
            let (account, rest) = long()?;
            (Entry::Number(Ticket(number), UserId(account)), rest)
        }
        INSIDE => {
            let (until, rest) = long()?;
            (Entry::Inside(Place(number), Timestamp(until)), rest)
        }
        GIVEN_UP => (Entry::GivenUp(Ticket(number)), rest),
        OVER => (Entry::Over(Place(number)), rest),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(1_800_000_000_000);

    #[test]
    fn what_was_written_is_read_back_in_rows_that_fit() {
        let mut entries = Vec::new();
        for number in 0..50_000 {
            entries.push(Entry::Number(Ticket(number), UserId(-i64::from(number))));
            entries.push(Entry::GivenUp(Ticket(u32::MAX - number)));
            entries.push(Entry::Inside(Place(number), AT.plus_ms(number.into())));
        }
        entries.push(Entry::Over(Place(7)));
        let rows = rows(AT, &entries);
        assert!(rows.iter().all(|row| row.len() <= LOG_ROW_BYTES_MAX));
        let mut log = Log::default();
        for row in &rows {
            log.read(row).unwrap();
        }
        assert_eq!((log.rows, log.at), (rows.len(), Some(AT)));
        assert_eq!(log.numbers[49_999], (Ticket(49_999), UserId(-49_999)));
        assert_eq!((log.numbers.len(), log.given_up.len(), log.passes.len()), (50_000, 50_000, 49_999));
        assert!(log.over.contains(&Place(7)) && !log.passes.contains_key(&Place(7)));
        assert_eq!(log.passes[&Place(8)], AT.plus_ms(8));
    }

    #[test]
    fn a_damaged_row_is_refused() {
        let row = rows(AT, &[Entry::Number(Ticket(1), UserId(2)), Entry::Over(Place(3))]).remove(0);
        assert!((1..row.len()).all(|cut| {
            let whole = [HEAD_BYTES, HEAD_BYTES + 13].contains(&cut);
            Log::default().read(&row[..cut]).is_ok() == whole
        }));
        let mut other = row.clone();
        other[0] = 2;
        assert!(Log::default().read(&other).is_err());
        other[0] = VERSION;
        other[HEAD_BYTES] = b'?';
        assert!(Log::default().read(&other).is_err());
        assert_eq!(rows(AT, &[]).len(), 1, "an empty log can be begun");
    }
}
