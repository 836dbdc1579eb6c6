//! Signing keys as they are written: the one that signs, and those from before.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use onsale_domain::time::Timestamp;
use onsale_engine::FormerKey;

use super::Config;

/// The shortest key, in bytes.
const KEY_BYTES_MIN: usize = 32;

impl Config {
    /// The key that signs access tokens, if it is set.
    pub(crate) fn signing_key(&self) -> Result<Option<Vec<u8>>, String> {
        let text = self.accounts.signing_key.expose();
        if text.is_empty() {
            return Ok(None);
        }
        key(text).map(Some).map_err(|error| format!("accounts.signing_key: {error}"))
    }

    /// The keys from before.
    pub(crate) fn former_keys(&self) -> Result<Vec<FormerKey>, String> {
        let former = self.accounts.former_signing_keys.iter();
        let former = former.map(|text| {
            former_key(text.expose()).map_err(|error| format!("accounts.former_signing_keys: {error}"))
        });
        former.collect()
    }
}

fn former_key(text: &str) -> Result<FormerKey, String> {
    let (text, until) = match text.split_once('@') {
        Some((text, until)) => (text, Some(time(until)?)),
        None => (text, None),
    };
    Ok(FormerKey { key: key(text)?, until })
}

fn time(text: &str) -> Result<Timestamp, String> {
    let time: jiff::Timestamp = text.parse().map_err(|_| {
        "what stands after `@` is not a time such as 2026-12-31T00:00:00Z, until when the key reads"
            .to_owned()
    })?;
    Ok(Timestamp(time.as_millisecond()))
}

fn key(text: &str) -> Result<Vec<u8>, String> {
    match BASE64_STANDARD.decode(text) {
        Ok(key) if key.len() >= KEY_BYTES_MIN && is_known(&key) => {
            Err("this is an example or a text, not random; make one with `openssl rand -base64 32`"
                .to_owned())
        }
        Ok(key) if key.len() >= KEY_BYTES_MIN => Ok(key),
        Ok(key) => Err(format!("{} bytes; at least {KEY_BYTES_MIN} are needed", key.len())),
        // The error would tell of a byte of the key.
        Err(_) => Err("not base64".to_owned()),
    }
}

/// Whether a key is one that somebody may know: 32 random bytes have at least 16 different ones and
/// are not all printable.
fn is_known(key: &[u8]) -> bool {
    let different = key.iter().collect::<std::collections::HashSet<_>>().len();
    different < 16 || key.iter().all(|byte| (b' '..=b'~').contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(former: &[String]) -> Config {
        let mut config = Config::default();
        config.accounts.former_signing_keys = former.iter().map(|text| text.as_str().into()).collect();
        config
    }

    #[test]
    fn former_keys_are_read_with_their_times() {
        let bytes: Vec<u8> = (0..40).map(|byte| byte * 5).collect();
        let key = BASE64_STANDARD.encode(&bytes);
        let former = config(&[key.clone(), format!("{key}@2026-12-31T00:00:00Z")]).former_keys().unwrap();
        assert_eq!((&former[0].key, former[0].until), (&bytes, None));
        assert_eq!(former[1].until, Some(Timestamp(1_798_675_200_000)));
        let error = |text: String| config(&[text]).former_keys().unwrap_err();
        assert!(error(format!("{key}@tomorrow")).contains("is not a time"));
        assert!(error("c2hvcnQ=".into()).contains("at least 32"));
        assert!(error("?".into()).contains("not base64"));
        assert!(error(BASE64_STANDARD.encode([0; 32])).contains("not random"));
        let shown = config(std::slice::from_ref(&key)).to_toml_without_secrets();
        assert!(!shown.contains(&key), "{shown}");
    }
}
