//! A warning for whoever runs Onsale behind a proxy that it has not been told of.
//!
//! Without it everything looks well, until all visitors, who seem to have one address, have used up the
//! limits of one. Nothing is decided by it.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::http::{HeaderMap, HeaderName, header::FORWARDED};
use tokio::time::Instant;

use super::{ForwardedHeader, address::X_FORWARDED_FOR};

/// How long after a warning there is no other: anybody can make such a header up.
const QUIET_FOR: Duration = Duration::from_secs(3_600);

static X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// A proxy that says for whom it asks, and is not heard.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Unheard {
    /// It is not among the trusted proxies.
    NotTrusted(&'static HeaderName),
    /// It says so in another header than the one that is read.
    OtherHeader(&'static HeaderName),
}

/// Warns now and then.
pub(super) struct Hearsay {
    begun: Instant,
    /// From when on there may be a warning, in seconds since `begun`.
    loud_from: AtomicU64,
}

impl Hearsay {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), loud_from: AtomicU64::new(0) }
    }

    /// Looks at what came with a request from `peer`.
    pub(super) fn note(&self, peer: IpAddr, is_trusted: bool, headers: &HeaderMap, read: ForwardedHeader) {
        let Some(unheard) = unheard(is_trusted, headers, read) else { return };
        if !self.is_due(self.begun.elapsed().as_secs()) {
            return;
        }
        let consequence = "everybody behind it counts as one address and shares the limits of one";
        match unheard {
            Unheard::NotTrusted(header) => tracing::warn!(
                %peer,
                "requests come from {peer} with the header `{header}`, and {peer} is not among \
                 server.trusted_proxies: {consequence}. If it is your proxy, say so: \
                 ONSALE_SERVER_TRUSTED_PROXIES={peer}. If it is not, somebody made the header up, and it is \
                 not believed"
            ),
            Unheard::OtherHeader(header) => tracing::warn!(
                %peer,
                "the proxy {peer} says in the header `{header}` for whom it asks, but server.forwarded_header \
                 is `{}`: {consequence}",
                read.name()
            ),
        }
    }

    fn is_due(&self, now: u64) -> bool {
        let loud_from = self.loud_from.load(Ordering::Relaxed);
        let next = now + QUIET_FOR.as_secs();
        now >= loud_from
            && self.loud_from.compare_exchange(loud_from, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

fn unheard(is_trusted: bool, headers: &HeaderMap, read: ForwardedHeader) -> Option<Unheard> {
    let said_in =
        || [&X_FORWARDED_FOR, &FORWARDED, &X_REAL_IP].into_iter().find(|name| headers.contains_key(*name));
    if !is_trusted {
        return said_in().map(Unheard::NotTrusted);
    }
    if headers.contains_key(read.name()) {
        return None;
    }
    said_in().map(Unheard::OtherHeader)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_is_not_heard_is_noticed() {
        let read = ForwardedHeader::XForwardedFor;
        let with = |names: &[&'static str]| -> HeaderMap {
            let values =
                names.iter().map(|name| (HeaderName::from_static(name), "192.0.2.1".parse().unwrap()));
            values.collect()
        };
        for (is_trusted, names, expected) in [
            (false, &[][..], None),
            (false, &["x-forwarded-for"], Some(Unheard::NotTrusted(&X_FORWARDED_FOR))),
            (false, &["forwarded"], Some(Unheard::NotTrusted(&FORWARDED))),
            (false, &["x-real-ip"], Some(Unheard::NotTrusted(&X_REAL_IP))),
            (true, &[], None),
            (true, &["x-forwarded-for", "forwarded"], None),
            (true, &["forwarded"], Some(Unheard::OtherHeader(&FORWARDED))),
        ] {
            assert_eq!(unheard(is_trusted, &with(names), read), expected, "{is_trusted} {names:?}");
        }
    }

    #[test]
    fn there_is_one_warning_an_hour() {
        let hearsay = Hearsay::new();
        let due: Vec<_> = [0, 0, 3_599, 3_600, 3_601, 7_300].map(|now| hearsay.is_due(now)).into();
        assert_eq!(due, [true, false, false, true, false, true]);
    }
}
