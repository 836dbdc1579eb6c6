//! The few things done to the URL of a database.

use std::net::{SocketAddr, ToSocketAddrs};

/// A URL in the form `scheme://[user[:password]@]host[:port][/database][?options]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DatabaseUrl<'a> {
    scheme: &'a str,
    /// With the `@`, or empty.
    user_info: &'a str,
    address: &'a str,
    database: &'a str,
    /// With the `?`, or empty.
    options: &'a str,
}

impl<'a> DatabaseUrl<'a> {
    /// # Panics
    /// When `url` has no scheme.
    pub(crate) fn parse(url: &'a str) -> Self {
        let (scheme, rest) =
            url.split_once("://").unwrap_or_else(|| panic!("`{url}` is not the URL of a database"));
        let (rest, options) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user_info, address) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Self { scheme, user_info, address, database, options }
    }

    pub(crate) fn user(&self) -> Option<&'a str> {
        let user = self.user_info.split([':', '@']).next();
        user.filter(|user| !user.is_empty())
    }

    pub(crate) fn password(&self) -> Option<&'a str> {
        self.user_info.strip_suffix('@')?.split_once(':').map(|(_, password)| password)
    }

    pub(crate) fn host(&self) -> &'a str {
        self.address.rsplit_once(':').map_or(self.address, |(host, _)| host)
    }

    pub(crate) fn port(&self) -> Option<&'a str> {
        self.address.rsplit_once(':').map(|(_, port)| port)
    }

    pub(crate) fn database(&self) -> &'a str {
        self.database
    }

    /// Where the server listens.
    ///
    /// # Panics
    /// When the host's name is unknown.
    pub(crate) fn address(&self) -> SocketAddr {
        let default = if self.scheme.starts_with("postgres") { 5432 } else { 3306 };
        let port = self.port().map_or(default, |port| port.parse().expect("a port is a number"));
        let mut addresses = (self.host(), port).to_socket_addrs().into_iter().flatten();
        addresses.next().unwrap_or_else(|| panic!("the host `{}` is unknown", self.host()))
    }

    /// The same database, reached by another way.
    pub(crate) fn with_address(&self, address: SocketAddr) -> String {
        let Self { scheme, user_info, database, options, .. } = self;
        format!("{scheme}://{user_info}{address}/{database}{options}")
    }

    /// The same server, another database.
    pub(crate) fn with_database(&self, database: &str) -> String {
        let Self { scheme, user_info, address, options, .. } = self;
        format!("{scheme}://{user_info}{address}/{database}{options}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_url_has_all_its_parts() {
        let url = DatabaseUrl::parse("mysql://ann:p:w@db.example:3307/shop?charset=utf8");
        assert_eq!(url.user(), Some("ann"));
        assert_eq!(url.password(), Some("p:w"));
        assert_eq!(url.host(), "db.example");
        assert_eq!(url.port(), Some("3307"));
        assert_eq!(url.database(), "shop");
        assert_eq!(
            url.with_address(([127, 0, 0, 1], 9).into()),
            "mysql://ann:p:w@127.0.0.1:9/shop?charset=utf8"
        );
        assert_eq!(url.with_database("other"), "mysql://ann:p:w@db.example:3307/other?charset=utf8");
    }

    #[test]
    fn a_short_url_has_few_parts() {
        let url = DatabaseUrl::parse("postgres://localhost");
        assert_eq!(url.address().port(), 5432);
        assert_eq!((url.user(), url.password(), url.port()), (None, None, None));
        assert_eq!((url.host(), url.database()), ("localhost", ""));
        assert_eq!(url.with_database("other"), "postgres://localhost/other");
    }
}
