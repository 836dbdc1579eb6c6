//! The configuration: defaults, then the file, then variables. `onsale.example.toml` in the
//! repository's root explains each key and is the defaults; a test says so.

use std::{ffi::OsString, fmt::Write as _, path::Path};

use jiff::tz::TimeZone;
use onsale_domain::money::Currency;
use onsale_engine::{
    Settings,
    accounts::{AccountSettings, IdentitySettings},
    media::MediaQuota,
    rankings::RankingSettings,
    sales::SaleSettings,
    webhooks::{Network, TargetPolicy, WebhookSettings},
};
use onsale_events::EventType;
use onsale_identity::check_url;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

mod door;
mod environment;
mod keys;
mod network;
mod secret;
mod sections;

pub(crate) use door::{ForwardedHeaderName, Limits};
pub(crate) use sections::{EventsUrl, Log, LogFormat, Via};

use environment::{PREFIX, is_of_others, nearest};
use secret::toml_error;
use sections::{
    Accounts, Coordination, Database, Events, GuardName, Identity, Media, Notifications, PointsFromName,
    Rankings, Sales, Server, Webhooks,
};

/// A replica is asked a few times a second, so one that keeps up looks up to half a second behind.
const REPLICA_LAG_MS_MIN: u64 = 1_000;

/// Everything that can be set. A text that may be left out is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) limits: Limits,
    pub(crate) database: Database,
    pub(crate) coordination: Coordination,
    pub(crate) sales: Sales,
    pub(crate) accounts: Accounts,
    pub(crate) identity: Identity,
    pub(crate) media: Media,
    pub(crate) rankings: Rankings,
    pub(crate) webhooks: Webhooks,
    pub(crate) notifications: Notifications,
    pub(crate) events: Events,
    pub(crate) log: Log,
}

