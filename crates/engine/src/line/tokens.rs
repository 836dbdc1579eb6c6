//! What visitors carry: their place, their pass, and a guest's session, each signed.
//!
//! A token is base64url, without padding, of: a version, the key's id, the room, the number, the
//! visitor, a deadline, and HMAC-SHA256 over all of that. Each kind of token has a key of its own,
//! derived from the secret, so that none can pass for another.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use onsale_domain::{
    ids::{RoomId, UserId},
    line::Ticket,
    time::Timestamp,
};
use sha2::Sha256;

use crate::{
    FormerKey,
    ports::{Holder, Visitor},
};

const VERSION: u8 = 1;

/// Version, key, room, ticket, kind of visitor, visitor, deadline.
const CLAIMS_BYTES: usize = 1 + 1 + 8 + 4 + 1 + 16 + 8;
const TAG_BYTES: usize = 32;
const TOKEN_BYTES: usize = CLAIMS_BYTES + TAG_BYTES;

const ACCOUNT: u8 = 1;
const GUEST: u8 = 2;

/// A secret that tokens are signed with, and its name.
#[derive(Clone)]
pub struct LineKey {
    /// The name, which tokens tell.
    pub id: u8,
    /// The secret.
    pub secret: [u8; 32],
}

impl LineKey {
    /// A key of its own from the installation's secret; its name, which tokens tell, follows from it, so
    /// that tokens of another secret are mostly recognised as such.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        let secret: [u8; 32] =
            hmac(secret).chain_update(b"onsale line key v1").finalize().into_bytes().into();
        Self { id: hmac(&secret).chain_update(b"id").finalize().into_bytes()[0], secret }
    }
}

/// Signs and checks tokens.
pub struct LineTokens {
    current: Keys,
    former: Vec<Keys>,
}

/// The keys derived from one secret.
struct Keys {
    id: u8,
    /// From when on they read nothing any more.
    until: Option<Timestamp>,
    place: Hmac<Sha256>,
    pass: Hmac<Sha256>,
    session: Hmac<Sha256>,
}

/// What a token is for.
#[derive(Clone, Copy)]
enum Kind {
    Place,
    Pass,
    Session,
}

/// A place in a room's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceToken {
    /// The room.
    pub room: RoomId,
    /// Who has which number.
    pub holder: Holder,
    /// Until when the token is accepted.
    pub until: Timestamp,
}

/// The right to be inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassToken {
    /// The room.
    pub room: RoomId,
    /// Who has which number.
    pub holder: Holder,
    /// Until when the pass is good, if it is not used up before.
    pub until: Timestamp,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not one of ours, or was changed, or is one of another kind.
    #[error("this is not a token of this waiting room")]
    NotOurs,
    /// Its key is not used any more.
    #[error("this token was signed with a key that is no longer used; join again")]
    RetiredKey,
    /// It is for another room.
    #[error("this token is for another waiting room")]
    OtherRoom,
    /// It is somebody else's.
    #[error("this token is somebody else's")]
    OtherVisitor,
    /// Its time is up.
    #[error("this token has run out; join again")]
    Expired,
}

impl LineTokens {
    /// Signs with `current`, and also reads with the keys in `former`, each until its time is up.
    #[must_use]
    pub fn new(current: &LineKey, former: &[(LineKey, Option<Timestamp>)]) -> Self {
        let former = former.iter().map(|(key, until)| Keys::derive(key, *until)).collect();
        Self { current: Keys::derive(current, None), former }
    }

    /// With keys that are derived from the installation's secret, and from those it had before.
    #[must_use]
    pub fn of(secret: &[u8], former: &[FormerKey]) -> Self {
        let former: Vec<_> = former.iter().map(|key| (LineKey::of(&key.key), key.until)).collect();
        Self::new(&LineKey::of(secret), &former)
    }

    /// The token of a place.
    #[must_use]
    pub fn place(&self, token: PlaceToken) -> String {
        self.sign(Kind::Place, Claims { room: token.room, holder: token.holder, until: token.until })
    }

    /// The token of a pass.
    #[must_use]
    pub fn pass(&self, token: PassToken) -> String {
        self.sign(Kind::Pass, Claims { room: token.room, holder: token.holder, until: token.until })
    }

    /// The token of a browser's session, which makes it the same guest in all rooms.
    #[must_use]
    pub fn session(&self, guest: u128, until: Timestamp) -> String {
        let holder = Holder::new(Ticket(0), Visitor::Guest(guest));
        self.sign(Kind::Session, Claims { room: RoomId(0), holder, until })
    }

