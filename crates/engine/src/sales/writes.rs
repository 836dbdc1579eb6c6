//! Whether the database takes writes.
//!
//! A batch that could not be written may be at fault itself. So when one fails, something without meaning
//! is written: only if that fails, too, the node is not ready, until it succeeds.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};

use super::Shared;

/// The name of failing writes among the node's conditions.
const CONDITION: &str = "the database";

/// How long a write may take.
const WRITE_MAX: Duration = Duration::from_secs(3);

/// How often it is tried while the database takes none.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The least time between two doubts that are looked into.
const PACE: Duration = Duration::from_millis(250);

/// Looks into doubts, until the task is aborted.
pub(super) async fn watch(shared: Arc<Shared>) {
    loop {
        shared.vitals.writes_are_doubted().await;
        while let Some(why) = refuses(&shared).await {
            shared.vitals.note(CONDITION, Some(why));
            sleep(AGAIN_AFTER).await;
        }
        shared.vitals.note(CONDITION, None);
        sleep(PACE).await;
    }
}

/// Why the database takes no writes, if it takes none. The log says more than everybody may know.
async fn refuses(shared: &Shared) -> Option<String> {
    match timeout(WRITE_MAX, shared.store.try_write()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database takes no writes");
            Some("it takes no writes; the log says why".to_owned())
        }
        Err(_) => Some(format!("it has not taken a write for {} s", WRITE_MAX.as_secs())),
    }
}
