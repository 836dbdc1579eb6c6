//! Signatures of webhooks, as [Standard Webhooks](https://www.standardwebhooks.com/) has them.
//!
//! The signature is HMAC-SHA256 over `ID.TIMESTAMP.BODY` with the secret's bytes, in base64. The id is
//! the same each time an event is sent; the timestamp is the attempt's. While secrets are changed over,
//! the header has one signature for each, separated by blanks.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use onsale_domain::time::Timestamp;
use onsale_engine::webhooks::SECRET_PREFIX;
use sha2::Sha256;

/// The header with the event's id.
pub const ID_HEADER: &str = "webhook-id";

/// The header with the time of the attempt, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";

/// The header with the signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// How far a timestamp may be from the receiver's clock, to either side. What was recorded on the way
/// cannot be sent again later than that.
pub const WINDOW_MS: i64 = 5 * 60 * 1_000;

const VERSION: &str = "v1,";

/// Why a webhook is not what it claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The timestamp is not a number.
    #[error("the timestamp is not a number of seconds")]
    Timestamp,
    /// It is too old, or from the future: somebody may have recorded it.
    #[error("the timestamp is more than five minutes from now")]
    Window,
    /// No signature is by this secret.
    #[error("no signature fits")]
    Signature,
    /// The secret cannot be one.
    #[error("a secret is `{SECRET_PREFIX}` and base64")]
    Secret,
}

/// The value of [`SIGNATURE_HEADER`] by these secrets.
///
/// # Errors
/// [`VerifyError::Secret`].
pub fn sign(secrets: &[&str], id: &str, timestamp_s: i64, body: &[u8]) -> Result<String, VerifyError> {
    let signatures = secrets.iter().map(|secret| {
        let signature = mac(secret, id, &timestamp_s.to_string(), body)?.finalize().into_bytes();
        Ok(format!("{VERSION}{}", BASE64_STANDARD.encode(signature)))
    });
    Ok(signatures.collect::<Result<Vec<_>, _>>()?.join(" "))
}

/// Whether a webhook was sent, at most five minutes before `now`, by somebody who knows the secret. For
/// receivers: the three texts are the headers', `body` is what came, byte for byte. A receiver then goes
/// by the id, since a webhook may come more than once.
///
/// ```
/// use onsale_domain::time::Timestamp;
/// use onsale_events::webhooks::verify;
///
/// let (secret, now) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Timestamp(1_614_265_330_000));
/// let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
/// let body = br#"{"test": 2432232314}"#;
/// assert!(verify(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", signature, body, now).is_ok());
/// ```
///
/// # Errors
/// If it is not, or if the secret is none.
pub fn verify(
    secret: &str,
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<(), VerifyError> {
    let sent_s: i64 = timestamp.parse().map_err(|_| VerifyError::Timestamp)?;
    let age_ms = i128::from(now.0) - i128::from(sent_s) * 1_000;
    if age_ms.abs() > i128::from(WINDOW_MS) {
        return Err(VerifyError::Window);
    }
    let expected = mac(secret, id, timestamp, body)?;
    let fits = signatures
        .split_ascii_whitespace()
        .filter_map(|signature| BASE64_STANDARD.decode(signature.strip_prefix(VERSION)?).ok())
        // Compares in constant time.
        .any(|signature| expected.clone().verify_slice(&signature).is_ok());
    if fits { Ok(()) } else { Err(VerifyError::Signature) }
}

fn mac(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> Result<Hmac<Sha256>, VerifyError> {
    let key = secret.strip_prefix(SECRET_PREFIX).ok_or(VerifyError::Secret)?;
    let key = BASE64_STANDARD.decode(key).map_err(|_| VerifyError::Secret)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| VerifyError::Secret)?;
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    Ok(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const AT_S: i64 = 1_614_265_330;
    const AT: Timestamp = Timestamp(AT_S * 1_000);
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn check(
        secret: &str,
        id: &str,
        signatures: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        verify(secret, id, &AT_S.to_string(), signatures, body, now)
    }

    #[test]
    fn the_example_of_the_specification_fits() {
        let signature = sign(&[OLD], "msg_p5jXN8AQM9LWM0D4loKWxJek", AT_S, BODY).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_was_changed_on_the_way_does_not_fit() {
        let signed = sign(&[OLD], "a", AT_S, BODY).unwrap();
        assert_eq!(check(OLD, "a", &signed, BODY, AT), Ok(()));
        assert_eq!(check(NEW, "a", &signed, BODY, AT), Err(VerifyError::Signature));
        assert_eq!(check(OLD, "b", &signed, BODY, AT), Err(VerifyError::Signature));
        assert_eq!(check(OLD, "a", &signed, b"{}", AT), Err(VerifyError::Signature));
        let later = (AT_S + 1).to_string();
        assert_eq!(verify(OLD, "a", &later, &signed, BODY, AT), Err(VerifyError::Signature));
        for none in ["", "v1,", "v1", "v2,AAAA", "v1,???", "v1,AAAA"] {
            assert_eq!(check(OLD, "a", none, BODY, AT), Err(VerifyError::Signature), "{none}");
        }
        assert_eq!(check("secret", "a", &signed, BODY, AT), Err(VerifyError::Secret));
    }

    #[test]
    fn what_was_recorded_cannot_be_sent_again_after_five_minutes() {
        let signed = sign(&[OLD], "a", AT_S, BODY).unwrap();
        for within in [-WINDOW_MS, 0, WINDOW_MS] {
            assert_eq!(check(OLD, "a", &signed, BODY, AT.plus_ms(within)), Ok(()), "{within}");
        }
        for outside in [-WINDOW_MS - 1, WINDOW_MS + 1] {
            let checked = check(OLD, "a", &signed, BODY, AT.plus_ms(outside));
            assert_eq!(checked, Err(VerifyError::Window), "{outside}");
        }
        for wrong in ["", "now", "1.5", "99999999999999999999"] {
            assert_eq!(verify(OLD, "a", wrong, &signed, BODY, AT), Err(VerifyError::Timestamp), "{wrong}");
        }
        assert_eq!(verify(OLD, "a", &i64::MAX.to_string(), &signed, BODY, AT), Err(VerifyError::Window));
    }

    #[test]
    fn two_secrets_sign_while_they_are_changed_over() {
        let signed = sign(&[NEW, OLD], "a", AT_S, BODY).unwrap();
        assert_eq!(signed.split(' ').count(), 2);
        assert_eq!(check(OLD, "a", &signed, BODY, AT), Ok(()));
        assert_eq!(check(NEW, "a", &signed, BODY, AT), Ok(()));
    }
}
