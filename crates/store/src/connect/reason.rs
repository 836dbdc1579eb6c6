//! Why a database server cannot be opened, for people: what is wrong, where, and what to do.

use std::{io::ErrorKind, time::Duration};

use onsale_engine::ports::StoreError;
use sea_orm::{DbErr, sqlx};

use super::Dialect;
use crate::{StoreOptions, connect, error::sqlx_error};

/// How long an attempt may take that is made only to learn why others failed.
const ATTEMPT_MAX: Duration = Duration::from_secs(5);

/// A server as a URL names it, without the password.
pub(super) struct Place {
    pub(super) dialect: Dialect,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) database: Option<String>,
}

/// The reason why a pool could not be opened. A pool tries again and again while a server refuses, and
/// then says only that time is over: so `attempt`, one connection without a pool, is asked what it is.
pub(super) async fn reason<C>(
    failed: DbErr,
    place: &Place,
    options: &StoreOptions,
    attempt: impl Future<Output = Result<C, sqlx::Error>>,
) -> StoreError {
    let told = |error: &sqlx::Error| StoreError::Unavailable(place.explain(error, options));
    match sqlx_error(&failed) {
        Some(sqlx::Error::PoolTimedOut) | None => {}
        Some(error) => return told(error),
    }
    match tokio::time::timeout(ATTEMPT_MAX, attempt).await {
        Err(_) => StoreError::Unavailable(format!(
            "{} does not answer: is it the right address, and does a firewall let this machine through?",
            place.address()
        )),
        Ok(Err(error)) => told(&error),
        Ok(Ok(_)) => connect::cannot_connect(failed),
    }
}

impl Place {
    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn explain(&self, error: &sqlx::Error, options: &StoreOptions) -> String {
        match error {
            sqlx::Error::Io(error) => self.explain_io(error),
            sqlx::Error::Tls(error) => self.explain_tls(error.as_ref()),
            sqlx::Error::Database(error) => self.explain_refusal(error.as_ref(), options),
            other => format!("{}: {other}", self.address()),
        }
    }

    fn explain_io(&self, error: &std::io::Error) -> String {
        let address = self.address();
        match error.kind() {
            ErrorKind::ConnectionRefused => {
                format!("nothing listens on {address}: start the database server, or correct the address")
            }
            ErrorKind::NotFound if self.host.starts_with('/') => {
                format!("there is no socket in {}: start the database server, or correct the path", self.host)
            }
            ErrorKind::NotFound => {
                format!("a file that the URL names for TLS cannot be read: {error}; give its whole path")
            }
            ErrorKind::TimedOut => format!("{address} does not answer: {error}"),
            _ if error.to_string().contains("lookup") => format!(
                "the host `{}` is not known ({error}); if the password has `@`, `/`, `:`, `?` or `#` in it, write \
                 them as %40, %2F, %3A, %3F and %23",
                self.host
            ),
            _ => format!("{address}: {error}"),
        }
    }

    fn explain_tls(&self, error: &(dyn std::error::Error + 'static)) -> String {
        let mut innermost = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        format!(
            "{} has no certificate that this URL trusts: {innermost}; name its authority's file ({}), and the \
             host as the certificate does",
            self.address(),
            self.names(("sslrootcert", "ssl-ca"))
        )
    }

    /// A refusal by the server itself.
    fn explain_refusal(&self, error: &dyn sqlx::error::DatabaseError, options: &StoreOptions) -> String {
        let (address, user, said) = (self.address(), &self.user, error.message());
        let database = self.database.as_deref().unwrap_or("(none)");
        match kind(error) {
            Refusal::Password => {
                format!("{address} does not let `{user}` in: {said}; check user and password")
            }
            Refusal::NoDatabase => format!(
                "{address} has no database `{database}`: {said}; make it empty, and Onsale makes its tables"
            ),
            Refusal::TooMany => format!(
                "{address} has no connection left: {said}; a node takes up to {} and each command as many, so \
                 raise {}, or lower database.lanes and database.readers",
                connect::connections_max(options),
                self.names((
                    "max_connections, or the role's limit",
                    "max_connections, or the account's limit"
                ))
            ),
            Refusal::Starting => format!("{address} is starting or stopping: {said}; try again in a moment"),
            Refusal::Forbidden => format!("{address} does not allow `{user}` on `{database}`: {said}"),
            Refusal::Other => format!("{address}: {said}"),
        }
    }

    /// The name of something on this server's kind.
    fn names(&self, (postgres, mysql): (&'static str, &'static str)) -> &'static str {
        if self.dialect == Dialect::Postgres { postgres } else { mysql }
    }
}

/// Why a server refuses a connection.
enum Refusal {
    Password,
    NoDatabase,
    TooMany,
    Starting,
    Forbidden,
    Other,
}

fn kind(error: &dyn sqlx::error::DatabaseError) -> Refusal {
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return match error.number() {
            1045 | 1698 => Refusal::Password,
            1049 => Refusal::NoDatabase,
            1040 | 1203 | 1226 => Refusal::TooMany,
            1053 => Refusal::Starting,
            1044 | 1142 | 1227 => Refusal::Forbidden,
            _ => Refusal::Other,
        };
    }
    match error.code().as_deref() {
        Some("28P01" | "28000") => Refusal::Password,
        Some("3D000") => Refusal::NoDatabase,
        Some("53300") => Refusal::TooMany,
        Some("57P01" | "57P02" | "57P03") => Refusal::Starting,
        Some("42501") => Refusal::Forbidden,
        _ => Refusal::Other,
    }
}
