//! A provider's token (JWT, RFC 7519): read, and its claims checked.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use onsale_domain::time::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{IdentitySettings, TokenCheck};

/// The longest token that is looked at. Providers put groups and roles in them.
const BYTES_MAX: usize = 16_384;

/// The longest name of a subject (OpenID Connect Core, section 2).
const SUBJECT_BYTES_MAX: usize = 255;

/// How far the provider's clock and ours may be apart, in seconds.
const LEEWAY_S: f64 = 60.0;

/// The types of tokens that say who calls; a token without a type may be one.
const TYPES: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];

/// A token whose signature has not been looked at.
#[derive(Debug)]
pub(super) struct Token {
    message: Vec<u8>,
    signature: Vec<u8>,
    header: Header,
    claims: Claims,
}

/// Keys that come with the token (`jwk`, `jku`, `x5c`) are not read: anybody can bring one.
#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// What a token says. Times are seconds since 1970.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    iss: String,
    pub(super) sub: String,
    aud: Audience,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Token {
    /// Reads a token in compact form. `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > BYTES_MAX {
            return None;
        }
        let (message, signature) = text.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        Some(Self {
            header: serde_json::from_slice(&decode(header)?).ok()?,
            claims: serde_json::from_slice(&decode(claims)?).ok()?,
            signature: decode(signature)?,
            message: message.as_bytes().to_vec(),
        })
    }

    /// Whether it would be good if its signature were.
    pub(super) fn check(&self, settings: &IdentitySettings, now: Timestamp) -> Option<()> {
        let Self { header, claims, .. } = self;
        let now_s = now.0 as f64 / 1_000.0;
        let is_known_type = |typ: &String| TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ));
        let audience = &settings.audience;
        let checks = [
            (TokenCheck::Header, header.crit.is_none() && header.typ.as_ref().is_none_or(is_known_type)),
            (TokenCheck::Issuer, claims.iss == settings.issuer),
            (
                TokenCheck::Audience,
                match &claims.aud {
                    Audience::One(one) => one == audience,
                    Audience::Several(several) => several.contains(audience),
                },
            ),
            (TokenCheck::Expiry, now_s < claims.exp + LEEWAY_S),
            (TokenCheck::NotBefore, claims.nbf.is_none_or(|nbf| nbf - LEEWAY_S <= now_s)),
        ];
        let holds = checks.iter().all(|(check, holds)| *holds || settings.unchecked.contains(check));
        let is_subject = (1..=SUBJECT_BYTES_MAX).contains(&claims.sub.len());
        (holds && is_subject).then_some(())
    }

    /// What is signed.
    pub(super) fn message(&self) -> &[u8] {
        &self.message
    }

    /// What is said to be its signature.
    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// By which algorithm it says to be signed.
    pub(super) fn algorithm(&self) -> &str {
        &self.header.alg
    }

    /// Which key it says to be signed with.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// What it says.
    pub(super) fn into_claims(self) -> Claims {
        self.claims
    }
}

impl Claims {
    /// When it was issued; long ago if it does not say.
    pub(super) fn issued_at(&self) -> Timestamp {
        Timestamp(self.iat.map_or(0, |iat| (iat * 1_000.0) as i64))
    }

    /// The e-mail address, if the provider knows that it is the subject's.
    pub(super) fn verified_email(&self) -> Option<&str> {
        let is_verified = self.more.get("email_verified") == Some(&Value::Bool(true));
        self.more.get("email").filter(|_| is_verified)?.as_str()
    }

    /// What the subject may be called, the best first.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        ["name", "preferred_username"].into_iter().filter_map(|claim| self.more.get(claim)?.as_str())
    }

    /// The texts of a claim, of which there may be one or a list. Its name may be a path with dots.
    pub(super) fn texts(&self, claim: &str) -> impl Iterator<Item = &str> {
        let found = self.more.get(claim).or_else(|| {
            let mut steps = claim.split('.');
            let first = self.more.get(steps.next()?)?;
            steps.try_fold(first, |value, step| value.get(step))
        });
        let texts: &[Value] = match found {
            Some(Value::Array(several)) => several,
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        texts.iter().filter_map(Value::as_str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(more: Value) -> Claims {
        let mut all = json!({"iss": "i", "sub": "s", "aud": "a", "exp": 1});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn a_claim_is_one_text_or_several_and_may_be_deep() {
        let claims = claims(json!({
            "role": "admin",
            "https://shop.example/roles": ["user", 7, "organiser"],
            "realm_access": {"roles": ["organiser"]},
            "number": 7,
        }));
        let texts = |claim| claims.texts(claim).collect::<Vec<_>>();
        assert_eq!(texts("role"), ["admin"]);
        assert_eq!(texts("https://shop.example/roles"), ["user", "organiser"]);
        assert_eq!(texts("realm_access.roles"), ["organiser"]);
        for nothing in ["", ".", "number", "role.x", "realm_access", "realm_access.x", "x.roles"] {
            assert_eq!(texts(nothing), [] as [&str; 0], "{nothing}");
        }
    }

    #[test]
    fn an_address_counts_only_if_the_provider_says_that_it_is_verified() {
        let email = |verified: Value| {
            claims(json!({"email": "a@b", "email_verified": verified})).verified_email().is_some()
        };
        assert!(email(json!(true)));
        for not in [json!(false), json!(null), json!("true"), json!(1)] {
            assert!(!email(not.clone()), "{not}");
        }
        assert_eq!(claims(json!({"email": "a@b"})).verified_email(), None);
        assert_eq!(claims(json!({"email_verified": true})).verified_email(), None);
    }

    #[test]
    fn a_time_may_be_a_fraction_and_a_missing_one_is_long_ago() {
        assert_eq!(claims(json!({"iat": 1.5})).issued_at(), Timestamp(1_500));
        assert_eq!(claims(json!({})).issued_at(), Timestamp(0));
        assert_eq!(claims(json!({"iat": 1e300})).issued_at(), Timestamp(i64::MAX));
    }
}
