//! Addresses that have secrets in them, as people and logs may see them.

/// The text that stands where a secret was.
pub const HIDDEN: &str = "(hidden)";

/// Parameters of addresses whose values are no secrets. The values of all others are hidden, also of those
/// that nobody has heard of: a parameter misspelt has the same value.
const SHOWN: &[&str] = &[
    "application_name",
    "cache",
    "charset",
    "collation",
    "connect_timeout",
    "database",
    "db",
    "dbname",
    "host",
    "hostaddr",
    "mode",
    "port",
    "protocol",
    "socket",
    "ssl-ca",
    "ssl-cert",
    "ssl-mode",
    "ssl-root-cert",
    "sslca",
    "sslcert",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "time-zone",
    "timezone",
    "tls",
    "user",
];

/// An address as people may see it: `speaks://user:secret@host/name?password=secret` without the secrets.
///
/// Where it is not certain what is secret, as when a password has `/`, `?`, `#` or `@` in it that should
/// have been written as `%2F` and so on, everything after the scheme is hidden.
#[must_use]
pub fn without_secrets(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return without_slashes(address) };
    if !is_scheme(scheme) {
        return HIDDEN.to_owned();
    }
    match shown(rest) {
        Some(shown) => format!("{scheme}://{shown}"),
        None => format!("{scheme}://{HIDDEN}"),
    }
}

/// As for `speaks:path`, which names a place on this machine; anything else there may be a login gone astray.
fn without_slashes(address: &str) -> String {
    let (place, query) =
        address.split_once('?').map_or((address, None), |(place, query)| (place, Some(query)));
    match place.split_once(':') {
        _ if address.is_empty() => String::new(),
        Some((scheme, path)) if is_scheme(scheme) && !path.contains(['@', ':', '=', '#']) => {
            let query = query.map(|query| format!("?{}", parameters(query))).unwrap_or_default();
            format!("{place}{query}")
        }
        Some((scheme, _)) if is_scheme(scheme) => format!("{scheme}:{HIDDEN}"),
        _ => HIDDEN.to_owned(),
    }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// The part after `://`, without secrets. `None` if it cannot be told apart.
fn shown(rest: &str) -> Option<String> {
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let (authority, path) = place.find('/').map_or((place, ""), |slash| place.split_at(slash));
    let is_unclear = rest.contains('#')
        || path.contains('@')
        || query.is_some_and(|query| pairs(query).any(|pair| pair.contains('@') && !is_shown(pair)));
    if is_unclear {
        return None;
    }
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (Some(login), hosts),
        None => (None, authority),
    };
    if !hosts.split(',').all(is_host) {
        return None;
    }
    let login = login.map(|login| match login.split_once(':') {
        Some((user, _)) => format!("{user}:{HIDDEN}@"),
        None => format!("{login}@"),
    });
    let query = query.map(|query| format!("?{}", parameters(query)));
    Some(format!("{}{hosts}{path}{}", login.unwrap_or_default(), query.unwrap_or_default()))
}

/// Whether this is a host, with or without a port, as it has no secret in it.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rfind(':') {
        Some(colon) if !text.ends_with(']') => (&text[..colon], &text[colon + 1..]),
        _ => (text, ""),
    };
    let is_address = host.starts_with('[') && host.ends_with(']');
    port.chars().all(|c| c.is_ascii_digit()) && (is_address || !host.contains([':', '[', ']']))
}

fn pairs(query: &str) -> impl Iterator<Item = &str> {
    query.split(['&', ';'])
}

fn is_shown(pair: &str) -> bool {
    pair.split_once('=').is_some_and(|(key, _)| SHOWN.contains(&key.to_ascii_lowercase().as_str()))
}

fn parameters(query: &str) -> String {
    let shown = pairs(query).map(|pair| match pair.split_once('=') {
        _ if pair.is_empty() || is_shown(pair) => pair.to_owned(),
        Some((key, _)) if is_key(key) => format!("{key}={HIDDEN}"),
        _ => HIDDEN.to_owned(),
    });
    shown.collect::<Vec<_>>().join("&")
}

fn is_key(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_wherever_they_stand() {
        for (address, shown) in [
            ("speaks://ann:hunter2@db:5432/onsale", "speaks://ann:(hidden)@db:5432/onsale"),
            (
                "speaks://ann:hu%40nter2@db/onsale?sslmode=require",
                "speaks://ann:(hidden)@db/onsale?sslmode=require",
            ),
            ("speaks://db/onsale?user=ann&password=hunter2", "speaks://db/onsale?user=ann&password=(hidden)"),
            ("speaks://db/x?PASSWORD=hunter2&host=a@b", "speaks://db/x?PASSWORD=(hidden)&host=a@b"),
            ("speaks://db/x?passwrod=hunter2", "speaks://db/x?passwrod=(hidden)"),
            ("speaks://db/x?p%61ssword=hunter2&hunter2", "speaks://db/x?(hidden)&(hidden)"),
            (
                "speaks://db/x?sslkey=hunter2;sslpassword=hunter2",
                "speaks://db/x?sslkey=(hidden)&sslpassword=(hidden)",
            ),
            ("speaks:///shop?host=/run/db", "speaks:///shop?host=/run/db"),
            ("speaks://ann:hunter2@[2001:db8::1]:3306/x", "speaks://ann:(hidden)@[2001:db8::1]:3306/x"),
            ("redis://:hunter2@redis:6379/1", "redis://:(hidden)@redis:6379/1"),
            (
                "redis://ann:hunter2@redis-1:6379,redis-2:6379",
                "redis://ann:(hidden)@redis-1:6379,redis-2:6379",
            ),
            ("redis://a:1,redis://ann:hunter2@b:1", "redis://(hidden)"),
            (
                "smtps://kim@shop.example:hunter2@mail.example?tls=required",
                "smtps://kim@shop.example:(hidden)@mail.example?tls=required",
            ),
            ("s3://KEY:hunter2@bucket/prefix", "s3://KEY:(hidden)@bucket/prefix"),
            ("speaks:a/b.db", "speaks:a/b.db"),
            ("speaks:a/b.db?key=hunter2", "speaks:a/b.db?key=(hidden)"),
            ("local:", "local:"),
            ("", ""),
        ] {
            assert_eq!(without_secrets(address), shown, "{address}");
        }
    }

    #[test]
    fn what_cannot_be_told_apart_is_hidden_whole() {
        for address in [
            "speaks://ann:hunter2/x@db/onsale",
            "speaks://ann:1/hunter2@db/onsale",
            "speaks://ann:1?hunter2@db/onsale",
            "speaks://ann:1?x=hunter2@db/onsale",
            "speaks://ann:hunter2#x@db/onsale",
            "speaks://ann:hunter2",
            "speaks://db/onsale?password=x@hunter2",
            "speaks:ann:hunter2@db/onsale",
            "host=db user=ann password=hunter2",
            "host=db password=://hunter2",
            "hunter2",
        ] {
            let shown = without_secrets(address);
            assert!(!shown.contains("hunter2") && shown.contains(HIDDEN), "{address}: {shown}");
        }
    }
}