impl Config {
    /// The configuration from a file, if one is named, and this process's variables.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, Failure> {
        let text = match file {
            None => String::new(),
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", file.display())))?,
        };
        let origin = file.map_or_else(String::new, |file| format!("{}: ", file.display()));
        Self::parse(&text, std::env::vars_os()).map_err(|error| Failure::Usage(format!("{origin}{error}")))
    }

    /// The configuration from a file's text and variables.
    fn parse(text: &str, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self, String> {
        // Read on its own first, so that errors point at the line.
        let _: Self = toml::from_str(text).map_err(|error| toml_error(&error, text))?;
        let mut table: toml::Table = toml::from_str(text).map_err(|error| toml_error(&error, text))?;
        for (name, value) in variables {
            apply(&mut table, &name, value)?;
        }
        let config = from_table(table)?;
        config.check()?;
        Ok(config)
    }

    /// What types cannot say.
    fn check(&self) -> Result<(), String> {
        self.sales.currency.parse::<Currency>().map_err(|error| format!("sales.currency: {error}"))?;
        self.signing_key()?;
        self.former_keys()?;
        self.ranking_zone()?;
        self.target_policy()?;
        let mail = &self.notifications;
        if mail.via == Via::Smtp && (mail.smtp_url.is_empty() || mail.from.is_empty()) {
            return Err("notifications: `smtp` needs smtp_url and from".to_owned());
        }
        self.account_settings(Vec::new()).check().map_err(|error| format!("accounts.{error}"))?;
        self.check_door()?;
        self.check_identity()?;
        self.events.parsed_url()?;
        self.events.properties()?;
        let at_least_one = [
            ("server.watchers_max", self.server.watchers_max),
            ("server.connections_max", self.server.connections_max),
            ("server.requests_max", self.server.requests_max),
            ("server.head_seconds_max", self.server.head_seconds_max as usize),
            ("server.body_seconds_max", self.server.body_seconds_max as usize),
            ("server.write_seconds_max", self.server.write_seconds_max as usize),
            ("database.readers", self.database.readers as usize),
            ("database.lanes", self.database.lanes as usize),
            ("sales.batch_max", self.sales.batch_max),
            ("sales.queue_max", self.sales.queue_max),
            ("accounts.access_minutes", self.accounts.access_minutes as usize),
            ("accounts.refresh_days", self.accounts.refresh_days as usize),
            ("webhooks.timeout_seconds", self.webhooks.timeout_seconds as usize),
            ("webhooks.under_way_max", self.webhooks.under_way_max),
            ("webhooks.under_way_per_receiver_max", self.webhooks.under_way_per_receiver_max),
            ("events.topic_partitions", self.events.topic_partitions.into()),
        ];
        for (key, value) in at_least_one {
            if value == 0 {
                return Err(format!("{key}: must be at least 1"));
            }
        }
        if self.database.replica_lag_max_ms < REPLICA_LAG_MS_MIN {
            return Err(format!("database.replica_lag_max_ms: must be at least {REPLICA_LAG_MS_MIN}"));
        }
        if self.sales.guard == GuardName::Distributed && self.coordination.url.is_empty() {
            return Err(
                "sales.guard: `distributed` needs locks that nodes share: set coordination.url".to_owned()
            );
        }
        if self.accounts.argon2_memory_kib < 8 {
            return Err("accounts.argon2_memory_kib: must be at least 8".to_owned());
        }
        Ok(())
    }

    fn check_identity(&self) -> Result<(), String> {
        let Identity { issuer, audience, jwks_url, role_claim } = &self.identity;
        if issuer.is_empty() {
            let is_alone = audience.is_empty() && jwks_url.is_empty() && role_claim.is_empty();
            return is_alone.then_some(()).ok_or_else(|| "identity.issuer: is missing".to_owned());
        }
        check_url(issuer.expose()).map_err(|error| format!("identity.issuer: {error}"))?;
        if !jwks_url.is_empty() {
            check_url(jwks_url.expose()).map_err(|error| format!("identity.jwks_url: {error}"))?;
        }
        if audience.is_empty() {
            let reason = "is missing; without it tokens for other applications would be taken";
            return Err(format!("identity.audience: {reason}"));
        }
        Ok(())
    }

    /// Log-ins with an identity provider, if there is one.
    pub(crate) fn identity_settings(&self) -> Option<IdentitySettings> {
        let Identity { issuer, audience, role_claim, .. } = &self.identity;
        (!issuer.is_empty()).then(|| IdentitySettings {
            issuer: issuer.expose().to_owned(),
            audience: audience.clone(),
            role_claim: Some(role_claim.clone()).filter(|claim| !claim.is_empty()),
            unchecked: Vec::new(),
        })
    }

    /// Which addresses webhooks may be sent to.
    pub(crate) fn target_policy(&self) -> Result<TargetPolicy, String> {
        let networks = self.webhooks.allow_networks.iter();
        let networks = networks
            .map(|text| allowed_network(text).map_err(|error| format!("webhooks.allow_networks: {error}")));
        Ok(TargetPolicy {
            allow_http: self.webhooks.allow_http,
            ports: self.webhooks.ports.clone(),
            allow_networks: networks.collect::<Result<_, _>>()?,
        })
    }

    /// The currency of all prices and wallets.
    pub(crate) fn currency(&self) -> Currency {
        self.sales.currency.parse().expect("checked when the configuration was read")
    }

    fn ranking_zone(&self) -> Result<TimeZone, String> {
        let zone = &self.rankings.zone;
        TimeZone::get(zone)
            .map_err(|_| format!("rankings.zone: `{zone}` is not an IANA time zone such as Asia/Seoul"))
    }

    /// As for the demo: everybody charges points, unless it is set otherwise.
    pub(crate) const fn in_demo(mut self) -> Self {
        if matches!(self.accounts.points_from, PointsFromName::Unset) {
            self.accounts.points_from = PointsFromName::Anyone;
        }
        self
    }

    fn account_settings(&self, signing_key: Vec<u8>) -> AccountSettings {
        AccountSettings {
            signing_key,
            access_s: i64::from(self.accounts.access_minutes) * 60,
            refresh_s: i64::from(self.accounts.refresh_days) * 86_400,
            refresh_grace_s: self.accounts.refresh_grace_seconds.into(),
            argon2_memory_kib: self.accounts.argon2_memory_kib,
            argon2_passes: self.accounts.argon2_passes,
            hashing_threads: self.accounts.hashing_threads,
            hashing_queue_max: self.accounts.hashing_queue_max,
        }
    }

    /// What the engine needs of it.
    pub(crate) fn engine_settings(&self, signing_key: Vec<u8>) -> Settings {
        Settings {
            currency: self.currency(),
            sales: SaleSettings {
                batch_max: self.sales.batch_max,
                queue_max: self.sales.queue_max,
                guard: self.sales.guard.guard(),
                ..SaleSettings::default()
            },
            unpaid: self.limits.unpaid(),
            points_from: self.accounts.points_from.points_from(),
            media: MediaQuota {
                pictures: self.media.pictures_max,
                bytes: u64::from(self.media.megabytes_max) << 20,
            },
            accounts: self.account_settings(signing_key),
            former_keys: Vec::new(),
            rankings: RankingSettings::new(
                self.ranking_zone().expect("checked when the configuration was read"),
            ),
            webhooks: WebhookSettings {
                target: self.target_policy().expect("checked when the configuration was read"),
                event_types: EventType::KNOWN.iter().map(|known| known.as_str().to_owned()).collect(),
            },
            vitals: onsale_engine::vitals::Vitals::default(),
            claim_check: onsale_domain::decide::ClaimCheck::On,
            owner_check: onsale_engine::owners::OwnerCheck::On,
        }
    }

    /// As TOML, without secrets, which hide themselves.
    pub(crate) fn to_toml_without_secrets(&self) -> String {
        toml::to_string_pretty(self).expect("the configuration is plain values")
    }
}

