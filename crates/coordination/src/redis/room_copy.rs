//! The copy of a room in Redis: from it another node goes on exactly where this one was.
//!
//! Who runs the room writes what has changed before it answers, in a script that first looks
//! whether it still runs the room. So no answer is given that the next node does not know of, and
//! none by a node that has been replaced.

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use onsale_domain::{
    ids::UserId,
    line::{Place, PlaceState, Ticket, Turn},
    time::Timestamp,
};
use redis::Script;

use super::{
    keys::RoomKeys,
    link::{Away, Link},
};
use crate::room::Knowledge;

static WRITE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("write_room.lua")));
static CLEAR: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("clear_room.lua")));
static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take_room.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("release_room.lua")));

/// How many numbers a page of accounts has: half a megabyte.
const PAGE: u32 = 65_536;
const ACCOUNT_BYTES: u32 = 8;

/// How many changes are written in one go, so that Redis is never busy for long.
pub(super) const CHANGES_MAX: usize = 2_000;

/// How long a copy is kept that nobody writes to, in seconds: as long as a place's token.
const KEPT_S: u32 = 30 * 86_400;

/// How long reading a part of a copy may take.
const READ_MAX: Duration = Duration::from_secs(5);

/// How long it is said that a room was given up, in milliseconds.
const RELEASED_MS: u64 = 10_000;

/// One room's copy, as one node sees it.
pub(super) struct RoomCopy {
    pub(super) link: Link,
    pub(super) keys: RoomKeys,
    /// Names this node's turn at running the room.
    pub(super) token: String,
    pub(super) lease_ms: u64,
    /// Off for negative controls only.
    pub(super) fenced: bool,
}

/// Changes that are written in one go.
#[derive(Clone, Copy)]
struct Part<'a> {
    places: &'a [(Place, PlaceState)],
    given_up: &'a [Ticket],
    accounts: &'a [(Ticket, Option<UserId>)],
}

/// What came of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Done, and the lease is renewed.
    Done,
    /// Another node runs the room, or nobody does any more.
    Lost,
    /// Redis has another copy than the caller wrote last.
    Stale,
}

impl RoomCopy {
    /// Takes the room, or renews the lease; the token of who runs it now.
    pub(super) async fn take(&self) -> Result<String, Away> {
        self.link.script(TAKE.key(self.keys.runner()).arg(&self.token).arg(self.lease_ms)).await
    }

    /// Gives the room up.
    pub(super) async fn release(&self) -> Result<(), Away> {
        let mut call = RELEASE.key(self.keys.runner());
        self.link.script::<String>(call.arg(&self.token).arg(RELEASED_MS)).await.map(drop)
    }

    /// Brings the copy from one version to another; an empty one says that it is not complete.
    pub(super) async fn write(
        &self,
        before: &str,
        after: &str,
        changes: &Knowledge,
    ) -> Result<Written, Away> {
        let mut places = changes.places.chunks(CHANGES_MAX).peekable();
        let mut accounts = changes.accounts.chunks(CHANGES_MAX).peekable();
        let mut given_up = changes.given_up.chunks(CHANGES_MAX).peekable();
        let mut before = before.to_owned();
        let mut part = 0;
        loop {
            let part_of_it = Part {
                places: places.next().unwrap_or_default(),
                given_up: given_up.next().unwrap_or_default(),
                accounts: accounts.next().unwrap_or_default(),
            };
            let last = places.peek().is_none() && accounts.peek().is_none() && given_up.peek().is_none();
            let after = if last || after.is_empty() { after.to_owned() } else { format!("{after}.{part}") };
            match self.write_part(&before, &after, part_of_it).await? {
                Written::Done if !last => {}
                written => return Ok(written),
            }
            before = after;
            part += 1;
        }
    }

    async fn write_part(
        &self,
        before: &str,
        after: &str,
        Part { places, given_up, accounts }: Part<'_>,
    ) -> Result<Written, Away> {
        let keys = &self.keys;
        let mut pages: BTreeMap<u32, usize> = BTreeMap::new();
        for (ticket, _) in accounts {
            pages.entry(ticket.0 / PAGE).or_default();
        }
        let mut call = WRITE.key(keys.runner());
        call.key(keys.version()).key(keys.turns()).key(keys.taken()).key(keys.given_up());
        for (position, (page, index)) in pages.iter_mut().enumerate() {
            *index = position + 1;
            call.key(keys.accounts(*page));
        }
        call.arg(&self.token).arg(u8::from(self.fenced)).arg(before).arg(after);
        call.arg(self.lease_ms).arg(KEPT_S).arg(places.len()).arg(places.len());
        call.arg(given_up.len()).arg(accounts.len());
        for (place, state) in places {
            call.arg(place.0).arg(state.turn.map(turn_text).unwrap_or_default());
        }
        for (place, state) in places {
            call.arg(place.0).arg(u8::from(state.taken));
        }
        for ticket in given_up {
            call.arg(ticket.0);
        }
        for (ticket, account) in accounts {
            call.arg(pages[&(ticket.0 / PAGE)]).arg(ticket.0 % PAGE * ACCOUNT_BYTES);
            call.arg(&account_bytes(*account)[..]);
        }
        Ok(match self.link.script::<String>(&call).await?.as_str() {
            "ok" => Written::Done,
            "stale" => Written::Stale,
            _ => Written::Lost,
        })
    }

