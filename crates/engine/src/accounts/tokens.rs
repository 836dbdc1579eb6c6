//! Access tokens (JWT, HS256) and refresh tokens.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, EncodingKey, Header,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{Error, ErrorKind},
};
use onsale_domain::{
    ids::{SessionId, UserId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use signature::{Signer, Verifier};
use uuid::Uuid;

use super::Caller;
use crate::FormerKey;

/// The longest text that is looked at as an access token; ours have about 300 bytes.
const ACCESS_BYTES_MAX: usize = 1_024;

/// Signs and checks access tokens.
pub(super) struct AccessTokens {
    encoding_key: EncodingKey,
    verifier: Hs256,
    /// Keys from before, which are tried if ours did not sign a token.
    former: Vec<(Hs256, FormerKey)>,
    /// What every token of ours begins with, up to its claims.
    header: String,
    lifetime_s: i64,
}

/// What an access token says.
#[derive(Serialize, Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    sub: Cow<'a, str>,
    sid: Uuid,
    #[serde(borrow)]
    role: Cow<'a, str>,
    iat: i64,
    exp: i64,
}

impl AccessTokens {
    pub(super) fn new(signing_key: &[u8], lifetime_s: i64) -> Self {
        // A second engine in the process finds the provider installed, which is as good.
        let _ = PROVIDER.install_default();
        let header = serde_json::to_vec(&Header::new(Algorithm::HS256)).expect("a header is JSON");
        Self {
            encoding_key: EncodingKey::from_secret(signing_key),
            verifier: Hs256::new(Algorithm::HS256, signing_key).expect("HMAC takes any key"),
            former: Vec::new(),
            header: format!("{}.", URL_SAFE_NO_PAD.encode(header)),
            lifetime_s,
        }
    }

    /// Also reads what former keys signed.
    pub(super) fn read_with(&mut self, former: &[FormerKey]) {
        let verifier = |key: &FormerKey| Hs256::new(Algorithm::HS256, &key.key).expect("HMAC takes any key");
        self.former = former.iter().map(|key| (verifier(key), key.clone())).collect();
    }

    /// How long a token is good, in seconds.
    pub(super) fn lifetime_s(&self) -> i64 {
        self.lifetime_s
    }

    /// A token for a caller, good from `now`.
    pub(super) fn issue(&self, caller: Caller, now: Timestamp) -> String {
        let iat = now.0.div_euclid(1_000);
        let claims = Claims {
            sub: caller.user.to_string().into(),
            sid: caller.session.0,
            role: caller.role.as_str().into(),
            iat,
            exp: iat + self.lifetime_s,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding_key)
            .expect("these claims are JSON and HMAC takes any key")
    }

    /// Whether a text begins as our tokens do, so that nobody else's is looked for in it.
    pub(super) fn is_like_ours(&self, token: &str) -> bool {
        token.starts_with(&self.header)
    }

    /// Who a token stands for at a time, if it is ours and has not run out.
    ///
    /// By hand, because every request pays for it: only tokens that this server has issued are good, so
    /// their header is known to the byte, and there is no choice of algorithm to be attacked.
    pub(super) fn caller(&self, token: &str, now: Timestamp) -> Option<Caller> {
        if token.len() > ACCESS_BYTES_MAX {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let claims = message.strip_prefix(&self.header)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        if self.verifier.verify(message.as_bytes(), &signature).is_err() {
            let mut former = self.former.iter().filter(|(_, key)| key.reads(now));
            former.find(|(verifier, _)| verifier.verify(message.as_bytes(), &signature).is_ok())?;
        }
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        let claims: Claims<'_> = serde_json::from_slice(&claims).ok()?;
        if now.0.div_euclid(1_000) >= claims.exp {
            return None;
        }
        let (user, role) = (claims.sub.parse().ok()?, claims.role.parse().ok()?);
        Some(Caller { user: UserId(user), role, session: SessionId(claims.sid) })
    }
}

/// Makes the refresh tokens that follow others.
pub(super) struct RefreshTokens(Hmac<Sha256>);

impl RefreshTokens {
    pub(super) fn new(signing_key: &[u8]) -> Self {
        let mac = Hmac::new_from_slice(signing_key).expect("HMAC takes any key");
        // So that nothing else that is signed with the key can be taken for a refresh token.
        Self(mac.chain_update(b"onsale refresh token\0"))
    }

    /// The token that follows another one: always the same, and on every node, so that whoever asks twice
    /// gets the same answer. Without the key nobody can tell it.
    pub(super) fn after(&self, token: &RefreshToken) -> RefreshToken {
        let mac = self.0.clone().chain_update(token.session.0.as_bytes()).chain_update(token.secret);
        RefreshToken { session: token.session, secret: mac.finalize().into_bytes().into() }
    }
}

/// A refresh token: which session, and a secret of which the database knows the hash only.
pub(super) struct RefreshToken {
    pub(super) session: SessionId,
    secret: [u8; 32],
}

impl RefreshToken {
    /// A new token of a session.
    pub(super) fn new(session: SessionId) -> Self {
        let mut secret = [0; 32];
        rand::fill(&mut secret);
        Self { session, secret }
    }

    /// The token with this text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 48];
        // The buffer's size is checked against the text's length before anything is decoded.
        if URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) != Ok(bytes.len()) {
            return None;
        }
        let (session, secret) = bytes.split_at(16);
        let session = SessionId(Uuid::from_slice(session).expect("16 bytes"));
        Some(Self { session, secret: secret.try_into().expect("32 bytes") })
    }

    /// The token as its owner keeps it.
    pub(super) fn text(&self) -> String {
        let mut bytes = self.session.0.as_bytes().to_vec();
        bytes.extend_from_slice(&self.secret);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What is kept of it. The secret has 256 random bits, so a fast hash is enough, and how long
    /// comparing two hashes takes tells nothing about it.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret).into()
    }
}