/// A network as webhooks may be sent to it.
fn allowed_network(text: &str) -> Result<Network, String> {
    network::parse(text)?.to_string().parse().map_err(|error| format!("{error}"))
}

/// The variables that say where a bucket is and as whom it is used, as everything does that speaks S3.
#[cfg(feature = "s3")]
pub(crate) fn aws_variables() -> impl Iterator<Item = (String, String)> {
    let variables = std::env::vars_os();
    let texts =
        variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts.filter(|(name, _)| name.starts_with("AWS_"))
}

/// Reads what was put together of a file and variables.
fn from_table(table: toml::Table) -> Result<Config, String> {
    table.try_into().map_err(|error| toml_error(&error, ""))
}

/// Puts a variable such as `ONSALE_DATABASE_URL` in its place, read as what the default is.
fn apply(table: &mut toml::Table, name: &OsString, value: OsString) -> Result<(), String> {
    let Some(name) = name.to_str() else { return Ok(()) };
    if is_of_others(name, &value.to_string_lossy()) {
        return Ok(());
    }
    let defaults = defaults();
    let Some((section, key, default)) =
        keys(&defaults).find(|(section, key, _)| variable(section, key) == name)
    else {
        return Err(no_such_setting(name, &defaults));
    };
    let text = value.into_string().map_err(|_| format!("{name}: not UTF-8"))?;
    let value = match default {
        toml::Value::Integer(_) => text
            .trim()
            .parse()
            .map(toml::Value::Integer)
            .map_err(|_| format!("{name}: `{text}` is not a whole number"))?,
        toml::Value::Boolean(_) => text
            .trim()
            .parse()
            .map(toml::Value::Boolean)
            .map_err(|_| format!("{name}: `{text}` is neither true nor false"))?,
        // A list of tables is written as in the file.
        toml::Value::Array(_) if text.trim_start().starts_with('[') => {
            text.trim().parse().map_err(|error| format!("{name}: {}", toml_error(&error, text.trim())))?
        }
        toml::Value::Array(_) => list(&text),
        _ => toml::Value::String(text),
    };
    let section = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    section
        .as_table_mut()
        .ok_or("a section of the configuration is not a table")?
        .insert(key.to_owned(), value);
    Ok(())
}

