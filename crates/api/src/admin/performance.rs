//! A performance, as it is asked for and answered.

use onsale_domain::{
    catalogue::{Performance, PerformanceDetails, PriceLevel},
    ids::{HallId, ShowId},
    sale::SaleRules,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{json::Editable, problem::Problem, time::Rfc3339};

/// The most price levels one performance may have.
const PRICES_MAX: usize = 1_000;

/// A performance to add or to put in the place of another.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PerformanceInput {
    /// What is shown.
    #[schema(minimum = 1, example = 1)]
    show_id: i64,
    /// In which hall.
    #[schema(minimum = 1, example = 1)]
    hall_id: i64,
    /// When it starts. Sales close then.
    starts_at: Rfc3339,
    /// When it ends.
    ends_at: Rfc3339,
    /// When sales open.
    on_sale_at: Rfc3339,
    /// The rules of the sale; five minutes, five seats, anywhere, if left out.
    rules: Option<RulesBody>,
    /// What seats cost, by category. Seats of other categories are not for sale.
    #[schema(max_items = 1_000)]
    prices: Vec<PriceBody>,
    /// Whether it is called off. Not, if left out.
    cancelled: Option<bool>,
}

impl Editable for PerformanceInput {
    const ID: &'static str = "id";
    const READ_ONLY: &'static [&'static str] = &[];
}

/// The rules of a sale.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SaleRules)]
pub(crate) struct RulesBody {
    /// How long a hold lasts, in seconds.
    #[schema(minimum = 1, maximum = 86_400, example = 300)]
    hold_seconds: i64,
    /// The most seats one buyer may have at the performance, held and paid together.
    #[schema(minimum = 1, maximum = 100, example = 5)]
    seats_per_buyer_max: u32,
    /// Whether the seats of one reservation must be side by side in one row.
    side_by_side: bool,
}

impl From<SaleRules> for RulesBody {
    fn from(rules: SaleRules) -> Self {
        Self {
            hold_seconds: rules.hold_ms / 1_000,
            seats_per_buyer_max: rules.seats_per_buyer_max,
            side_by_side: rules.side_by_side,
        }
    }
}

impl From<RulesBody> for SaleRules {
    fn from(rules: RulesBody) -> Self {
        Self {
            // Beyond all bounds stays beyond all bounds, which the engine refuses.
            hold_ms: rules.hold_seconds.saturating_mul(1_000),
            seats_per_buyer_max: rules.seats_per_buyer_max,
            side_by_side: rules.side_by_side,
        }
    }
}

/// What the seats of a category cost.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceLevel)]
pub(crate) struct PriceBody {
    /// The name of one of the hall's categories.
    #[schema(example = "Standard")]
    category: String,
    /// The class printed on the ticket.
    #[schema(min_length = 1, max_length = 50, example = "S")]
    grade: String,
    /// The price in minor units of the currency.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 154_000)]
    price: i64,
}

impl PriceBody {
    /// A price level of a hall with these categories.
    pub(crate) fn new(level: &PriceLevel, categories: &[String]) -> Self {
        let category = categories.get(usize::from(level.category)).cloned().unwrap_or_default();
        Self { category, grade: level.grade.clone(), price: level.price }
    }
}

/// Price levels of a hall with these categories.
pub(super) fn levels(prices: Vec<PriceBody>, categories: &[String]) -> Result<Vec<PriceLevel>, Problem> {
    if prices.len() > PRICES_MAX {
        return Err(Problem::field("prices", &format!("at most {PRICES_MAX}")));
    }
    let level = |price: PriceBody| {
        let index = categories.iter().position(|name| *name == price.category);
        let category = index.and_then(|index| u16::try_from(index).ok()).ok_or_else(|| {
            Problem::field("prices", &format!("the hall has no category `{}`", price.category))
        })?;
        Ok(PriceLevel { category, grade: price.grade, price: price.price })
    };
    prices.into_iter().map(level).collect()
}

impl PerformanceInput {
    pub(super) const fn show(&self) -> ShowId {
        ShowId(self.show_id)
    }

    pub(super) const fn hall(&self) -> HallId {
        HallId(self.hall_id)
    }

    pub(super) fn cancelled(&self) -> bool {
        self.cancelled.unwrap_or(false)
    }

    /// What is asked for, in a hall with these categories.
    pub(super) fn details(self, categories: &[String]) -> Result<PerformanceDetails, Problem> {
        Ok(PerformanceDetails {
            show: ShowId(self.show_id),
            hall: HallId(self.hall_id),
            starts_at: self.starts_at.0,
            ends_at: self.ends_at.0,
            on_sale_at: self.on_sale_at.0,
            rules: self.rules.map_or_else(SaleRules::default, SaleRules::from),
            prices: levels(self.prices, categories)?,
        })
    }
}

/// A performance.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Performance)]
pub(super) struct PerformanceBody {
    /// The performance's id.
    #[schema(minimum = 1, example = 1)]
    id: i64,
    /// What is shown.
    #[schema(minimum = 1, example = 1)]
    show_id: i64,
    /// In which hall.
    #[schema(minimum = 1, example = 1)]
    hall_id: i64,
    /// When it starts. Sales close then.
    starts_at: Rfc3339,
    /// When it ends.
    ends_at: Rfc3339,
    /// When sales open.
    on_sale_at: Rfc3339,
    /// The rules of the sale.
    rules: RulesBody,
    /// What seats cost, by category.
    prices: Vec<PriceBody>,
    /// Whether it is called off.
    cancelled: bool,
}

impl PerformanceBody {
    /// A performance in a hall with these categories.
    pub(super) fn new(performance: &Performance, categories: &[String]) -> Self {
        let details = &performance.details;
        Self {
            id: performance.id.0,
            show_id: details.show.0,
            hall_id: details.hall.0,
            starts_at: Rfc3339(details.starts_at),
            ends_at: Rfc3339(details.ends_at),
            on_sale_at: Rfc3339(details.on_sale_at),
            rules: details.rules.into(),
            prices: details.prices.iter().map(|level| PriceBody::new(level, categories)).collect(),
            cancelled: performance.cancelled,
        }
    }
}
