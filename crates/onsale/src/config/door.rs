//! Settings of the door: limits, proxies, gateways, what a client may take.

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;
use onsale_api::door::{By, DoorSettings, ForwardedHeader, Gateway, Group, GroupRule, LimitSettings, Load};
use onsale_domain::{
    limits::{ALLOWANCE_MAX, AllowanceRule, CountRule},
    unpaid::UnpaidRules,
};
use onsale_engine::{
    accounts::{LogInRules, TryRules},
    ports::Limiter,
    sales::UnpaidSettings,
};
use serde::{Deserialize, Serialize};

use super::Config;
use crate::http::HttpSettings;

/// How long a booking counts that was never answered, because its node died.
const UNSETTLED_MS: i64 = 30_000;

/// Headers that say something else than who is calling: what HTTP, proxies and this API use them for.
const TAKEN_HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "keep-alive",
    "last-event-id",
    "origin",
    "proxy-authorization",
    "queue-token",
    "range",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// The smallest bound of a request's head.
const HEAD_BYTES_MIN: usize = 1_024;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) enabled: bool,
    pub(crate) bookings: u32,
    pub(crate) bookings_seconds: u32,
    pub(crate) log_in_tries: u32,
    pub(crate) log_in_failures: u32,
    pub(crate) log_in_seconds: u32,
    pub(crate) sign_ups: u32,
    pub(crate) sign_up_seconds: u32,
    pub(crate) unpaid_percent: u32,
    pub(crate) unpaid_min: u32,
    pub(crate) unpaid_floor: u32,
    pub(crate) unpaid_lapses: u32,
    pub(crate) unpaid_seconds: u32,
    pub(crate) unpaid_free_networks: Vec<IpNet>,
    pub(crate) guest_numbers: u32,
    pub(crate) guest_numbers_seconds: u32,
    pub(crate) rules: Vec<Rule>,
}

/// A rule for a group of routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) group: GroupName,
    pub(crate) by: ByName,
    pub(crate) requests: u32,
    pub(crate) seconds: u32,
    /// 0: as many as `requests`.
    #[serde(default)]
    pub(crate) burst: u32,
    #[serde(default)]
    pub(crate) block_seconds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ByName {
    Ip,
    Account,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ForwardedHeaderName {
    XForwardedFor,
    Forwarded,
}

/// A group as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct GroupName(Group);

impl TryFrom<String> for GroupName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let group = Group::ALL.iter().find(|group| group.as_str() == text);
        group.map(|group| Self(*group)).ok_or_else(|| {
            let groups: Vec<_> = Group::ALL.iter().map(|group| group.as_str()).collect();
            format!("there is no group `{text}` of routes; there are {}", groups.join(", "))
        })
    }
}

impl From<GroupName> for String {
    fn from(GroupName(group): GroupName) -> Self {
        group.as_str().to_owned()
    }
}

impl Default for Limits {
    fn default() -> Self {
        let lists = Rule {
            group: GroupName(Group::Lists),
            by: ByName::Ip,
            requests: 50,
            seconds: 60,
            burst: 0,
            block_seconds: 3_600,
        };
        Self {
            enabled: true,
            bookings: 1,
            bookings_seconds: 300,
            log_in_tries: 10,
            log_in_failures: 100,
            log_in_seconds: 900,
            sign_ups: 100,
            sign_up_seconds: 600,
            unpaid_percent: 10,
            unpaid_min: 20,
            unpaid_floor: 5,
            unpaid_lapses: 3,
            unpaid_seconds: 3_600,
            unpaid_free_networks: Vec::new(),
            guest_numbers: 3_000,
            guest_numbers_seconds: 600,
            rules: vec![lists],
        }
    }
}

impl Rule {
    fn name(&self) -> String {
        let by = match self.by {
            ByName::Ip => "ip",
            ByName::Account => "account",
        };
        format!("{}-by-{by}", self.group.0.as_str())
    }