/// The message about a variable that is no setting: which one is probably meant, and which there are.
fn no_such_setting(name: &str, defaults: &toml::Table) -> String {
    let settings: Vec<_> = keys(defaults).map(|(section, key, _)| variable(section, key)).collect();
    let mut error = format!("there is no setting for the variable {name}");
    if let Some(nearest) = nearest(name, settings.iter().map(String::as_str)) {
        write!(error, "; did you mean {nearest}?").expect("writing to a string");
    }
    error += " There are:";
    for setting in settings {
        write!(error, "\n  {setting}").expect("writing to a string");
    }
    error
}

/// A list as a variable has it: separated by blanks or commas.
fn list(text: &str) -> toml::Value {
    let items = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|item| !item.is_empty());
    toml::Value::Array(items.map(|item| toml::Value::String(item.to_owned())).collect())
}

fn variable(section: &str, key: &str) -> String {
    format!("{PREFIX}{}_{}", section.to_uppercase(), key.to_uppercase())
}

fn defaults() -> toml::Table {
    toml::Table::try_from(Config::default()).expect("the configuration is plain values")
}

/// (section, key, default) of every setting.
fn keys(defaults: &toml::Table) -> impl Iterator<Item = (&str, &str, &toml::Value)> {
    defaults.iter().flat_map(|(section, keys)| {
        let keys = keys.as_table().expect("the configuration has sections and nothing else");
        keys.iter().map(move |(key, value)| (section.as_str(), key.as_str(), value))
    })
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::*;

    const EXAMPLE: &str = include_str!("../../../onsale.example.toml");

    fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        Config::parse(text, variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn the_example_is_the_defaults_and_names_every_key() {
        assert_eq!(parse(EXAMPLE, &[]).unwrap(), Config::default());
        let example: toml::Table = toml::from_str(EXAMPLE).unwrap();
        let defaults = defaults();
        for (section, key, _) in keys(&defaults) {
            assert!(example.get(section).is_some_and(|keys| keys.get(key).is_some()), "{section}.{key}");
        }
    }

    #[test]
    fn variables_override_the_file_which_overrides_the_defaults() {
        let file = "[sales]\nbatch_max = 1\nqueue_max = 2\n[log]\nformat = \"json\"";
        let variables = [
            ("ONSALE_SALES_QUEUE_MAX", "3"),
            ("ONSALE_DATABASE_URL", "speaks:x"),
            ("ONSALE_DATABASE_REPLICAS", " speaks://a/x,speaks://b/x\n speaks://c/x, "),
            ("ONSALE_SERVER_LISTEN", "0.0.0.0:1"),
            ("ONSALE_TEST_DATA", "not ours"),
            ("PATH", "not ours either"),
        ];
        let config = parse(file, &variables).unwrap();
        assert_eq!((config.sales.batch_max, config.sales.queue_max), (1, 3));
        assert_eq!(config.database.url.expose(), "speaks:x");
        assert_eq!(config.database.replicas.expose(), ["speaks://a/x", "speaks://b/x", "speaks://c/x"]);
        assert_eq!(config.server.listen.to_string(), "0.0.0.0:1");
        assert_eq!(config.log.format, LogFormat::Json);
    }

    #[test]
    fn what_is_unknown_or_wrong_is_said() {
        let error = |text: &str, variables: &[(&str, &str)]| parse(text, variables).unwrap_err();
        let unknown = error("[sales]\nbatch = 1", &[]);
        assert!(unknown.contains("batch_max") && unknown.contains("line 2"), "{unknown}");
        assert!(error("[shop]", &[]).contains("`sales`"));
        let variable = error("", &[("ONSALE_DATABSE_URL", "x")]);
        assert!(variable.contains("ONSALE_DATABSE_URL") && variable.contains("ONSALE_DATABASE_URL"));
        assert!(error("", &[("ONSALE_SALES_BATCH_MAX", "many")]).contains("whole number"));
        assert!(error("", &[("ONSALE_SERVER_LISTEN", "here")]).contains("socket address"));
        assert!(error("", &[("ONSALE_SALES_CURRENCY", "won")]).contains("KRW"));
        assert!(error("[sales]\nbatch_max = 0", &[]).contains("at least 1"));
        assert!(error("[database]\nreplica_lag_max_ms = 999", &[]).contains("at least 1000"));
        assert!(error("[sales]\nguard = \"distributed\"", &[]).contains("set coordination.url"));
        assert!(error("[accounts]\nhashing_threads = 1000000", &[]).contains("from 1 to 256"));
        assert!(error("[accounts]\nargon2_memory_kib = 4294967295", &[]).contains("from 8 to 1048576"));
        assert!(
            error("[accounts]\nargon2_passes = 0", &[]).contains("accounts.argon2_passes: must be from 1")
        );
        assert!(error("[accounts]\nsigning_key = \"c2hvcnQ=\"", &[]).contains("at least 32"));
        assert!(error("[rankings]\nzone = \"Mars/Base\"", &[]).contains("Asia/Seoul"));
        assert!(error("[log]\nformat = \"xml\"", &[]).contains("`text` or `json`"));
        assert!(error("[identity]\naudience = \"x\"", &[]).contains("identity.issuer"));
        assert!(error("[identity]\nissuer = \"https://x\"", &[]).contains("identity.audience"));
        let identity = |more: &str| error(&format!("[identity]\naudience = \"x\"\n{more}"), &[]);
        assert!(identity("issuer = \"http://x\"").contains("https://"));
        assert!(identity("issuer = \"https://x\"\njwks_url = \"http://x\"").contains("identity.jwks_url"));
        let gateway = |header: &str| format!("[server]\ngateway_header = \"{header}\"\ngateways = [\"::1\"]");
        for header in ["Content-Length", "X-Forwarded-For", "Idempotency-Key"] {
            assert!(error(&gateway(header), &[]).contains("X-User-Id"), "{header}");
        }
        for header in ["Authorization", "X-User-Id"] {
            parse(&gateway(header), &[]).unwrap();
        }
        assert!(error("[events]\nurl = \"amqp://x\"", &[]).contains("kafka://HOST:PORT"));
        assert!(error("[events]\nkafka_properties = [\"x\"]", &[]).contains("key=value"));
    }

    #[test]
    fn a_bare_address_is_a_network_of_one() {
        let variables = [
            ("ONSALE_SERVER_TRUSTED_PROXIES", "127.0.0.9, 10.0.0.0/8"),
            ("ONSALE_SERVER_GATEWAYS", "::ffff:10.0.0.7"),
            ("ONSALE_WEBHOOKS_ALLOW_NETWORKS", "10.1.0.7 fd00::7"),
        ];
        let config = parse("", &variables).unwrap();
        let texts = |networks: &[ipnet::IpNet]| networks.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts(&config.server.trusted_proxies), ["127.0.0.9/32", "10.0.0.0/8"]);
        assert_eq!(texts(&config.server.gateways), ["10.0.0.7/32"]);
        let policy = config.target_policy().unwrap();
        assert!(policy.check_address("10.1.0.7".parse().unwrap()).is_ok());
        assert!(policy.check_address("10.1.0.8".parse().unwrap()).is_err());
        assert!(policy.check_address("fd00::7".parse().unwrap()).is_ok());
        for (name, _) in variables {
            let error = parse("", &[(name, "proxy.example.com")]).unwrap_err();
            assert!(error.contains("proxy.example.com") && error.contains("10.0.0.0/8"), "{error}");
        }
    }

    #[test]
    fn services_of_a_cluster_are_passed_over_and_mistakes_are_not() {
        let links = [("ONSALE_SERVICE_HOST", "10.96.0.7"), ("ONSALE_PORT", "tcp://10.96.0.7:80")];
        assert_eq!(parse("", &links).unwrap(), Config::default());
        let error = parse("", &[("ONSALE_PORT", "8080")]).unwrap_err();
        assert!(error.contains("ONSALE_PORT"), "{error}");
        let error = parse("", &[("ONSALE_SALES_GAURD", "optimistic")]).unwrap_err();
        assert!(error.contains("did you mean ONSALE_SALES_GUARD?"), "{error}");
    }

    /// Every setting that is a text, a list of texts or holds one, given a secret in each form.
    #[test]
    fn secrets_are_not_shown() {
        let mut config = Config::default();
        config.accounts.signing_key = BASE64_STANDARD.encode([7; 32]).as_str().into();
        assert!(config.check().unwrap_err().contains("not random"));
        let config = parse(
            "[database]
             url = 'speaks://shop:hunter2@db:5432/onsale'
             replicas = ['speaks://db-2/onsale?user=shop&password=hunter2']
             [coordination]
             url = 'redis://shop:hunter2@redis-1:6379,redis-2:6379'
             [media]
             url = 's3://key:hunter2@bucket'
             [identity]
             issuer = 'https://shop:hunter2@id.example.com'
             audience = 'x'
             jwks_url = 'https://id.example.com/keys?api_key=hunter2'
             [accounts]
             signing_key = 'K6d/j6Di45aZ2IbFCGYCPBV/lx3N3yI2zHj3/6+SXCw='
             [notifications]
             smtp_url = 'smtps://shop:hunter2@mail.example'
             [events]
             url = 'kafka://shop:hunter2@kafka:9092'
             kafka_properties = ['sasl.password=hunter2=', 'ssl.key.pem=hunter2']",
            &[],
        )
        .unwrap();
        for shown in [config.to_toml_without_secrets(), format!("{config:?}"), format!("{config:#?}")] {
            assert!(!shown.contains("hunter2") && !shown.contains("K6d/"), "{shown}");
            assert!(shown.contains("sasl.password=(hidden)") && shown.contains("redis-2:6379"), "{shown}");
            assert!(shown.contains("speaks://shop:(hidden)@db:5432/onsale"), "{shown}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_secrets() {
        for text in [
            "[database]\nurl = 'speaks://shop:hunter2@db",
            "[database]\nreplicas = 'speaks://shop:hunter2@db'",
            "[database]\nurl = ['speaks://shop:hunter2@db']",
            "[database]\nreaders = 'hunter2'",
            "[accounts]\nsigning_key = 'hunter2'",
            "[accounts]\nsigning_key = hunter2",
            "[events]\nurl = 'amqp://shop:hunter2@kafka'",
            "[events]\nkafka_properties = 'sasl.password=hunter2'",
            "[events]\nkafka_properties = ['hunter2']",
            "[identity]\naudience = 'x'\nissuer = 'http://shop:hunter2@id.example.com'",
            "[identity]\naudience = 'x'\nissuer = 'https://x'\njwks_url = 'http://x?key=hunter2'",
        ] {
            let error = parse(text, &[]).unwrap_err();
            assert!(!error.contains("hunter2"), "{text}\n{error}");
        }
        let variables = [
            ("ONSALE_DATABASE_REPLICAS", "[speaks://shop:hunter2@db"),
            ("ONSALE_DATABASE_REPLICAS", "[{ url = \"hunter2\" }]"),
            ("ONSALE_ACCOUNTS_SIGNING_KEY", "hunter2"),
            ("ONSALE_EVENTS_URL", "hunter2"),
        ];
        for variable in variables {
            let error = parse("", &[variable]).unwrap_err();
            assert!(!error.contains("hunter2"), "{variable:?}\n{error}");
        }
    }
}
