//! Calls, and what came of them.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Client, Method};
use serde_json::Value;

/// How long an answer may take before the call is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Calls a fleet, or one of its nodes.
#[derive(Clone)]
pub(crate) struct Caller {
    client: Client,
    base: String,
}

/// What a call may carry beside its body.
#[derive(Clone, Copy, Default)]
pub(crate) struct With<'a> {
    /// The access token.
    pub(crate) login: Option<&'a str>,
    /// The `Idempotency-Key`.
    pub(crate) key: Option<&'a str>,
    /// The `Queue-Token`.
    pub(crate) pass: Option<&'a str>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// The token that the waiting room gives in place of the one shown.
    pub(crate) pass: Option<String>,
    /// When to come back.
    pub(crate) retry_after: Option<Duration>,
}

impl Caller {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let client = Client::builder().timeout(PATIENCE).build().expect("a client");
        Self { client, base: format!("http://{address}") }
    }

    /// None if the connection broke before the whole answer came.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        with: With<'_>,
        body: Option<&Value>,
    ) -> Option<Answer> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(login) = with.login {
            request = request.bearer_auth(login);
        }
        for (name, value) in [("Idempotency-Key", with.key), ("Queue-Token", with.pass)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let pass = header("queue-token").map(str::to_owned);
        let retry_after = header("retry-after").and_then(|seconds| seconds.parse().ok());
        let retry_after = retry_after.map(Duration::from_secs);
        let text = answer.text().await.ok()?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Some(Answer { status, body, pass, retry_after })
    }

    pub(crate) async fn get(&self, path: &str, with: With<'_>) -> Option<Answer> {
        self.call(Method::GET, path, with, None).await
    }

    pub(crate) async fn post(&self, path: &str, with: With<'_>, body: &Value) -> Option<Answer> {
        self.call(Method::POST, path, with, Some(body)).await
    }
}
