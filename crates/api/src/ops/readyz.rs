//! `GET /readyz`

use std::{sync::atomic::Ordering, time::Duration};

use axum::{Json, extract::State};
use onsale_engine::{
    NotReady,
    ports::{ReplicaCondition, ReplicaHealth, StoreError},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Shared,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::Unavailable];

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// That requests can be served, and with what.
#[derive(Serialize, ToSchema)]
pub(super) struct Readiness {
    /// Always `ok`: without the database, nothing can be served.
    #[schema(example = "ok")]
    database: &'static str,
    /// The database's replicas. A node is ready without them.
    replicas: Vec<Replica>,
}

/// A replica of the database.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Replica {
    /// Its host and port.
    #[schema(example = "db-2.example.com:5432")]
    name: String,
    /// Whether it takes reads.
    usable: bool,
    /// Why it does not.
    #[schema(example = "it is too far behind")]
    reason: Option<&'static str>,
    /// How far it is behind at most, in milliseconds; null until that is known.
    #[schema(minimum = 0, example = 120)]
    lag_ms: Option<u64>,
}

impl Replica {
    fn new(health: ReplicaHealth) -> Self {
        let reason = reason(health.condition);
        Self { name: health.name, usable: reason.is_none(), reason, lag_ms: health.lag_ms }
    }
}

/// Why a replica is not used. The log says more.
const fn reason(condition: ReplicaCondition) -> Option<&'static str> {
    match condition {
        ReplicaCondition::Usable => None,
        ReplicaCondition::Unchecked => Some("it has not been checked yet"),
        ReplicaCondition::Failing => Some("it does not answer"),
        ReplicaCondition::Behind => Some("it is too far behind"),
        ReplicaCondition::Returning => Some("it has just caught up"),
        ReplicaCondition::Foreign => Some("it is not a replica of this database"),
    }
}

/// Whether requests should be sent here
///
/// They should not when the node is about to stop, which it says before it does, although it still
/// answers; when the database does not answer or takes no writes; and when a part of the node has
/// failed, which the answer names. One that ended is started again.
#[utoipa::path(get, path = "/readyz", tag = "operation",
    responses((status = 200, description = "They should", body = Readiness)))]
pub(super) async fn readyz(State(api): State<Shared>) -> Result<Json<Readiness>, Problem> {
    if api.draining.load(Ordering::Relaxed) {
        return Err(Problem::new(Kind::Unavailable, "this node is about to stop"));
    }
    match tokio::time::timeout(PATIENCE, api.engine.ready()).await {
        Ok(Ok(())) => {
            let replicas = api.engine.replicas().into_iter().map(Replica::new).collect();
            Ok(Json(Readiness { database: "ok", replicas }))
        }
        Ok(Err(NotReady::Troubles(troubles))) => {
            let troubles = troubles.join("; ");
            tracing::error!(troubles, "not ready");
            Err(Problem::new(Kind::Unavailable, format!("a part of this node has failed: {troubles}")))
        }
        Ok(Err(NotReady::Database(StoreError::Damaged(why)))) => {
            tracing::error!(%why, "not ready: the database is damaged");
            Err(Problem::new(Kind::Unavailable, "the database is damaged"))
        }
        Ok(Err(NotReady::Database(error))) => {
            tracing::warn!(%error, "not ready");
            Err(Problem::new(Kind::Unavailable, "the database cannot be reached"))
        }
        Err(_) => Err(Problem::new(Kind::Unavailable, "the database does not answer in time")),
    }
}
