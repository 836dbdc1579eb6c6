//! Whoever holds something without having paid, as organisers see it.

use onsale_domain::{
    ids::OrderId,
    offer::Offer,
    unpaid::{Holder, Holding},
};
use onsale_engine::sales::UnpaidOf;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{Api, problem::Problem};

/// Seats or units that somebody holds unpaid.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UnpaidHolding)]
pub(super) struct HoldingBody {
    /// An account, an IPv4 address or an IPv6 network.
    #[schema(example = "192.0.2.7")]
    holder: String,
    /// How many holds.
    #[schema(minimum = 0, example = 8)]
    holds: u32,
    /// How many seats or units in them.
    #[schema(minimum = 0, example = 40)]
    count: u32,
    /// Unpaid ends that still count: of an address seats or units, of an account holds.
    #[schema(minimum = 0, example = 2.5)]
    ended_unpaid: f64,
}

impl From<&Holding> for HoldingBody {
    fn from(holding: &Holding) -> Self {
        Self {
            holder: holding.holder.to_string(),
            holds: holding.holds,
            count: holding.units,
            ended_unpaid: holding.ended as f64 / 1_000.0,
        }
    }
}

/// Unpaid holds, by holder.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Unpaid)]
pub(super) struct UnpaidBody {
    /// By account, the most first, at most 1,000.
    accounts: Vec<HoldingBody>,
    /// By address, the most first, at most 1,000. Accounts that have paid before do not count there.
    addresses: Vec<HoldingBody>,
}

const LISTED_MAX: usize = 1_000;

impl Api {
    /// The unpaid holds of an offer.
    pub(super) fn unpaid(&self, offer: Offer) -> UnpaidBody {
        let holdings = self.engine.sales.unpaid(offer);
        let (accounts, addresses): (Vec<_>, Vec<_>) =
            holdings.iter().partition(|holding| matches!(holding.holder, Holder::Account(_)));
        let bodies =
            |holdings: Vec<&Holding>| holdings.into_iter().take(LISTED_MAX).map(HoldingBody::from).collect();
        UnpaidBody { accounts: bodies(accounts), addresses: bodies(addresses) }
    }

    /// Ends unpaid holds of an offer.
    pub(super) async fn end_unpaid(&self, offer: Offer, of: EndInput) -> Result<EndedBody, Problem> {
        let which = match (of.order_id, of.holder) {
            (Some(order), None) => UnpaidOf::Order(OrderId(order)),
            (None, Some(holder)) => {
                let holder = holder.parse::<Holder>();
                UnpaidOf::Holder(holder.map_err(|error| Problem::field("holder", &error.to_string()))?)
            }
            _ => return Err(Problem::field("holder", "name either `holder` or `orderId`")),
        };
        let ended = self.engine.sales.end_unpaid(offer, which).await;
        let ended = ended.map_err(|error| self.sale_problem(error))?;
        Ok(EndedBody { ended })
    }
}

/// Which holds are to end.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EndInput {
    /// All of this account or address, as listed.
    #[param(example = "192.0.2.7")]
    holder: Option<String>,
    /// This reservation's or order's.
    order_id: Option<Uuid>,
}

/// How many ended.
#[derive(Serialize, ToSchema)]
#[schema(as = UnpaidEnded)]
pub(super) struct EndedBody {
    /// How many holds ended.
    #[schema(minimum = 0, example = 8)]
    ended: usize,
}
