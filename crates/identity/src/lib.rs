//! The keys of an OpenID provider, read over HTTPS: where they are is found as OpenID Connect Discovery
//! 1.0 has it, or said. What is done with them is the engine's.

use std::{error::Error, net::IpAddr, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use onsale_engine::{
    ports::{IdentityKeys, IdentityKeysError},
    secret::without_secrets,
};
use reqwest::{Client, StatusCode, redirect};
use serde::Deserialize;
use url::{Host, Url};

/// Where a provider says of itself where everything is, after its own address.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// How long the provider may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// An OpenID provider.
#[derive(Clone, Debug)]
pub struct OpenIdProvider {
    client: Client,
    issuer: String,
    keys: Option<Url>,
}

/// What a provider says of itself; the part that is for us.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl OpenIdProvider {
    /// The provider with this address. Its keys are at `keys`, or where it says.
    ///
    /// # Errors
    /// If an address is not acceptable, see [`check_url`], or the HTTP client cannot be set up.
    pub fn new(issuer: &str, keys: Option<&str>) -> Result<Self, IdentityKeysError> {
        check_url(issuer)?;
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .timeout(ANSWER_MAX)
            .user_agent(concat!("Onsale/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| IdentityKeysError(format!("cannot set up HTTP: {error}")))?;
        Ok(Self { client, issuer: issuer.to_owned(), keys: keys.map(check_url).transpose()? })
    }

    /// Where the keys are, as the provider says.
    async fn discover(&self) -> Result<Url, IdentityKeysError> {
        let url = check_url(&format!("{}{DISCOVERY}", self.issuer.trim_end_matches('/')))?;
        let text = self.get(&url).await?;
        let said: Discovery = serde_json::from_slice(&text).map_err(|error| {
            IdentityKeysError(format!("{}: not a provider's configuration: {error}", shown(&url)))
        })?;
        // As section 4.3 demands: otherwise it speaks for somebody else.
        if said.issuer != self.issuer {
            let Self { issuer, .. } = self;
            let url = shown(&url);
            return Err(IdentityKeysError(format!("{url}: it is of `{}`, not of `{issuer}`", said.issuer)));
        }
        check_url(&said.jwks_uri)
    }

    async fn get(&self, url: &Url) -> Result<Bytes, IdentityKeysError> {
        let failed =
            |error: reqwest::Error| IdentityKeysError(format!("{}: {}", shown(url), innermost(&error)));
        let mut answer = self.client.get(url.clone()).send().await.map_err(failed)?;
        if answer.status() != StatusCode::OK {
            return Err(IdentityKeysError(format!("{}: answered {}", shown(url), answer.status())));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(IdentityKeysError(format!("{}: more than {ANSWER_BYTES_MAX} bytes", shown(url))));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.into())
    }
}

#[async_trait]
impl IdentityKeys for OpenIdProvider {
    async fn fetch(&self) -> Result<Bytes, IdentityKeysError> {
        match &self.keys {
            Some(keys) => self.get(keys).await,
            // Asked anew each time: a provider may move its keys.
            None => self.get(&self.discover().await?).await,
        }
    }
}

/// An address that keys may come from: by HTTPS, or within this machine. Whoever can change them on the
/// way can log in as anybody.
///
/// # Errors
/// If it is another one, or none.
pub fn check_url(given: &str) -> Result<Url, IdentityKeysError> {
    let text = &without_secrets(given);
    let url = Url::parse(given).map_err(|error| IdentityKeysError(format!("`{text}`: {error}")))?;
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_local => Ok(url),
        _ => Err(IdentityKeysError(format!(
            "`{text}`: must be an `https://` address; `http://` will do on this machine only"
        ))),
    }
}

/// An address as the log may have it.
fn shown(url: &Url) -> String {
    without_secrets(url.as_str())
}

/// The cause at the bottom, which says what happened; the client's own errors only say where.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_by_https_or_from_this_machine() {
        for good in [
            "https://id.example.com",
            "https://id.example.com:8443/realms/shop",
            "http://localhost:8080/",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
        ] {
            assert!(check_url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "id.example.com",
            "http://id.example.com",
            "http://localhost.example.com",
            "http://10.0.0.7",
            "file:///etc/keys.json",
            "ftp://localhost/keys",
        ] {
            let refused = check_url(bad).unwrap_err().to_string();
            // A text that is no address may be a secret in the wrong place.
            assert!(refused.contains(bad) || bad == "id.example.com", "{refused}");
        }
        let refused = check_url("http://ann:hunter2@id.example.com?key=hunter2").unwrap_err().to_string();
        assert!(!refused.contains("hunter2") && refused.contains("id.example.com"), "{refused}");
    }
}