/// HS256 for the `jsonwebtoken` crate. It leaves cryptography to a provider; of the two it comes
/// with, one takes minutes of C to build and the other brings RSA code that we have no use for.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| {
        Ok(Box::new(Hs256::new(*algorithm, key.as_bytes())?) as Box<dyn JwtSigner>)
    },
    verifier_factory: |algorithm, key| {
        if key.family() != AlgorithmFamily::Hmac {
            return Err(Error::from(ErrorKind::InvalidKeyFormat));
        }
        Ok(Box::new(Hs256::new(*algorithm, key.try_get_as_bytes()?)?) as Box<dyn JwtVerifier>)
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(algorithm: Algorithm, key: &[u8]) -> Result<Self, Error> {
        if algorithm != Algorithm::HS256 {
            return Err(ErrorKind::UnsupportedAlgorithm.into());
        }
        Ok(Self(Hmac::new_from_slice(key).map_err(|_| ErrorKind::InvalidKeyFormat)?))
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        // Compares in constant time.
        self.0.clone().chain_update(message).verify_slice(signature).map_err(signature::Error::from_source)
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};
    use onsale_domain::user::Role;

    use super::*;

    const KEY: &[u8] = b"a key for tests with 32 bytes ok";
    const NOW: Timestamp = Timestamp(1_800_000_000_500);

    fn caller() -> Caller {
        Caller { user: UserId(42), role: Role::Organiser, session: SessionId(Uuid::from_u128(7)) }
    }

    fn signed(header: &str, claims: &str, key: &[u8]) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let tag = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(&message).finalize();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.into_bytes()))
    }

    #[test]
    fn a_token_stands_for_its_caller_until_it_runs_out() {
        let tokens = AccessTokens::new(KEY, 3_600);
        let token = tokens.issue(caller(), NOW);
        assert_eq!(tokens.caller(&token, NOW), Some(caller()));
        assert_eq!(tokens.caller(&token, NOW.plus_ms(3_599_499)), Some(caller()));
        assert_eq!(tokens.caller(&token, NOW.plus_ms(3_599_500)), None, "3,600 s, whole seconds");
    }

    #[test]
    fn a_token_of_a_former_key_is_read_until_its_time_is_up() {
        let token = AccessTokens::new(KEY, 3_600).issue(caller(), NOW);
        let mut rotated = AccessTokens::new(&[9; 32], 3_600);
        assert_eq!(rotated.caller(&token, NOW), None);
        let former = |until| FormerKey { key: KEY.to_vec(), until };
        rotated.read_with(&[FormerKey { key: vec![1; 32], until: None }, former(Some(NOW.plus_ms(1_000)))]);
        assert_eq!(rotated.caller(&token, NOW), Some(caller()));
        assert_eq!(rotated.caller(&token, NOW.plus_ms(1_000)), None);
        let newer = rotated.issue(caller(), NOW);
        assert_eq!(AccessTokens::new(KEY, 3_600).caller(&newer, NOW), None, "signed with the new key");
        rotated.read_with(&[former(None)]);
        assert_eq!(rotated.caller(&token, NOW.plus_ms(3_599_499)), Some(caller()));
        assert_eq!(rotated.caller(&token, NOW.plus_ms(3_599_500)), None, "not for longer than it says");
    }

    #[test]
    fn hs256_is_that_of_rfc_7515_appendix_a_1() {
        let _ = PROVIDER.install_default();
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let message = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                       eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let signed =
            jsonwebtoken::crypto::sign(message.as_bytes(), &EncodingKey::from_secret(&key), Algorithm::HS256);
        assert_eq!(signed.unwrap(), signature);

        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        let token = format!("{message}.{signature}");
        let decoded =
            jsonwebtoken::decode::<serde_json::Value>(&token, &DecodingKey::from_secret(&key), &validation);
        assert_eq!(decoded.unwrap().claims["iss"], "joe");
    }

    #[test]
    fn a_token_with_any_byte_changed_is_refused() {
        let tokens = AccessTokens::new(KEY, 3_600);
        let token = tokens.issue(caller(), NOW);
        for index in 0..token.len() {
            for other in *b"A_.b" {
                let mut bytes = token.clone().into_bytes();
                if bytes[index] != other {
                    bytes[index] = other;
                    let changed = String::from_utf8(bytes).unwrap();
                    assert_eq!(tokens.caller(&changed, NOW), None, "{changed}");
                }
            }
            assert_eq!(tokens.caller(&token[..index], NOW), None, "cut at {index}");
        }
        assert_eq!(tokens.caller(&format!("{token}A"), NOW), None);
        assert_eq!(tokens.caller(&format!("{token}="), NOW), None);
    }

    #[test]
    fn another_key_or_algorithm_is_refused() {
        let tokens = AccessTokens::new(KEY, 3_600);
        let claims = r#"{"sub":"42","sid":"00000000-0000-0000-0000-000000000007","role":"user","iat":0,"exp":9999999999}"#;
        let good = signed(r#"{"typ":"JWT","alg":"HS256"}"#, claims, KEY);
        assert!(tokens.caller(&good, NOW).is_some(), "the forged ones differ in one thing only");

        let other_key = signed(r#"{"typ":"JWT","alg":"HS256"}"#, claims, b"another key of 32 bytes, or more");
        assert_eq!(tokens.caller(&other_key, NOW), None);
        for algorithm in ["none", "HS384", "RS256", "ES256", "hs256", ""] {
            let forged = signed(&format!(r#"{{"typ":"JWT","alg":"{algorithm}"}}"#), claims, KEY);
            assert_eq!(tokens.caller(&forged, NOW), None, "{algorithm}");
            let unsigned = &forged[..=forged.rfind('.').unwrap()];
            assert_eq!(tokens.caller(unsigned, NOW), None, "{algorithm} without a signature");
        }
        for claims in [
            "{}",
            r#"{"sub":"42","sid":"00000000-0000-0000-0000-000000000007","role":"user","iat":0}"#,
            r#"{"sub":"x","sid":"00000000-0000-0000-0000-000000000007","role":"user","iat":0,"exp":9999999999}"#,
            r#"{"sub":"4","sid":"00000000-0000-0000-0000-000000000007","role":"root","iat":0,"exp":9999999999}"#,
        ] {
            let forged = signed(r#"{"typ":"JWT","alg":"HS256"}"#, claims, KEY);
            assert_eq!(tokens.caller(&forged, NOW), None, "{claims}");
        }
        assert_eq!(tokens.caller(&"a".repeat(100_000), NOW), None);
    }

    #[test]
    fn the_next_refresh_token_follows_from_the_last_one_and_the_key() {
        let (tokens, others) =
            (RefreshTokens::new(KEY), RefreshTokens::new(b"another key of 32 bytes, or more"));
        let first = RefreshToken::new(SessionId(Uuid::from_u128(9)));
        let second = tokens.after(&first);
        assert_eq!((second.session, second.hash()), (first.session, tokens.after(&first).hash()));
        assert_ne!(second.hash(), first.hash());
        assert_ne!(second.hash(), tokens.after(&second).hash());
        assert_ne!(second.hash(), others.after(&first).hash());
        let elsewhere = RefreshToken { session: SessionId(Uuid::from_u128(8)), secret: first.secret };
        assert_ne!(second.hash(), tokens.after(&elsewhere).hash());
    }

    #[test]
    fn a_refresh_token_is_read_back_and_no_other_text_is_one() {
        let token = RefreshToken::new(SessionId(Uuid::from_u128(9)));
        let again = RefreshToken::parse(&token.text()).unwrap();
        assert_eq!((again.session, again.hash()), (token.session, token.hash()));
        assert_ne!(RefreshToken::new(token.session).hash(), token.hash());
        for text in ["", "x", &token.text()[1..], &format!("{}AAAA", token.text()), "§§§§"] {
            assert!(RefreshToken::parse(text).is_none(), "{text}");
        }
    }
}
