//! What can be set, by sections, and the defaults.

use std::net::{Ipv4Addr, SocketAddr};

use ipnet::IpNet;
use onsale_domain::{money::Currency, wallet::PointsFrom};
use onsale_engine::{ports::Guard, sales::SaleSettings, webhooks::TargetPolicy};
use onsale_events::notifications::Language;
use serde::{Deserialize, Serialize};

use super::{
    ForwardedHeaderName, network,
    secret::{SecretProperty, SecretText, SecretUrl, SecretUrls},
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) listen: SocketAddr,
    pub(crate) watchers_max: usize,
    pub(crate) drain_seconds: u64,
    pub(crate) stop_seconds_max: u64,
    #[serde(deserialize_with = "network::list")]
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) forwarded_header: ForwardedHeaderName,
    pub(crate) proxy_protocol: bool,
    pub(crate) gateway_header: String,
    #[serde(deserialize_with = "network::list")]
    pub(crate) gateways: Vec<IpNet>,
    pub(crate) cors_origins: Vec<String>,
    pub(crate) connections_max: usize,
    pub(crate) requests_max: usize,
    pub(crate) late_ms_max: u32,
    pub(crate) head_bytes_max: usize,
    pub(crate) head_seconds_max: u64,
    pub(crate) body_seconds_max: u64,
    pub(crate) write_seconds_max: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Database {
    pub(crate) url: SecretUrl,
    pub(crate) replicas: SecretUrls,
    pub(crate) replica_lag_max_ms: u64,
    pub(crate) readers: u32,
    pub(crate) lanes: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Coordination {
    pub(crate) url: SecretUrl,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sales {
    pub(crate) currency: String,
    pub(crate) batch_max: usize,
    pub(crate) queue_max: usize,
    pub(crate) guard: GuardName,
}

/// The guards that may be chosen. [`Guard::None`] is not among them: it is for negative controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GuardName {
    Pessimistic,
    Optimistic,
    Distributed,
}

impl GuardName {
    pub(super) const fn guard(self) -> Guard {
        match self {
            Self::Pessimistic => Guard::Pessimistic,
            Self::Optimistic => Guard::Optimistic,
            Self::Distributed => Guard::Distributed,
        }
    }
}

/// Those who may put points into wallets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PointsFromName {
    /// The provider, or anyone in the demo.
    #[serde(rename = "")]
    Unset,
    Nobody,
    Provider,
    Organisers,
    Anyone,
}

