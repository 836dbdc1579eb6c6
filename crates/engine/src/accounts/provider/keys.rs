//! A provider's public keys (JWK, RFC 7517), and what they have signed (JWS, RFC 7515).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

use super::token::Token;

/// The most keys that are looked at.
const KEYS_MAX: usize = 64;

/// The keys of a provider that we can check signatures with.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Key>);

/// A key and its name.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    material: Material,
}

/// A key is for one algorithm, whatever a token says.
#[derive(Debug)]
enum Material {
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2,048 bits or more: modulus and exponent.
    Rs256 { n: Vec<u8>, e: Vec<u8> },
    /// ECDSA with P-256 and SHA-256: the point, uncompressed.
    Es256(Vec<u8>),
}

/// As the provider writes it. What else it says is not for us.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

impl KeySet {
    /// The keys in a JWK Set. Those of other kinds or for other purposes are passed over, as RFC 7517
    /// asks; a set without any of ours is an error, so that it does not replace a better one.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let set: Jwks = serde_json::from_slice(text).map_err(|error| format!("not a JWK Set: {error}"))?;
        let keys: Vec<_> = set.keys.into_iter().take(KEYS_MAX).filter_map(Key::of).collect();
        if keys.is_empty() {
            return Err("the JWK Set has no key for RS256 or ES256".to_owned());
        }
        Ok(Self(keys))
    }

    /// The key that a token names. It need name none if there is only one.
    pub(super) fn find(&self, token: &Token) -> Option<&Key> {
        match (token.key_id(), &*self.0) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

impl Key {
    fn of(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let material = match (&*jwk.kty, jwk.crv.as_deref()) {
            ("RSA", _) => Material::Rs256 { n: without_leading_zeros(bytes(jwk.n)?), e: bytes(jwk.e)? },
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(jwk.x)?, bytes(jwk.y)?);
                (x.len() == 32 && y.len() == 32).then_some(())?;
                Material::Es256([&[4], &*x, &*y].concat())
            }
            _ => return None,
        };
        let key = Self { id: jwk.kid, material };
        jwk.alg.is_none_or(|alg| alg == key.algorithm()).then_some(key)
    }

    /// By which algorithm it signs, as tokens call it.
    pub(super) const fn algorithm(&self) -> &'static str {
        match self.material {
            Material::Rs256 { .. } => "RS256",
            Material::Es256(_) => "ES256",
        }
    }

    /// Whether it has signed a message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Rs256 { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            Material::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
        }
        .is_ok()
    }
}

/// Some providers write one, which a number does not need.
fn without_leading_zeros(mut bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(keys: Value) -> Result<KeySet, String> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    /// The key of RFC 7515, appendix A.3.1.
    fn es256() -> Value {
        json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})
    }

    #[test]
    fn rs256_is_that_of_rfc_7515_appendix_a_2() {
        let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0\
                 Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5\
                 z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7a\
                 GhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
        let keys = parse(json!([{"kty": "RSA", "n": n, "e": "AQAB"}])).unwrap();
        let message = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                       cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8\
                         W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvk\
                         SjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phC\
                         nvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let [key] = &*keys.0 else { panic!("one key") };
        assert_eq!(key.algorithm(), "RS256");
        assert!(key.verifies(message.as_bytes(), &signature));
        assert!(!key.verifies(&message.as_bytes()[1..], &signature));
    }

    #[test]
    fn es256_is_that_of_rfc_7515_appendix_a_3() {
        let keys = parse(json!([es256()])).unwrap();
        let message = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                       cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature =
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let [key] = &*keys.0 else { panic!("one key") };
        assert_eq!(key.algorithm(), "ES256");
        assert!(key.verifies(message.as_bytes(), &signature));
        assert!(!key.verifies(&message.as_bytes()[1..], &signature));
    }

    #[test]
    fn keys_of_other_kinds_and_for_other_purposes_are_passed_over() {
        let with = |name: &str, value: &str| {
            let mut key = es256();
            key[name] = value.into();
            key
        };
        for other in [
            json!({"kty": "oct", "k": "c2VjcmV0"}),
            with("use", "enc"),
            with("alg", "ES384"),
            with("alg", "HS256"),
            with("crv", "P-384"),
            with("kty", "RSA"),
            with("x", "AAAA"),
            with("x", "not base64!"),
            json!("no key at all"),
        ] {
            let keys = parse(json!([other, es256()])).unwrap();
            assert_eq!(keys.0.len(), 1, "{other}");
            assert!(parse(json!([other])).unwrap_err().contains("RS256 or ES256"), "{other}");
        }
        assert!(KeySet::parse(b"<html>").unwrap_err().contains("not a JWK Set"));
        assert_eq!(parse(json!(vec![es256(); 1_000])).unwrap().0.len(), KEYS_MAX);
    }
}
