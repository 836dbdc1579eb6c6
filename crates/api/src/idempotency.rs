//! The `Idempotency-Key` header.

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, request::Parts},
    response::Response,
};
use onsale_domain::{decide::IdempotencyKey, ids::UserId};
use sha2::{Digest, Sha256};

use crate::problem::{Kind, Problem};

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
static IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The digest of the caller's key, if one was given.
pub(crate) struct KeyHeader(Option<u128>);

impl KeyHeader {
    /// The same key in the name of somebody else: it is none of the keys of whom they act for.
    pub(crate) fn by(self, user: UserId) -> Self {
        Self(self.0.map(|id| {
            let digest = Sha256::new().chain_update(id.to_le_bytes()).chain_update(user.0.to_le_bytes());
            u128::from_le_bytes(first_bytes(&digest.finalize()))
        }))
    }

    /// The key for an operation and what was asked of it, in a canonical form: the parsed values,
    /// so that blanks and the order of members do not matter.
    pub(crate) fn key(
        self,
        operation: &str,
        values: impl IntoIterator<Item = i64>,
    ) -> Option<IdempotencyKey> {
        self.0.map(|id| {
            let mut hash = Sha256::new();
            hash.update(operation);
            hash.update([0]);
            values.into_iter().for_each(|value| hash.update(value.to_le_bytes()));
            IdempotencyKey { id, fingerprint: u64::from_le_bytes(first_bytes(&hash.finalize())) }
        })
    }
}

impl<S: Sync> FromRequestParts<S> for KeyHeader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(&IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else {
            return Ok(Self(None));
        };
        let text = value.as_bytes();
        let printable = text.iter().all(|byte| (b' '..=b'~').contains(byte));
        if values.next().is_some() || !printable || !(1..=255).contains(&text.len()) {
            return Err(Problem::new(
                Kind::InvalidIdempotencyKey,
                "Idempotency-Key must be 1 to 255 printable ASCII characters, given once",
            ));
        }
        Ok(Self(Some(u128::from_le_bytes(first_bytes(&Sha256::digest(text))))))
    }
}

fn first_bytes<const N: usize>(digest: &[u8]) -> [u8; N] {
    digest[..N].try_into().expect("a digest has 32 bytes")
}

/// Says that an answer repeats that of an earlier request with the same key.
pub(crate) fn mark_replayed(response: &mut Response, replayed: bool) {
    if replayed {
        response.headers_mut().insert(&IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_operations_and_values_apart() {
        let key = |operation, values: &[i64]| {
            KeyHeader(Some(7)).key(operation, values.iter().copied()).unwrap().fingerprint
        };
        assert_eq!(key("hold", &[1, 2]), key("hold", &[1, 2]));
        let all = [key("hold", &[1, 2]), key("hold", &[2, 1]), key("hold", &[1]), key("pay", &[1, 2])];
        assert!((1..all.len()).all(|index| !all[..index].contains(&all[index])));
        assert!(KeyHeader(None).key("hold", [1]).is_none());
    }
}
