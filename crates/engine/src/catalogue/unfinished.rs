//! Halls that were never completed: a node crashed while it added one, or its caller hung up.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{clock::Clock, ports::Store};

/// How long nothing has been added to a hall that is given up, in milliseconds: ten minutes. A portion takes
/// milliseconds.
const GIVEN_UP_AFTER_MS: i64 = 10 * 60_000;

/// How often such halls are looked for, in milliseconds.
const LOOK_EVERY_MS: i64 = 10 * 60_000;

/// How long the sale is let through between two portions.
const PAUSE: Duration = Duration::from_millis(50);

/// Removes what is left of them, until the task is aborted.
pub(crate) async fn tidy_halls(store: Arc<dyn Store>, clock: Arc<dyn Clock>) {
    loop {
        let now = clock.now();
        match store.tidy_halls(now.plus_ms(-GIVEN_UP_AFTER_MS)).await {
            Ok(true) => sleep(PAUSE).await,
            Ok(false) => clock.sleep(LOOK_EVERY_MS).await,
            Err(error) => {
                tracing::warn!(%error, "cannot look for halls that were never completed");
                clock.sleep(LOOK_EVERY_MS).await;
            }
        }
    }
}
