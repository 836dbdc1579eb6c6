//! The draw: who came before the opening is ordered by lot, and anybody can check the lot.
//!
//! The order is a keyed permutation of `0..cohort`, computed when asked for, so drawing costs one
//! write however many take part. It is the generalised Feistel network of Black and Rogaway,
//! "Ciphers with Arbitrary Finite Domains" (CT-RSA 2002): a number is split over a rectangle of
//! about `sqrt(n)` by `sqrt(n)`, ten rounds add a keyed function of one half to the other, and a
//! result outside `0..n` is permuted again. The rectangle has less than `sqrt(n)` numbers too
//! many, so that hardly ever happens and a place costs the same in a cohort of any size.
//!
//! The rounds' function is SipHash-2-4 (Aumasson and Bernstein, 2012): a pseudorandom function
//! made for short inputs, never changed since, thirty lines in any language, and twenty times as
//! fast as HMAC, which matters because every question about a place asks for ten. What must
//! withstand an organiser with a lot of time, the commitment and the derivation of the key, is
//! SHA-256 and HMAC-SHA256.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher24;

use super::{Place, Ticket};
use crate::ids::RoomId;

/// As many rounds as NIST's FF1 has.
const ROUNDS: u64 = 10;

const COMMITMENT_LABEL: &[u8] = b"onsale draw v1 commitment\0";
const SEED_LABEL: &[u8] = b"onsale draw v1 seed\0";
const KEY_LABEL: &[u8] = b"onsale draw v1 key\0";
const CHECKSUM_LABEL: &[u8] = b"onsale draw v1 checksum\0";

/// The secret of a draw, until the room opens.
pub type Seed = [u8; 32];

/// What is published before the opening: SHA-256 over a label, the room's id (64 bits, big
/// endian) and the seed. It binds the organiser to the seed without telling it.
#[must_use]
pub fn commitment(room: RoomId, seed: &Seed) -> [u8; 32] {
    Sha256::new()
        .chain_update(COMMITMENT_LABEL)
        .chain_update(room.0.to_be_bytes())
        .chain_update(seed)
        .finalize()
        .into()
}

/// A room's order of the cohort.
#[derive(Clone, Debug)]
pub struct Draw {
    cohort: u32,
    left: u64,
    right: u64,
    hasher: SipHasher24,
}

impl Draw {
    /// The draw of a cohort. `public_randomness` is what nobody could know when the commitment was
    /// published, a lottery's numbers for instance; it may be empty.
    #[must_use]
    pub fn new(seed: &Seed, public_randomness: &[u8], cohort: u32) -> Self {
        let mixed = hmac_sha256(seed, &[SEED_LABEL, public_randomness]);
        let key = hmac_sha256(&mixed, &[KEY_LABEL, &cohort.to_be_bytes()]);
        let size = u64::from(cohort).max(1);
        let left = (size - 1).isqrt() + 1;
        Self {
            cohort,
            left,
            right: size.div_ceil(left),
            hasher: SipHasher24::new_with_key(key.first_chunk().expect("32 bytes have a first 16")),
        }
    }

    /// How many take part.
    #[must_use]
    pub fn cohort(&self) -> u32 {
        self.cohort
    }

    /// The place of a ticket. Tickets beyond the cohort keep their number.
    #[must_use]
    pub fn place(&self, ticket: Ticket) -> Place {
        Place(self.walk(ticket.0, |number| self.forward(number)))
    }

    /// The ticket that has a place: the inverse of [`Draw::place`].
    #[must_use]
    pub fn ticket(&self, place: Place) -> Ticket {
        Ticket(self.walk(place.0, |number| self.backward(number)))
    }

    fn walk(&self, number: u32, permute: impl Fn(u64) -> u64) -> u32 {
        if number >= self.cohort {
            return number;
        }
        let mut number = u64::from(number);
        loop {
            number = permute(number);
            if number < u64::from(self.cohort) {
                return u32::try_from(number).expect("less than the cohort");
            }
        }
    }

    fn forward(&self, number: u64) -> u64 {
        let (mut left, mut right) = (number / self.right, number % self.right);
        for round in 0..ROUNDS {
            if round % 2 == 0 {
                left = (left + self.round(round, right) % self.left) % self.left;
            } else {
                right = (right + self.round(round, left) % self.right) % self.right;
            }
        }
        left * self.right + right
    }

    fn backward(&self, number: u64) -> u64 {
        let (mut left, mut right) = (number / self.right, number % self.right);
        for round in (0..ROUNDS).rev() {
            if round % 2 == 0 {
                left = (left + self.left - self.round(round, right) % self.left) % self.left;
            } else {
                right = (right + self.right - self.round(round, left) % self.right) % self.right;
            }
        }
        left * self.right + right
    }

    /// SipHash-2-4 over eight bytes: the half in the low 56 bits, the round above, little endian.
    fn round(&self, round: u64, half: u64) -> u64 {
        self.hasher.hash(&(round << 56 | half).to_le_bytes())
    }
}

fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Everything about a draw, published when the room opens. Whoever has it can compute everybody's
/// place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawRecord {
    /// The room.
    pub room: RoomId,
    /// How many took part.
    pub cohort: u32,
    /// What was published before the opening.
    pub commitment: [u8; 32],
    /// What it committed to.
    pub seed: Seed,
    /// What was mixed in.
    pub public_randomness: Vec<u8>,
}

/// Why a record is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DrawError {
    /// The seed, or the room, is not the one that was committed to.
    #[error("the seed of this draw is not the one that the room committed to before it opened")]
    OtherSeed,
}

impl DrawRecord {
    /// Checks that the seed is the one committed to, and gives the order that follows from it. The
    /// caller compares the commitment with the one it saw before the opening, and the public
    /// randomness with its source.
    ///
    /// # Errors
    /// If the seed or the room is another one.
    pub fn verify(&self) -> Result<Draw, DrawError> {
        if commitment(self.room, &self.seed) != self.commitment {
            return Err(DrawError::OtherSeed);
        }
        Ok(Draw::new(&self.seed, &self.public_randomness, self.cohort))
    }

    /// SHA-256 over a label and all of the record: the room's id (64 bits, big endian), the cohort (32
    /// bits, big endian), the commitment, the seed and the public randomness. Published with the
    /// record, it shows that what somebody keeps is what the room told, to the last bit.
    #[must_use]
    pub fn checksum(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(CHECKSUM_LABEL)
            .chain_update(self.room.0.to_be_bytes())
            .chain_update(self.cohort.to_be_bytes())
            .chain_update(self.commitment)
            .chain_update(self.seed)
            .chain_update(&self.public_randomness)
            .finalize()
            .into()
    }
}