    fn group_rule(&self) -> GroupRule {
        let rule = CountRule {
            name: self.name().into(),
            requests: self.requests,
            window_ms: i64::from(self.seconds) * 1_000,
            burst: if self.burst == 0 { self.requests } else { self.burst },
            block_ms: i64::from(self.block_seconds) * 1_000,
            block_ms_max: 0,
        };
        let by = match self.by {
            ByName::Ip => By::Ip,
            ByName::Account => By::Account,
        };
        GroupRule { group: self.group.0, by, rule }
    }
}

impl Limits {
    /// How many bookings an account may make at a performance, if that is limited.
    pub(crate) fn booking_rule(&self) -> Option<AllowanceRule> {
        (self.enabled && self.bookings > 0).then(|| AllowanceRule {
            name: "bookings".into(),
            requests: self.bookings,
            window_ms: i64::from(self.bookings_seconds) * 1_000,
            unsettled_ms: UNSETTLED_MS,
        })
    }

    /// How much may be held unpaid.
    pub(crate) fn unpaid(&self) -> UnpaidSettings {
        let rules = UnpaidRules {
            percent: self.unpaid_percent,
            units_min: self.unpaid_min,
            units_floor: self.unpaid_floor,
            lapses: self.unpaid_lapses,
            remembered_ms: i64::from(self.unpaid_seconds) * 1_000,
        };
        let is_on = self.enabled && self.unpaid_percent > 0;
        UnpaidSettings { rules: is_on.then_some(rules), free_networks: self.unpaid_free_networks.clone() }
    }

    fn settings(&self, limiter: Arc<dyn Limiter>) -> Option<LimitSettings> {
        let guest_numbers = CountRule {
            name: "guest-numbers-by-ip".into(),
            requests: self.guest_numbers,
            window_ms: i64::from(self.guest_numbers_seconds) * 1_000,
            burst: self.guest_numbers,
            block_ms: 0,
            block_ms_max: 0,
        };
        self.enabled.then(|| LimitSettings {
            limiter,
            rules: self.rules.iter().map(Rule::group_rule).collect(),
            guest_numbers: (self.guest_numbers > 0).then_some(guest_numbers),
        })
    }

    /// How often somebody may try a password, or sign up.
    fn log_in_rules(&self) -> Option<LogInRules> {
        let window_ms = i64::from(self.log_in_seconds) * 1_000;
        let sign_ups = AllowanceRule {
            name: "sign-ups-by-ip".into(),
            requests: self.sign_ups,
            window_ms: i64::from(self.sign_up_seconds) * 1_000,
            unsettled_ms: UNSETTLED_MS,
        };
        let tries = TryRules {
            account: CountRule {
                name: "log-ins-by-account-and-ip".into(),
                requests: self.log_in_tries,
                window_ms,
                burst: self.log_in_tries,
                block_ms: 1_000,
                block_ms_max: window_ms,
            },
            address: AllowanceRule {
                name: "failed-log-ins-by-ip".into(),
                requests: self.log_in_failures,
                window_ms,
                unsettled_ms: UNSETTLED_MS,
            },
        };
        self.enabled.then(|| LogInRules {
            tries: (self.log_in_tries > 0).then_some(tries),
            sign_ups: (self.sign_ups > 0).then_some(sign_ups),
        })
    }