    /// The place that a token stands for, if it is of this room and this visitor's.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check_place(
        &self,
        text: &str,
        room: RoomId,
        visitor: Visitor,
        now: Timestamp,
    ) -> Result<PlaceToken, TokenError> {
        let (claims, _) = self.check(Kind::Place, text, now)?;
        let Claims { room, holder, until } = claims.of(room, visitor, now)?;
        Ok(PlaceToken { room, holder, until })
    }

    /// The pass that a token stands for, if it is of this room and this visitor's. Whether it has
    /// been used up only the room knows.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check_pass(
        &self,
        text: &str,
        room: RoomId,
        visitor: Visitor,
        now: Timestamp,
    ) -> Result<PassToken, TokenError> {
        let (claims, _) = self.check(Kind::Pass, text, now)?;
        let Claims { room, holder, until } = claims.of(room, visitor, now)?;
        Ok(PassToken { room, holder, until })
    }

    /// The place that a token stands for, of whatever room and whoever's. The caller looks whose.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn read_place(&self, text: &str, now: Timestamp) -> Result<PlaceToken, TokenError> {
        self.read_place_and_key(text, now).map(|(place, _)| place)
    }

    /// As [`LineTokens::read_place`]; also whether it was a former key that signed it, so that it is to be
    /// replaced.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn read_place_and_key(&self, text: &str, now: Timestamp) -> Result<(PlaceToken, bool), TokenError> {
        let (claims, is_former) = self.check(Kind::Place, text, now)?;
        let Claims { room, holder, until } = claims.of(claims.room, claims.holder.visitor, now)?;
        Ok((PlaceToken { room, holder, until }, is_former))
    }

    /// The pass that a token stands for, of whatever room and whoever's. Its time may be up, or may
    /// have been extended since: only the room knows.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn read_pass(&self, text: &str, now: Timestamp) -> Result<PassToken, TokenError> {
        let (Claims { room, holder, until }, _) = self.check(Kind::Pass, text, now)?;
        Ok(PassToken { room, holder, until })
    }

    /// The guest that a session's token stands for.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check_session(&self, text: &str, now: Timestamp) -> Result<u128, TokenError> {
        let (claims, _) = self.check(Kind::Session, text, now)?;
        match claims.of(RoomId(0), claims.holder.visitor, now)?.holder.visitor {
            Visitor::Guest(guest) => Ok(guest),
            Visitor::Account(_) => Err(TokenError::NotOurs),
        }
    }

    fn sign(&self, kind: Kind, claims: Claims) -> String {
        let keys = &self.current;
        let bytes = claims.bytes(keys.id);
        let tag = keys.of(kind).clone().chain_update(bytes).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([&bytes[..], &tag].concat())
    }

    /// Reads a token, and tells whether a former key signed it.
    fn check(&self, kind: Kind, text: &str, now: Timestamp) -> Result<(Claims, bool), TokenError> {
        let mut bytes = [0; TOKEN_BYTES];
        // The buffer's size is checked against the text's length before anything is decoded.
        if URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) != Ok(TOKEN_BYTES) {
            return Err(TokenError::NotOurs);
        }
        let (claims, tag) = bytes.split_first_chunk::<CLAIMS_BYTES>().expect("the token is longer");
        // Two keys may have the same name.
        let former = self.former.iter().filter(|keys| keys.until.is_none_or(|until| now < until));
        let keys = std::iter::once((&self.current, false)).chain(former.map(|keys| (keys, true)));
        let mut refused = TokenError::RetiredKey;
        for (keys, is_former) in keys.filter(|(keys, _)| keys.id == claims[1]) {
            // Compares in constant time.
            if keys.of(kind).clone().chain_update(claims).verify_slice(tag).is_ok() {
                return Ok((Claims::parse(claims).ok_or(TokenError::NotOurs)?, is_former));
            }
            refused = TokenError::NotOurs;
        }
        Err(refused)
    }
}

impl Keys {
    fn derive(key: &LineKey, until: Option<Timestamp>) -> Self {
        let derived = |label: &[u8]| {
            let derived = hmac(&key.secret).chain_update(label).finalize().into_bytes();
            hmac(&derived)
        };
        Self {
            id: key.id,
            until,
            place: derived(b"onsale line v1 place"),
            pass: derived(b"onsale line v1 pass"),
            session: derived(b"onsale line v1 session"),
        }
    }

