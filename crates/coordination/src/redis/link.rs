//! Connections to Redis: made when first needed, made again when lost, and never waited for long.

use std::{sync::Arc, time::Duration};

use onsale_engine::ports::StoreError;
use parking_lot::Mutex;
use redis::{
    Client, Cmd, FromRedisValue, Pipeline, RedisError, RedisFuture, RedisResult, ScriptInvocation, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
};
use tokio::runtime::Handle;

use super::breaker::Breaker;

/// How long an ordinary command may take.
const COMMAND_MAX: Duration = Duration::from_millis(1_000);

/// How long connecting may take.
const CONNECT_MAX: Duration = Duration::from_millis(500);

/// Redis does not answer, or not as it should.
#[derive(Clone, Debug, thiserror::Error)]
#[error("Redis does not answer: {0}")]
pub(crate) struct Away(String);

impl Away {
    /// It did not answer a moment ago, so it is not asked.
    pub(crate) fn resting() -> Self {
        Self("it did not a moment ago".to_owned())
    }

    /// Its answer to something makes no sense.
    pub(crate) fn odd(to: &str) -> Self {
        Self(format!("its answer to {to} is not understood"))
    }
}

impl From<RedisError> for Away {
    fn from(error: RedisError) -> Self {
        Self(error.to_string())
    }
}

impl From<Away> for StoreError {
    fn from(error: Away) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// A way to Redis. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub(crate) struct Link {
    kind: Kind,
    any_node: Client,
    breaker: Breaker,
    /// Where it is tried whether Redis answers again.
    runtime: Option<Handle>,
}

#[derive(Clone)]
enum Kind {
    Single(ConnectionManager),
    Cluster(Box<ClusterClient>, Arc<Mutex<Option<ClusterConnection>>>),
}

/// A connection of either kind.
enum Connection {
    Single(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Link {
    /// A way to what a URL names: `redis://[user:password@]host[:port][/database]`, or a Cluster by
    /// some of its nodes, `redis://host:port,host:port`. Connects when it is first used. A command
    /// that waits by itself may do so for `blocking`. Whoever uses the same Redis shares a `breaker`.
    ///
    /// # Errors
    /// If the URL is not understood; the text does not repeat it, as it may hold a password.
    pub(crate) fn open(url: &str, blocking: Duration, breaker: &Breaker) -> Result<Self, String> {
        let rest = url.strip_prefix("redis://").ok_or("must begin with redis://")?;
        let (login, hosts) =
            rest.rsplit_once('@').map_or((None, rest), |(login, hosts)| (Some(login), hosts));
        let urls = hosts.split(',').map(|host| match login {
            Some(login) => format!("redis://{login}@{host}"),
            None => format!("redis://{host}"),
        });
        let urls: Vec<_> = urls.collect();
        let response_max = COMMAND_MAX + blocking;
        let understood = |error: RedisError| format!("is not understood: {}", error.category());
        let any_node = Client::open(urls[0].as_str()).map_err(understood)?;
        let kind = match urls.as_slice() {
            [url] => {
                let config = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(CONNECT_MAX))
                    .set_response_timeout(Some(response_max))
                    .set_number_of_retries(1);
                let client = Client::open(url.as_str()).map_err(understood)?;
                Kind::Single(ConnectionManager::new_lazy_with_config(client, config).map_err(understood)?)
            }
            nodes => {
                let client = ClusterClient::builder(nodes.iter().map(String::as_str))
                    .connection_timeout(CONNECT_MAX)
                    .response_timeout(response_max)
                    .retries(2)
                    .build()
                    .map_err(understood)?;
                Kind::Cluster(Box::new(client), Arc::default())
            }
        };
        Ok(Self { kind, any_node, breaker: breaker.clone(), runtime: Handle::try_current().ok() })
    }

    /// The server, or one node of the Cluster: enough to hear what is published.
    pub(crate) fn any_node(&self) -> Client {
        self.any_node.clone()
    }

    /// Runs a script.
    pub(crate) async fn script<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, Away> {
        self.within(COMMAND_MAX, async |connection| call.invoke_async(connection).await).await
    }

    /// Runs a command.
    pub(crate) async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Away> {
        self.command_within(COMMAND_MAX, command).await
    }

    /// Runs a command that may take so long.
    pub(crate) async fn command_within<T: FromRedisValue>(
        &self,
        most: Duration,
        command: &Cmd,
    ) -> Result<T, Away> {
        self.within(most, async |connection| command.query_async(connection).await).await
    }

    async fn within<T>(
        &self,
        most: Duration,
        ask: impl AsyncFnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, Away> {
        if self.breaker.is_open() {
            return Err(Away::resting());
        }
        tokio::select! {
            biased;
            answered = self.ask(most, ask) => answered,
            () = self.breaker.opens() => Err(Away::resting()),
        }
    }

    /// Asks, whatever the breaker says. It opens if there is no answer in time.
    async fn ask<T>(
        &self,
        most: Duration,
        ask: impl AsyncFnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, Away> {
        let answered = tokio::time::timeout(most, async {
            let mut connection = self.connection().await?;
            ask(&mut connection).await
        });
        match answered.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                self.forget_if_lost(&error);
                if error.is_timeout() {
                    self.trip();
                }
                Err(error.into())
            }
            Err(_) => {
                self.trip();
                Err(Away(format!("no answer within {} ms", most.as_millis())))
            }
        }
    }

    fn trip(&self) {
        let Some(runtime) = self.runtime.clone().or_else(|| Handle::try_current().ok()) else { return };
        let link = self.clone();
        self.breaker.trip(&runtime, move || {
            let link = link.clone();
            async move { link.answers().await }
        });
    }

    /// Whether Redis answers: a Cluster where a key may be that is as good as any.
    async fn answers(&self) -> bool {
        let mut exists = redis::cmd("EXISTS");
        exists.arg(rand::random::<u64>());
        let asked = tokio::time::timeout(COMMAND_MAX, async {
            let mut connection = self.connection().await?;
            exists.query_async::<i64>(&mut connection).await
        });
        match asked.await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => {
                self.forget_if_lost(&error);
                // One that refuses is no longer silent: whoever asks is told so at once.
                !error.is_timeout()
            }
            Err(_) => false,
        }
    }

    async fn connection(&self) -> RedisResult<Connection> {
        match &self.kind {
            Kind::Single(manager) => Ok(Connection::Single(manager.clone())),
            Kind::Cluster(client, known) => {
                if let Some(connection) = known.lock().clone() {
                    return Ok(Connection::Cluster(connection));
                }
                let connection = client.get_async_connection().await?;
                *known.lock() = Some(connection.clone());
                Ok(Connection::Cluster(connection))
            }
        }
    }

    /// A Cluster that was away as a whole is looked for from the beginning.
    fn forget_if_lost(&self, error: &RedisError) {
        if let Kind::Cluster(_, known) = &self.kind
            && (error.is_io_error() || error.is_cluster_error() || error.is_unrecoverable_error())
        {
            *known.lock() = None;
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