impl PointsFromName {
    pub(super) const fn points_from(self) -> PointsFrom {
        match self {
            Self::Nobody => PointsFrom::Nobody,
            Self::Unset | Self::Provider => PointsFrom::Provider,
            Self::Organisers => PointsFrom::Organisers,
            Self::Anyone => PointsFrom::Anyone,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Accounts {
    pub(crate) signing_key: SecretText,
    pub(crate) former_signing_keys: Vec<SecretText>,
    pub(crate) access_minutes: u32,
    pub(crate) refresh_days: u32,
    pub(crate) refresh_grace_seconds: u32,
    pub(crate) argon2_memory_kib: u32,
    pub(crate) argon2_passes: u32,
    pub(crate) hashing_threads: usize,
    pub(crate) hashing_queue_max: usize,
    pub(crate) points_from: PointsFromName,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Identity {
    pub(crate) issuer: SecretUrl,
    pub(crate) audience: String,
    pub(crate) jwks_url: SecretUrl,
    pub(crate) role_claim: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Media {
    pub(crate) url: SecretUrl,
    pub(crate) pictures_max: usize,
    pub(crate) megabytes_max: u32,
}

impl Default for Media {
    fn default() -> Self {
        Self { url: SecretUrl::default(), pictures_max: 1_000, megabytes_max: 1_024 }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Rankings {
    pub(crate) zone: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Webhooks {
    pub(crate) allow_http: bool,
    pub(crate) allow_networks: Vec<String>,
    pub(crate) ports: Vec<u16>,
    pub(crate) timeout_seconds: u64,
    pub(crate) under_way_max: usize,
    pub(crate) under_way_per_receiver_max: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Notifications {
    pub(crate) via: Via,
    pub(crate) smtp_url: SecretUrl,
    pub(crate) from: String,
    pub(crate) language: LanguageName,
    pub(crate) reminder_seconds: u32,
}

/// How buyers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Via {
    Off,
    Log,
    Smtp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LanguageName {
    #[serde(rename = "en")]
    English,
    #[serde(rename = "ko")]
    Korean,
}

impl LanguageName {
    pub(crate) const fn language(self) -> Language {
        match self {
            Self::English => Language::English,
            Self::Korean => Language::Korean,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Events {
    pub(crate) url: SecretUrl,
    pub(crate) source: String,
    pub(crate) journal: String,
    pub(crate) topic_orders: String,
    pub(crate) topic_catalogue: String,
    pub(crate) topic_partitions: u16,
    pub(crate) group_prefix: String,
    pub(crate) kafka_properties: Vec<SecretProperty>,
}

/// Which way events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EventsUrl {
    Local,
    /// `host:port`, several separated by commas.
    Kafka(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) filter: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            watchers_max: 10_000,
            drain_seconds: 0,
            stop_seconds_max: 10,
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeaderName::XForwardedFor,
            proxy_protocol: false,
            gateway_header: String::new(),
            gateways: Vec::new(),
            cors_origins: Vec::new(),
            connections_max: 50_000,
            requests_max: 20_000,
            late_ms_max: 50,
            head_bytes_max: 32_768,
            head_seconds_max: 75,
            body_seconds_max: 30,
            write_seconds_max: 30,
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: SecretUrl::default(),
            replicas: SecretUrls::default(),
            replica_lag_max_ms: 1_000,
            readers: 4,
            lanes: 4,
        }
    }
}

impl Default for Sales {
    fn default() -> Self {
        let engine = SaleSettings::default();
        Self {
            currency: Currency::KRW.as_str().to_owned(),
            batch_max: engine.batch_max,
            queue_max: engine.queue_max,
            guard: GuardName::Pessimistic,
        }
    }
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            signing_key: SecretText::default(),
            former_signing_keys: Vec::new(),
            access_minutes: 60,
            refresh_days: 7,
            refresh_grace_seconds: 10,
            argon2_memory_kib: 19_456,
            argon2_passes: 2,
            hashing_threads: 1,
            hashing_queue_max: 256,
            points_from: PointsFromName::Unset,
        }
    }
}

impl Default for Rankings {
    fn default() -> Self {
        Self { zone: "Asia/Seoul".to_owned() }
    }
}

impl Default for Webhooks {
    fn default() -> Self {
        let policy = TargetPolicy::default();
        Self {
            allow_http: policy.allow_http,
            allow_networks: Vec::new(),
            ports: policy.ports,
            timeout_seconds: 10,
            under_way_max: 64,
            under_way_per_receiver_max: 4,
        }
    }
}

impl Default for Events {
    fn default() -> Self {
        Self {
            url: "local:".into(),
            source: "/onsale".to_owned(),
            journal: String::new(),
            topic_orders: "onsale.orders".to_owned(),
            topic_catalogue: "onsale.catalogue".to_owned(),
            topic_partitions: 6,
            group_prefix: "onsale".to_owned(),
            kafka_properties: Vec::new(),
        }
    }
}

impl Default for Notifications {
    fn default() -> Self {
        Self {
            via: Via::Off,
            smtp_url: SecretUrl::default(),
            from: String::new(),
            language: LanguageName::English,
            reminder_seconds: 60,
        }
    }
}

impl Events {
    pub(crate) fn parsed_url(&self) -> Result<EventsUrl, String> {
        match self.url.expose().split_once(':') {
            Some(("local", "")) => Ok(EventsUrl::Local),
            Some(("kafka", brokers)) if brokers.starts_with("//") && brokers.len() > 2 => {
                Ok(EventsUrl::Kafka(brokers[2..].trim_end_matches('/').to_owned()))
            }
            _ => Err(format!("events.url: `{}` is neither `local:` nor `kafka://HOST:PORT`", self.url)),
        }
    }

    /// Settings of librdkafka: (key, value).
    pub(crate) fn properties(&self) -> Result<Vec<(String, String)>, String> {
        let pairs = self.kafka_properties.iter().map(|property| {
            let pair =
                property.expose().split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
            pair.ok_or_else(|| "events.kafka_properties: each is `key=value`".to_owned())
        });
        pairs.collect()
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}
