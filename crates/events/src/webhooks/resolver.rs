//! From a receiver's name to addresses that may be called.
//!
//! A name may stand for a public address when it is judged and for a private one a moment later, when it
//! is called (DNS rebinding). So a name is looked up once for each connection, by the client itself, and
//! what is judged here is what it connects to.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use async_trait::async_trait;
use onsale_engine::webhooks::TargetPolicy;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Looks names up.
#[async_trait]
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of a host.
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Looks names up as the system does.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Gives the HTTP client the addresses that it may connect to; all of them, if there is no policy.
pub(super) struct Judging {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) policy: Option<TargetPolicy>,
}

impl Resolve for Judging {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, policy) = (self.lookup.clone(), self.policy.clone());
        Box::pin(async move {
            let found = lookup.lookup(name.as_str()).await?;
            let addresses = match policy {
                Some(policy) => allowed(&policy, found)?,
                None => found,
            };
            // The client puts in the port.
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

/// Those of a name's addresses that may be called.
pub(super) fn allowed(policy: &TargetPolicy, found: Vec<IpAddr>) -> io::Result<Vec<IpAddr>> {
    let mut refused = None;
    let mut addresses = Vec::new();
    for address in found {
        match policy.check_address(address) {
            Ok(()) => addresses.push(address),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if addresses.is_empty() => Err(io::Error::new(io::ErrorKind::PermissionDenied, error)),
        _ => Ok(addresses),
    }
}
