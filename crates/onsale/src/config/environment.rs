//! Variables of the environment: those that are settings, and those that only look like it.

use std::net::IpAddr;

/// Variables with this prefix belong to the tests and are passed over.
const TEST_PREFIX: &str = "ONSALE_TEST_";

/// Variables with this prefix are settings.
pub(super) const PREFIX: &str = "ONSALE_";

/// How much of a name may be wrong for another one to be suggested: one letter in so many.
const LETTERS_PER_SLIP: usize = 4;

/// Whether a variable says nothing to this program, although its name begins as if it did.
pub(super) fn is_of_others(name: &str, value: &str) -> bool {
    !name.starts_with(PREFIX) || name.starts_with(TEST_PREFIX) || is_service_link(name, value)
}

/// Whether Kubernetes says by it where a Service is. Each pod gets such variables for every Service of its
/// namespace, and one that is called `onsale`, or `onsale-redis`, makes them begin as ours do:
/// `ONSALE_SERVICE_HOST`, `ONSALE_SERVICE_PORT`, `ONSALE_SERVICE_PORT_HTTP`, `ONSALE_PORT`,
/// `ONSALE_PORT_80_TCP` and that with `_PROTO`, `_PORT` and `_ADDR`. Values are looked at, too:
/// `ONSALE_SERVER_PORT=8080` is somebody's mistake.
fn is_service_link(name: &str, value: &str) -> bool {
    let is_address = || value.parse::<IpAddr>().is_ok();
    let is_port = || value.parse::<u16>().is_ok();
    let is_url = || {
        let url = value.split_once("://");
        url.is_some_and(|(scheme, _)| matches!(scheme, "tcp" | "udp" | "sctp"))
    };
    let is_service = name.ends_with("_SERVICE_HOST") && is_address()
        || (name.ends_with("_SERVICE_PORT") || name.contains("_SERVICE_PORT_")) && is_port()
        || name.ends_with("_PORT") && is_url();
    // What follows `NAME_PORT_`: a number, a protocol, and perhaps what is said of them.
    let is_port_of_one = || {
        name.match_indices("_PORT_").any(|(at, separator)| {
            let mut parts = name[at + separator.len()..].split('_');
            let number = parts.next().is_some_and(|number| number.parse::<u16>().is_ok());
            let protocol = parts.next().is_some_and(|protocol| matches!(protocol, "TCP" | "UDP" | "SCTP"));
            let said = match parts.next() {
                None => is_url(),
                Some("PROTO") => matches!(value, "tcp" | "udp" | "sctp"),
                Some("PORT") => is_port(),
                Some("ADDR") => is_address(),
                Some(_) => false,
            };
            number && protocol && said && parts.next().is_none()
        })
    };
    is_service || is_port_of_one()
}

/// The name among `known` that somebody probably meant.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (slips, nearest) = known.map(|known| (slips(name, known), known)).min()?;
    let own = name.trim_start_matches(PREFIX).len();
    (slips <= (own / LETTERS_PER_SLIP).max(1)).then_some(nearest)
}

/// How many letters have to be added, left out, changed or swapped to make one text the other.
fn slips(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before_last = vec![0; to.len() + 1];
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for row in 1..=from.len() {
        let mut next = vec![row; to.len() + 1];
        for column in 1..=to.len() {
            let differs = usize::from(from[row - 1] != to[column - 1]);
            let changed = last[column - 1] + differs;
            next[column] = changed.min(last[column] + 1).min(next[column - 1] + 1);
            let is_swap =
                row > 1 && column > 1 && from[row - 1] == to[column - 2] && from[row - 2] == to[column - 1];
            if is_swap {
                next[column] = next[column].min(before_last[column - 2] + 1);
            }
        }
        before_last = last;
        last = next;
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a pod has them for Services `onsale`, `onsale-service` and `onsale-server-db`.
    const LINKS: &[(&str, &str)] = &[
        ("ONSALE_SERVICE_HOST", "10.96.0.7"),
        ("ONSALE_SERVICE_PORT", "80"),
        ("ONSALE_SERVICE_PORT_HTTP", "80"),
        ("ONSALE_SERVICE_PORT_METRICS_V2", "9090"),
        ("ONSALE_PORT", "tcp://10.96.0.7:80"),
        ("ONSALE_PORT_80_TCP", "tcp://10.96.0.7:80"),
        ("ONSALE_PORT_80_TCP_PROTO", "tcp"),
        ("ONSALE_PORT_80_TCP_PORT", "80"),
        ("ONSALE_PORT_80_TCP_ADDR", "10.96.0.7"),
        ("ONSALE_PORT_53_UDP", "udp://[fd00::7]:53"),
        ("ONSALE_PORT_53_UDP_ADDR", "fd00::7"),
        ("ONSALE_SERVICE_SERVICE_HOST", "10.96.0.8"),
        ("ONSALE_SERVICE_PORT", "tcp://10.96.0.8:80"),
        ("ONSALE_SERVICE_PORT_80_TCP", "tcp://10.96.0.8:80"),
        ("ONSALE_SERVER_DB_SERVICE_HOST", "fd00::9"),
        ("ONSALE_SERVER_DB_SERVICE_PORT", "5432"),
        ("ONSALE_SERVER_DB_PORT", "tcp://10.96.0.9:5432"),
        ("ONSALE_SERVER_DB_PORT_5432_TCP_PROTO", "tcp"),
    ];

    #[test]
    fn where_services_are_is_passed_over() {
        for (name, value) in LINKS {
            assert!(is_of_others(name, value), "{name}");
        }
        assert!(is_of_others("PATH", "x") && is_of_others("ONSALE_TEST_DATA", "x"));
    }

    #[test]
    fn mistakes_are_not_taken_for_services() {
        for (name, value) in [
            ("ONSALE_PORT", "8080"),
            ("ONSALE_SERVER_PORT", "8080"),
            ("ONSALE_SERVICE_HOST", "shop"),
            ("ONSALE_SERVICE_PORT", "http"),
            ("ONSALE_WEBHOOKS_PORT", "443"),
            ("ONSALE_SERVER_LISTEN_PORT", "80"),
            ("ONSALE_PORT_HTTP_TCP", "tcp://10.96.0.7:80"),
            ("ONSALE_PORT_80_TCP_NAME", "http"),
            ("ONSALE_DATABSE_URL", "tcp://10.96.0.7:80"),
        ] {
            assert!(!is_of_others(name, value), "{name}={value}");
        }
    }

    #[test]
    fn the_nearest_is_suggested_if_it_is_near() {
        let known =
            ["ONSALE_DATABASE_URL", "ONSALE_DATABASE_LANES", "ONSALE_SALES_GUARD", "ONSALE_LOG_FORMAT"];
        for (name, meant) in [
            ("ONSALE_DATABSE_URL", Some("ONSALE_DATABASE_URL")),
            ("ONSALE_DATABASE_RUL", Some("ONSALE_DATABASE_URL")),
            ("ONSALE_DATABASEURL", Some("ONSALE_DATABASE_URL")),
            ("ONSALE_SALE_GUARD", Some("ONSALE_SALES_GUARD")),
            ("ONSALE_LOGFORMAT", Some("ONSALE_LOG_FORMAT")),
            ("ONSALE_KAFKA", None),
            ("ONSALE_", None),
        ] {
            assert_eq!(nearest(name, known.into_iter()), meant, "{name}");
        }
    }
}
