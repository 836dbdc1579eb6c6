//! How often somebody may ask for something.

use std::{fmt::Write as _, net::IpAddr, sync::Arc};

use axum::{
    http::{HeaderName, HeaderValue, request::Parts},
    response::Response,
};
use onsale_domain::{
    limits::{CountRule, RuleName, Subject, Verdict},
    time::Timestamp,
};
use onsale_engine::ports::Limiter;

use crate::{
    Api,
    caller::bearer,
    problem::{Kind, Problem},
};

/// What is limited, and what counts.
#[derive(Clone)]
pub struct LimitSettings {
    /// What counts.
    pub limiter: Arc<dyn Limiter>,
    /// Rules by groups of routes.
    pub rules: Vec<GroupRule>,
    /// How many numbers guests at one address may take in waiting rooms. `None`: any number.
    pub guest_numbers: Option<CountRule>,
}

/// A rule for a group of routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRule {
    /// The routes.
    pub group: Group,
    /// Whose requests are counted together.
    pub by: By,
    /// How many.
    pub rule: CountRule,
}

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Those from one address, IPv6 by its first 64 bits.
    Ip,
    /// Those of one account, of visitors without a log-in by address.
    Account,
}

macro_rules! groups {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)*) => {
        /// Routes that are limited together.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(clippy::enum_variant_names, reason = "as they are called in the configuration")]
        pub enum Group { $($(#[doc = $doc])+ $name,)* }

        impl Group {
            /// All groups.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As it is called in the configuration.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

groups! {
    /// The lists of films and of concerts.
    Lists = "lists",
    /// One film, one concert, one performance.
    Details = "details",
    /// Halls and the state of their seats.
    Seats = "seats",
    /// Waiting rooms.
    Line = "line",
    /// Signing up, profiles, points.
    Accounts = "accounts",
    /// Logging in.
    LogIns = "log-ins",
    /// Reserving.
    Bookings = "bookings",
    /// What one has reserved or ordered, and giving it back.
    Orders = "orders",
    /// Paying.
    Payments = "payments",
    /// Running sales.
    Admin = "admin",
    /// Probes and documents.
    Operation = "operation",
}

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The rules by group, ready to be looked up.
pub(crate) struct Limits {
    pub(crate) limiter: Arc<dyn Limiter>,
    guest_numbers: Option<CountRule>,
    by_group: Vec<Vec<Counter>>,
}

struct Counter {
    by: By,
    rule: CountRule,
    policy: Policy,
}

/// What the `RateLimit-Policy` header says of a rule, as draft-ietf-httpapi-ratelimit-headers has it.
struct Policy(HeaderValue);

impl Policy {
    fn new(rule: &CountRule) -> Self {
        let text = format!("\"{}\";q={};w={}", rule.name, rule.requests, rule.window_ms.max(1_000) / 1_000);
        Self(HeaderValue::try_from(text).expect("names are checked when they are configured"))
    }
}

impl Limits {
    pub(super) fn new(settings: LimitSettings) -> Self {
        let counters = |group| {
            let rules = settings.rules.iter().filter(|rule| rule.group == group);
            rules
                .map(|rule| Counter { by: rule.by, policy: Policy::new(&rule.rule), rule: rule.rule.clone() })
                .collect()
        };
        Self {
            by_group: Group::ALL.iter().map(|group| counters(*group)).collect(),
            limiter: settings.limiter,
            guest_numbers: settings.guest_numbers,
        }
    }

    /// Whether a group has rules.
    pub(super) fn has_rules(&self, group: Group) -> bool {
        !self.by_group[group as usize].is_empty()
    }

    /// Whether there may be blocks under this name.
    pub(crate) fn rule(&self, name: &str) -> Option<RuleName> {
        let rules = self.by_group.iter().flatten().map(|counter| &counter.rule.name);
        let guests = self.guest_numbers.iter().map(|rule| &rule.name);
        rules.chain(guests).find(|rule| &***rule == name).cloned()
    }
}

impl Api {
    /// Counts a request; refuses it if there were too many.
    pub(super) async fn count(&self, group: Group, parts: &Parts) -> Result<Counted, Response> {
        let Some(limits) = &self.door.limits else { return Ok(Counted::default()) };
        let now = self.engine.clock().now();
        let mut counted = Counted::default();
        for counter in &limits.by_group[group as usize] {
            let subject = self.subject(counter.by, parts).await;
            match limits.limiter.count(&counter.rule, subject).await {
                Verdict::Allowed { left, more_at } => counted.add(counter, left, more_at, now),
                Verdict::Refused { until, blocked } => {
                    counted.add(counter, 0, until, now);
                    let refused = refused(&counter.rule, until, blocked, now);
                    let mut response = refused.answer_at(parts.uri.path());
                    counted.note(&mut response);
                    return Err(response);
                }
            }
        }
        Ok(counted)
    }

    /// Counts a number that a guest is about to take; refuses it if there were too many from their address.
    pub(crate) async fn count_guest(&self, client: IpAddr) -> Result<(), Problem> {
        let Some(limits) = &self.door.limits else { return Ok(()) };
        let Some(rule) = &limits.guest_numbers else { return Ok(()) };
        match limits.limiter.count(rule, Subject::ip(client)).await {
            Verdict::Allowed { .. } => Ok(()),
            Verdict::Refused { until, blocked } => {
                Err(refused(rule, until, blocked, self.engine.clock().now()))
            }
        }
    }

    async fn subject(&self, by: By, parts: &Parts) -> Subject {
        let account = match by {
            By::Ip => None,
            By::Account => match bearer(&parts.headers) {
                Ok(token) => self.engine.accounts.caller(token).await.ok().map(|caller| caller.user),
                Err(_) => self.door.gateway_user(parts).and_then(Result::ok),
            },
        };
        match account {
            Some(user) => Subject::Account(user),
            None => Subject::ip(self.client(parts)),
        }
    }

    /// The address that a request came from.
    pub(crate) fn client(&self, parts: &Parts) -> IpAddr {
        self.door.client(&parts.headers, &parts.extensions)
    }
}

fn refused(rule: &CountRule, until: Timestamp, blocked: bool, now: Timestamp) -> Problem {
    let seconds = seconds_until(until, now);
    let (kind, what) =
        if blocked { (Kind::Blocked, "and are blocked") } else { (Kind::TooManyRequests, "at this moment") };
    let detail = format!(
        "more than {} requests in {} s (`{}`) {what}; try again in {seconds} s",
        rule.requests,
        rule.window_ms / 1_000,
        rule.name
    );
    Problem::new(kind, detail).with("rule", &*rule.name).retry_after(seconds)
}

/// Whole seconds until a time, at least one.
pub(crate) fn seconds_until(until: Timestamp, now: Timestamp) -> i64 {
    (until.since_ms(now).saturating_add(999) / 1_000).max(1)
}

/// What the answer says about limits.
#[derive(Default)]
pub(super) struct Counted {
    policies: Vec<HeaderValue>,
    states: String,
}

impl Counted {
    fn add(&mut self, counter: &Counter, left: u32, more_at: Timestamp, now: Timestamp) {
        let separator = if self.states.is_empty() { "" } else { ", " };
        let seconds = seconds_until(more_at, now);
        let _ = write!(self.states, "{separator}\"{}\";r={left};t={seconds}", counter.rule.name);
        self.policies.push(counter.policy.0.clone());
    }

    pub(super) fn note(self, response: &mut Response) {
        let headers = response.headers_mut();
        for policy in self.policies {
            headers.append(&RATE_LIMIT_POLICY, policy);
        }
        if let Ok(states) = HeaderValue::try_from(self.states) {
            headers.insert(&RATE_LIMIT, states);
        }
    }
}
