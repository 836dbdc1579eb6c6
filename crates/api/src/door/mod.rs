//! The door: everything that is decided about a request before its handler sees it, from who sent
//! it and how busy the machine is. `routes.rs` says which rules a route is under.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::ConnectInfo,
    http::{Extensions, HeaderMap, HeaderName, header::AUTHORIZATION, request::Parts},
};
use ipnet::IpNet;
use onsale_domain::{ids::UserId, shedding::Priority};

use crate::caller::bearer;

mod address;
mod forwarded;
mod guarded;
mod headers;
mod hearsay;
mod limits;
mod load;
mod routes;
mod saturation;

use hearsay::Hearsay;

pub use address::ForwardedHeader;
pub use limits::{By, Group, GroupRule, LimitSettings};
pub use load::Load;

pub(crate) use guarded::Guarded;
pub(crate) use headers::{cors, secure, secure_page};
pub(crate) use limits::{Limits, seconds_until};
pub(crate) use routes::route;

/// Who is let in, and how.
#[derive(Clone)]
pub struct DoorSettings {
    /// How often somebody may ask for something. `None`: no limits.
    pub limits: Option<LimitSettings>,
    /// The proxies that are believed when they say for whom they ask.
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they say so.
    pub forwarded_header: ForwardedHeader,
    /// A gateway that has logged people in and says who they are. `None`: there is none.
    pub gateway: Option<Gateway>,
    /// What sheds requests when there are too many. `None`: nothing.
    pub load: Option<Arc<Load>>,
    /// The sites whose pages may call the API, as origins.
    pub cors_origins: Vec<String>,
    /// How long a body may take to arrive.
    pub body_time_max: Duration,
}

/// A gateway that has logged people in.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// The header that holds the account's id. `Authorization` will do: a token there is one all the same.
    pub header: HeaderName,
    /// The gateways' addresses; the header is refused from everybody else.
    pub from: Vec<IpNet>,
}

impl Default for DoorSettings {
    fn default() -> Self {
        Self {
            limits: None,
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::XForwardedFor,
            gateway: None,
            load: None,
            cors_origins: Vec::new(),
            body_time_max: Duration::from_secs(30),
        }
    }
}

/// The door, as handlers use it.
pub(crate) struct Door {
    pub(crate) limits: Option<Limits>,
    pub(crate) load: Option<Arc<Load>>,
    pub(crate) body_time_max: Duration,
    gateway: Option<Gateway>,
    trusted_proxies: Vec<IpNet>,
    forwarded_header: ForwardedHeader,
    hearsay: Hearsay,
}

/// What is known of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) group: Group,
    pub(crate) priority: Priority,
}

impl Door {
    pub(crate) fn new(settings: DoorSettings) -> Self {
        Self {
            limits: settings.limits.map(Limits::new),
            load: settings.load,
            body_time_max: settings.body_time_max,
            gateway: settings.gateway,
            trusted_proxies: settings.trusted_proxies,
            forwarded_header: settings.forwarded_header,
            hearsay: Hearsay::new(),
        }
    }

    /// The address that a request came from, as far as it can be believed.
    pub(crate) fn client(&self, headers: &HeaderMap, extensions: &Extensions) -> IpAddr {
        let peer = peer(extensions);
        self.hearsay.note(peer, contains(&self.trusted_proxies, peer), headers, self.forwarded_header);
        address::client(peer, headers, self.forwarded_header, |hop| contains(&self.trusted_proxies, hop))
    }

    /// Whether `Authorization`, if it is there, is a caller's token, and not what a gateway says.
    pub(crate) fn authorization_is_a_token(&self, headers: &HeaderMap) -> bool {
        let is_the_gateways = self.gateway.as_ref().is_some_and(|gateway| gateway.header == AUTHORIZATION);
        !is_the_gateways || bearer(headers).is_ok()
    }

    /// The account that a gateway says is calling. Refused (`Err`) if it is no gateway of ours or
    /// says something else.
    pub(crate) fn gateway_user(&self, parts: &Parts) -> Option<Result<UserId, &'static str>> {
        let gateway = self.gateway.as_ref()?;
        let mut values = parts.headers.get_all(&gateway.header).iter();
        let value = values.next()?;
        if !contains(&gateway.from, peer(&parts.extensions)) {
            return Some(Err("only the gateway may say who is calling"));
        }
        let user = value.to_str().ok().and_then(|text| text.parse().ok()).filter(|id: &i64| *id > 0);
        match (user, values.next()) {
            (Some(user), None) => Some(Ok(UserId(user))),
            _ => Some(Err("the gateway's header is not one account's id")),
        }
    }
}

/// Who is at the other end of the connection. Nowhere, if the server does not say.
fn peer(extensions: &Extensions) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip().to_canonical())
}

fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}