    fn of(&self, kind: Kind) -> &Hmac<Sha256> {
        match kind {
            Kind::Place => &self.place,
            Kind::Pass => &self.pass,
            Kind::Session => &self.session,
        }
    }
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// What a token says.
#[derive(Clone, Copy)]
struct Claims {
    room: RoomId,
    holder: Holder,
    until: Timestamp,
}

impl Claims {
    fn bytes(&self, key: u8) -> [u8; CLAIMS_BYTES] {
        let (kind, visitor) = match self.holder.visitor {
            Visitor::Account(user) => (ACCOUNT, i128::from(user.0).to_be_bytes()),
            Visitor::Guest(guest) => (GUEST, guest.to_be_bytes()),
        };
        let parts: [&[u8]; 6] = [
            &[VERSION, key],
            &self.room.0.to_be_bytes(),
            &self.holder.ticket.0.to_be_bytes(),
            &[kind],
            &visitor,
            &self.until.0.to_be_bytes(),
        ];
        parts.concat().try_into().expect("the parts add up")
    }

    fn parse(bytes: &[u8; CLAIMS_BYTES]) -> Option<Self> {
        let ([VERSION, _], rest) = bytes.split_first_chunk()? else { return None };
        let (room, rest) = rest.split_first_chunk()?;
        let (ticket, rest) = rest.split_first_chunk()?;
        let ([kind], rest) = rest.split_first_chunk()?;
        let (visitor, rest) = rest.split_first_chunk()?;
        let visitor = match *kind {
            ACCOUNT => Visitor::Account(UserId(i128::from_be_bytes(*visitor).try_into().ok()?)),
            GUEST => Visitor::Guest(u128::from_be_bytes(*visitor)),
            _ => return None,
        };
        Some(Self {
            room: RoomId(i64::from_be_bytes(*room)),
            holder: Holder::new(Ticket(u32::from_be_bytes(*ticket)), visitor),
            until: Timestamp(i64::from_be_bytes(rest.try_into().ok()?)),
        })
    }