    /// Takes a copy away that is to be written anew. `numbers` is how many there may be.
    pub(super) async fn clear(&self, numbers: u32) -> Result<Written, Away> {
        let keys = &self.keys;
        let mut call = CLEAR.key(keys.runner());
        call.key(keys.version()).key(keys.turns()).key(keys.taken()).key(keys.given_up());
        for page in 0..=numbers / PAGE {
            call.key(keys.accounts(page));
        }
        call.arg(&self.token);
        let cleared = self.link.script::<String>(&call).await? == "ok" || !self.fenced;
        Ok(if cleared { Written::Done } else { Written::Lost })
    }

    /// Reads the copy of a room of which at most `numbers` numbers were given out, and its version.
    /// `None` if there is no complete one.
    pub(super) async fn read(&self, numbers: u32) -> Result<Option<(String, Knowledge)>, Away> {
        let version: Option<String> = self.get(&self.keys.version()).await?;
        let Some(version) = version.filter(|version| !version.contains('.')) else { return Ok(None) };
        let mut places: BTreeMap<Place, PlaceState> = BTreeMap::new();
        let taken: Option<Vec<u8>> = self.get(&self.keys.taken()).await?;
        for place in set_bits(&taken.unwrap_or_default()) {
            places.insert(Place(place), PlaceState { taken: true, turn: None });
        }
        let turns: Vec<(u32, String)> =
            self.link.command_within(READ_MAX, redis::cmd("HGETALL").arg(self.keys.turns())).await?;
        for (place, turn) in turns {
            let state = places.entry(Place(place)).or_insert(PlaceState { taken: false, turn: None });
            state.turn = turn_of(&turn);
        }
        let given_up: Option<Vec<u8>> = self.get(&self.keys.given_up()).await?;
        let given_up = set_bits(&given_up.unwrap_or_default()).map(Ticket).collect();
        let mut accounts = Vec::new();
        for page in 0..=numbers / PAGE {
            let bytes: Option<Vec<u8>> = self.get(&self.keys.accounts(page)).await?;
            accounts.extend(accounts_of(page, &bytes.unwrap_or_default()));
        }
        Ok(Some((version, Knowledge { places: places.into_iter().collect(), given_up, accounts })))
    }

    async fn get<T: redis::FromRedisValue>(&self, key: &str) -> Result<T, Away> {
        self.link.command_within(READ_MAX, redis::cmd("GET").arg(key)).await
    }
}

/// Who runs a room.
pub(super) async fn runner(link: &Link, keys: &RoomKeys) -> Result<Option<String>, Away> {
    let runner: Option<String> = link.command(redis::cmd("GET").arg(keys.runner())).await?;
    Ok(runner)
}

fn turn_text(turn: Turn) -> String {
    match turn {
        Turn::Called(until) => format!("c{}", until.0),
        Turn::Inside(until) => format!("i{}", until.0),
    }
}

fn turn_of(text: &str) -> Option<Turn> {
    let (kind, until) = text.split_at_checked(1)?;
    let until = Timestamp(until.parse().ok()?);
    match kind {
        "c" => Some(Turn::Called(until)),
        "i" => Some(Turn::Inside(until)),
        _ => None,
    }
}

/// Zeros stand for nobody, so that what was never written is nobody's.
fn account_bytes(account: Option<UserId>) -> [u8; ACCOUNT_BYTES as usize] {
    account.map_or(0, |account| account.0.wrapping_add(1)).to_be_bytes()
}

fn accounts_of(page: u32, bytes: &[u8]) -> impl Iterator<Item = (Ticket, Option<UserId>)> {
    bytes.as_chunks().0.iter().zip(page * PAGE..).filter_map(|(bytes, ticket)| {
        let account = i64::from_be_bytes(*bytes);
        (account != 0).then(|| (Ticket(ticket), Some(UserId(account.wrapping_sub(1)))))
    })
}

/// Redis counts bits from the highest of each byte.
fn set_bits(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.iter().zip(0_u32..).filter(|(byte, _)| **byte != 0).flat_map(|(byte, index)| {
        (0..8).filter(move |bit| byte & (128 >> bit) != 0).map(move |bit| index * 8 + bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_accounts_and_bits_are_read_back() {
        for turn in [Turn::Called(Timestamp(5)), Turn::Inside(Timestamp(1_800_000_000_000))] {
            assert_eq!(turn_of(&turn_text(turn)), Some(turn));
        }
        assert_eq!(turn_of(""), None);
        let page = [account_bytes(Some(UserId(0))), account_bytes(None), account_bytes(Some(UserId(-7)))];
        let accounts: Vec<_> = accounts_of(1, &page.concat()).collect();
        assert_eq!(accounts, [(Ticket(PAGE), Some(UserId(0))), (Ticket(PAGE + 2), Some(UserId(-7)))]);
        assert_eq!(set_bits(&[0, 0b1000_0001, 0b0100_0000]).collect::<Vec<_>>(), [8, 15, 17]);
    }
}
