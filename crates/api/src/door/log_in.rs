//! Tries to log in.

use std::net::IpAddr;

use onsale_domain::limits::{Subject, Verdict};
use onsale_engine::accounts::AccountError;
use sha2::{Digest, Sha256};

use super::limits::seconds_until;
use crate::{
    Api,
    problem::{Kind, Problem},
};

impl Api {
    /// Tries to log in, if there were not too many tries before.
    ///
    /// A try is counted before its password is checked, so many at once are no way around.
    pub(crate) async fn throttled<T>(
        &self,
        name: &str,
        client: IpAddr,
        log_in: impl Future<Output = Result<T, AccountError>>,
    ) -> Result<T, Problem> {
        let Some((limits, rules)) =
            self.door.limits.as_ref().and_then(|limits| Some((limits, limits.log_ins.as_ref()?)))
        else {
            return Ok(log_in.await?);
        };
        let (account, address) = (Subject::log_in(digest(name), client), Subject::ip(client));
        if let Verdict::Refused { until, .. } = limits.limiter.count(&rules.account, account).await {
            return Err(self.too_many(until, "for this account from this address"));
        }
        let token = limits.new_token();
        if let Verdict::Refused { until, .. } = limits.limiter.take(&rules.address, address, token).await {
            return Err(self.too_many(until, "from this address"));
        }
        let outcome = log_in.await;
        match &outcome {
            Err(AccountError::WrongCredentials) => limits.limiter.spend(&rules.address, address, token).await,
            _ => limits.limiter.give_back(&rules.address, address, token).await,
        }
        if outcome.is_ok() && limits.limiter.forget(&rules.account.name, account).await.is_err() {
            tracing::warn!("earlier tries to log in could not be forgotten");
        }
        Ok(outcome?)
    }

    fn too_many(&self, until: onsale_domain::time::Timestamp, what: &str) -> Problem {
        let seconds = seconds_until(until, self.engine.clock().now());
        let detail = format!("too many tries to log in {what}; try again in {seconds} s");
        Problem::new(Kind::TooManyRequests, detail).retry_after(seconds)
    }
}

/// The same for all ways to write an address.
fn digest(name: &str) -> u64 {
    let digest = Sha256::digest(name.trim().to_lowercase());
    u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}