    /// These claims, if they are of this room, this visitor's, and still good.
    fn of(self, room: RoomId, visitor: Visitor, now: Timestamp) -> Result<Self, TokenError> {
        if self.room != room {
            return Err(TokenError::OtherRoom);
        }
        if self.holder.visitor != visitor {
            return Err(TokenError::OtherVisitor);
        }
        if now >= self.until {
            return Err(TokenError::Expired);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);
    const ROOM: RoomId = RoomId(7);
    const ALICE: Visitor = Visitor::Account(UserId(42));
    const BROWSER: Visitor = Visitor::Guest(42);

    fn key(id: u8) -> LineKey {
        LineKey { id, secret: [id; 32] }
    }

    fn tokens() -> LineTokens {
        LineTokens::new(&key(1), &[])
    }

    fn place(visitor: Visitor) -> PlaceToken {
        let holder = Holder::new(Ticket(1_000_000), visitor);
        PlaceToken { room: ROOM, holder, until: NOW.plus_ms(60_000) }
    }

    fn pass(visitor: Visitor) -> PassToken {
        let PlaceToken { room, holder, until } = place(visitor);
        PassToken { room, holder, until }
    }

    #[test]
    fn a_token_is_read_back_until_it_runs_out() {
        let tokens = tokens();
        for visitor in [ALICE, BROWSER, Visitor::Account(UserId(-1)), Visitor::Guest(u128::MAX)] {
            let text = tokens.place(place(visitor));
            assert_eq!(tokens.check_place(&text, ROOM, visitor, NOW), Ok(place(visitor)));
            assert_eq!(text.len(), 95);
            let last = NOW.plus_ms(59_999);
            assert!(tokens.check_place(&text, ROOM, visitor, last).is_ok());
            let after = tokens.check_place(&text, ROOM, visitor, NOW.plus_ms(60_000));
            assert_eq!(after, Err(TokenError::Expired));
            let text = tokens.pass(pass(visitor));
            assert_eq!(tokens.check_pass(&text, ROOM, visitor, NOW), Ok(pass(visitor)));
            assert_eq!(tokens.read_pass(&text, NOW), Ok(pass(visitor)));
            assert_eq!(tokens.read_place(&text, NOW), Err(TokenError::NotOurs));
            let text = tokens.place(place(visitor));
            assert_eq!(tokens.read_place(&text, last), Ok(place(visitor)));
            assert_eq!(tokens.read_place(&text, NOW.plus_ms(60_000)), Err(TokenError::Expired));
            assert_eq!(tokens.read_pass(&text, NOW), Err(TokenError::NotOurs));
        }
        let session = tokens.session(5, NOW.plus_ms(1));
        assert_eq!(tokens.check_session(&session, NOW), Ok(5));
        assert_eq!(tokens.check_session(&session, NOW.plus_ms(1)), Err(TokenError::Expired));
    }

    #[test]
    fn a_token_with_any_bit_changed_is_refused() {
        let tokens = tokens();
        for visitor in [ALICE, BROWSER] {
            let (place, pass) = (tokens.place(place(visitor)), tokens.pass(pass(visitor)));
            let session = tokens.session(42, NOW.plus_ms(60_000));
            for text in [place, pass, session] {
                let accepted = |text: &str| {
                    tokens.check_place(text, ROOM, visitor, NOW).is_ok()
                        || tokens.check_pass(text, ROOM, visitor, NOW).is_ok()
                        || tokens.check_session(text, NOW).is_ok()
                        || tokens.read_place(text, NOW).is_ok()
                        || tokens.read_pass(text, NOW).is_ok()
                };
                assert!(accepted(&text), "the changed ones differ in one thing only");
                let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
                for bit in 0..bytes.len() * 8 {
                    let mut changed = bytes.clone();
                    changed[bit / 8] ^= 1 << (bit % 8);
                    assert!(!accepted(&URL_SAFE_NO_PAD.encode(changed)), "bit {bit}");
                }
                for at in 0..text.len() {
                    for bit in 0..7 {
                        let mut changed = text.clone().into_bytes();
                        changed[at] ^= 1 << bit;
                        assert!(
                            !accepted(std::str::from_utf8(&changed).unwrap()),
                            "bit {bit} of letter {at}"
                        );
                    }
                    assert!(!accepted(&text[..at]), "cut at {at}");
                }
                assert!(!accepted(&format!("{text}A")) && !accepted(&format!("{text}=")));
            }
        }
        assert!(tokens.check_place("", ROOM, ALICE, NOW).is_err());
    }

    #[test]
    fn another_room_another_visitor_or_another_kind_is_refused() {
        let tokens = tokens();
        let text = tokens.place(place(ALICE));
        assert_eq!(tokens.check_place(&text, RoomId(8), ALICE, NOW), Err(TokenError::OtherRoom));
        for other in [Visitor::Account(UserId(43)), BROWSER] {
            assert_eq!(tokens.check_place(&text, ROOM, other, NOW), Err(TokenError::OtherVisitor));
        }
        assert_eq!(tokens.check_pass(&text, ROOM, ALICE, NOW), Err(TokenError::NotOurs));
        assert_eq!(tokens.check_session(&text, NOW), Err(TokenError::NotOurs));
        let text = tokens.pass(pass(BROWSER));
        assert_eq!(tokens.check_pass(&text, ROOM, ALICE, NOW), Err(TokenError::OtherVisitor));
        assert_eq!(tokens.check_place(&text, ROOM, BROWSER, NOW), Err(TokenError::NotOurs));
        let session = tokens.session(42, NOW.plus_ms(1));
        assert_eq!(tokens.check_place(&session, RoomId(0), BROWSER, NOW), Err(TokenError::NotOurs));
    }

    #[test]
    fn keys_are_rotated() {
        let text = tokens().place(place(ALICE));
        let check = |tokens: &LineTokens| tokens.check_place(&text, ROOM, ALICE, NOW);
        let rotated = LineTokens::new(&key(2), &[(key(1), None)]);
        assert!(check(&rotated).is_ok(), "tokens of the former key hold");
        assert_eq!(rotated.read_place_and_key(&text, NOW), Ok((place(ALICE), true)));
        let newer = rotated.place(place(ALICE));
        assert_eq!(rotated.read_place_and_key(&newer, NOW), Ok((place(ALICE), false)));
        assert_eq!(tokens().check_place(&newer, ROOM, ALICE, NOW), Err(TokenError::RetiredKey));
        assert_eq!(check(&LineTokens::new(&key(2), &[])), Err(TokenError::RetiredKey));
        let impostor = LineKey { id: 1, secret: [9; 32] };
        assert_eq!(check(&LineTokens::new(&impostor, &[])), Err(TokenError::NotOurs));
        assert!(check(&LineTokens::new(&impostor, &[(key(1), None)])).is_ok(), "of the same name");
    }

    #[test]
    fn a_former_key_reads_until_its_time_is_up() {
        let (text, pass) = (tokens().place(place(ALICE)), tokens().pass(pass(ALICE)));
        let rotated = LineTokens::new(&key(2), &[(key(1), Some(NOW.plus_ms(1_000)))]);
        assert!(rotated.read_place(&text, NOW.plus_ms(999)).is_ok());
        assert!(rotated.read_pass(&pass, NOW.plus_ms(999)).is_ok());
        let late = NOW.plus_ms(1_000);
        assert_eq!(rotated.read_place(&text, late), Err(TokenError::RetiredKey));
        assert_eq!(rotated.read_pass(&pass, late), Err(TokenError::RetiredKey));
    }
}
