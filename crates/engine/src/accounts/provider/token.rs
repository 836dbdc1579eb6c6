//! A provider's token (JWT, RFC 7519): read, and its claims checked.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use onsale_domain::time::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{IdentitySettings, TokenCheck, refusal::Refusal};

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
    /// Reads a token in compact form, if it is one.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let refusal = |part, found: &dyn std::fmt::Debug, expected: &str| Refusal::new(part, found, expected);
        if text.len() > BYTES_MAX {
            return Err(refusal("length", &text.len(), &format!("at most {BYTES_MAX} bytes")));
        }
        let parts = || {
            let (message, signature) = text.rsplit_once('.')?;
            let (header, claims) = message.split_once('.')?;
            Some((message, header, claims, signature))
        };
        let Some((message, header, claims, signature)) = parts() else {
            return Err(refusal("form", &"no two dots", "a JWT: header.claims.signature"));
        };
        let decode = |part, text: &str| {
            URL_SAFE_NO_PAD.decode(text).map_err(|error| refusal(part, &error.to_string(), "base64url"))
        };
        let json =
            |part| move |error: serde_json::Error| refusal(part, &error.to_string(), "valid JSON of a JWT");
        Ok(Self {
            header: serde_json::from_slice(&decode("header", header)?).map_err(json("header"))?,
            claims: serde_json::from_slice(&decode("claims", claims)?).map_err(json("claims"))?,
            signature: decode("signature", signature)?,
            message: message.as_bytes().to_vec(),
        })
    }

    /// Whether it would be good if its signature were.
    pub(super) fn check(&self, settings: &IdentitySettings, now: Timestamp) -> Result<(), Refusal> {
        let Self { header, claims, .. } = self;
        let now_s = now.0 as f64 / 1_000.0;
        let is_known_type = |typ: &String| TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ));
        let audience = &settings.audience;
        let is_for_us = match &claims.aud {
            Audience::One(one) => one == audience,
            Audience::Several(several) => several.contains(audience),
        };
        let must = |check, holds: bool, refusal: &dyn Fn() -> Refusal| {
            if holds || settings.unchecked.contains(&check) { Ok(()) } else { Err(refusal()) }
        };
        must(TokenCheck::Header, header.crit.is_none(), &|| Refusal::new("crit", &header.crit, "none"))?;
        must(TokenCheck::Header, header.typ.as_ref().is_none_or(is_known_type), &|| {
            Refusal::new("typ", &header.typ, format!("one of {TYPES:?}, or none"))
        })?;
        must(TokenCheck::Issuer, claims.iss == settings.issuer, &|| {
            Refusal::new("iss", &claims.iss, format!("{:?} (identity.issuer)", settings.issuer))
        })?;
        must(TokenCheck::Audience, is_for_us, &|| {
            Refusal::new("aud", &claims.aud, format!("{audience:?} (identity.audience)"))
        })?;
        must(TokenCheck::Expiry, now_s < claims.exp + LEEWAY_S, &|| {
            Refusal::new(
                "exp",
                claims.exp,
                format!("more than {:.0}, {LEEWAY_S} s before now", now_s - LEEWAY_S),
            )
        })?;
        must(TokenCheck::NotBefore, claims.nbf.is_none_or(|nbf| nbf - LEEWAY_S <= now_s), &|| {
            Refusal::new(
                "nbf",
                claims.nbf,
                format!("at most {:.0}, {LEEWAY_S} s after now", now_s + LEEWAY_S),
            )
        })?;
        if (1..=SUBJECT_BYTES_MAX).contains(&claims.sub.len()) {
            return Ok(());
        }
        Err(Refusal::new("sub", claims.sub.len(), format!("1 to {SUBJECT_BYTES_MAX} bytes")))
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
    fn a_refusal_names_the_claim_what_it_says_and_what_was_expected() {
        let settings = IdentitySettings {
            issuer: "https://id.example.com".to_owned(),
            audience: "onsale".to_owned(),
            role_claim: None,
            unchecked: Vec::new(),
        };
        let good = json!({"iss": "https://id.example.com", "sub": "s", "aud": "onsale", "exp": 1_000});
        let checked = |header: Value, more: Value| {
            let mut claims = good.clone();
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
            let text = format!("{}.{}.c2lnbmF0dXJl", part(&header), part(&claims));
            let refusal = Token::parse(&text).and_then(|token| token.check(&settings, Timestamp(900_000)));
            refusal.map_err(|refusal| format!("{refusal:?}"))
        };
        let header = json!({"alg": "ES256"});
        assert_eq!(checked(header.clone(), json!({})), Ok(()));
        for (more, words) in [
            (
                json!({"iss": "https://id.example.com/"}),
                ["iss", "https://id.example.com/", "https://id.example.com"],
            ),
            (json!({"aud": ["account", "other"]}), ["aud", "account", "onsale"]),
            (json!({"exp": 839}), ["exp", "839", "840"]),
            (json!({"nbf": 961}), ["nbf", "961", "960"]),
            (json!({"sub": ""}), ["sub", "0", "1 to 255 bytes"]),
            (json!({"aud": 7}), ["claims", "Audience", "JSON"]),
            (json!({"exp": null}), ["claims", "f64", "JSON"]),
        ] {
            let refusal = checked(header.clone(), more.clone()).unwrap_err();
            assert!(words.iter().all(|word| refusal.contains(word)), "{more}: {refusal}");
            assert!(!refusal.contains("c2lnbmF0dXJl"), "never the token: {refusal}");
        }
        let typed = checked(json!({"alg": "ES256", "typ": "logout+jwt"}), json!({})).unwrap_err();
        assert!(typed.contains("typ") && typed.contains("at+jwt"), "{typed}");
        assert!(format!("{:?}", Token::parse("x").unwrap_err()).contains("header.claims.signature"));
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