    fn check(&self) -> Result<(), String> {
        for (key, value) in [
            ("bookings", self.bookings),
            ("log_in_failures", self.log_in_failures),
            ("sign_ups", self.sign_ups),
        ] {
            if value > ALLOWANCE_MAX {
                return Err(format!("limits.{key}: must be at most {ALLOWANCE_MAX}"));
            }
        }
        for (key, value) in [
            ("bookings_seconds", self.bookings_seconds),
            ("log_in_failures", self.log_in_failures),
            ("log_in_seconds", self.log_in_seconds),
            ("sign_up_seconds", self.sign_up_seconds),
            ("unpaid_min", self.unpaid_min),
            ("unpaid_lapses", self.unpaid_lapses),
            ("unpaid_seconds", self.unpaid_seconds),
            ("guest_numbers_seconds", self.guest_numbers_seconds),
        ] {
            if value == 0 {
                return Err(format!("limits.{key}: must be at least 1"));
            }
        }
        if self.unpaid_percent > 100 {
            return Err("limits.unpaid_percent: must be at most 100".to_owned());
        }
        for (index, rule) in self.rules.iter().enumerate() {
            if rule.requests == 0 || rule.seconds == 0 {
                return Err(format!(
                    "limits.rules: `requests` and `seconds` of {} must be at least 1",
                    rule.name()
                ));
            }
            if self.rules[..index].iter().any(|other| other.name() == rule.name()) {
                return Err(format!("limits.rules: {} is there twice", rule.name()));
            }
        }
        Ok(())
    }
}

impl Config {
    pub(super) fn check_door(&self) -> Result<(), String> {
        self.limits.check()?;
        let server = &self.server;
        if server.head_bytes_max < HEAD_BYTES_MIN {
            return Err(format!("server.head_bytes_max: must be at least {HEAD_BYTES_MIN}"));
        }
        if server.proxy_protocol && server.trusted_proxies.is_empty() {
            return Err("server.proxy_protocol: name the proxies in server.trusted_proxies".to_owned());
        }
        if !server.gateway_header.is_empty() {
            let header = server.gateway_header.parse::<axum::http::HeaderName>();
            let header = header.map_err(|error| format!("server.gateway_header: {error}"))?;
            if TAKEN_HEADERS.contains(&header.as_str()) {
                return Err(format!(
                    "server.gateway_header: `{header}` has a meaning of its own, and would be taken for an \
                     account's id; let the gateway use another one, such as X-User-Id"
                ));
            }
            if server.gateways.is_empty() {
                return Err("server.gateway_header: name the gateways in server.gateways".to_owned());
            }
        }
        for origin in &server.cors_origins {
            let is_origin = origin.split_once("://").is_some_and(|(scheme, host)| {
                matches!(scheme, "http" | "https") && !host.is_empty() && !host.contains(['/', '*', ' '])
            });
            if !is_origin {
                return Err(format!(
                    "server.cors_origins: `{origin}` is not an origin such as https://shop.example.com"
                ));
            }
        }
        Ok(())
    }

    /// How often somebody may try a password, or sign up; `None` without limits.
    pub(crate) fn log_in_rules(&self) -> Option<LogInRules> {
        self.limits.log_in_rules()
    }

    /// Who is let in.
    pub(crate) fn door(&self, limiter: Arc<dyn Limiter>) -> DoorSettings {
        let server = &self.server;
        let late_ms_max = (server.late_ms_max > 0).then_some(server.late_ms_max);
        DoorSettings {
            limits: self.limits.settings(limiter),
            trusted_proxies: server.trusted_proxies.clone(),
            forwarded_header: match server.forwarded_header {
                ForwardedHeaderName::XForwardedFor => ForwardedHeader::XForwardedFor,
                ForwardedHeaderName::Forwarded => ForwardedHeader::Forwarded,
            },
            gateway: (!server.gateway_header.is_empty()).then(|| Gateway {
                header: server.gateway_header.parse().expect("checked when the configuration was read"),
                from: server.gateways.clone(),
            }),
            load: Some(Load::new(server.requests_max, late_ms_max)),
            cors_origins: server.cors_origins.clone(),
            body_time_max: Duration::from_secs(server.body_seconds_max),
        }
    }

    /// What a client may take.
    pub(crate) fn http(&self) -> HttpSettings {
        let server = &self.server;
        HttpSettings {
            connections_max: server.connections_max,
            head_time_max: Duration::from_secs(server.head_seconds_max),
            head_bytes_max: server.head_bytes_max,
            write_time_max: Duration::from_secs(server.write_seconds_max),
            proxy_protocol_from: server.proxy_protocol.then(|| server.trusted_proxies.clone()),
        }
    }
}
