//! An item, as organisers ask for it and are answered.

use onsale_domain::item::{Item, ItemDetails, ItemKind, ItemRules, Stock};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{items::TypeBody, json::Editable, problem::Problem, time::Rfc3339};

/// An item to add or to put in the place of another.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ItemInput {
    /// Its name.
    #[schema(min_length = 1, max_length = 500, example = "라면")]
    name: String,
    /// A text about it.
    #[schema(min_length = 1, max_length = 10000, example = "라면입니다.")]
    content: String,
    /// The price of one unit, in minor units of the currency.
    #[schema(minimum = 0, example = 1_000)]
    price: i64,
    /// When it is on sale.
    r#type: TypeBody,
    /// When sales open: of a time deal, and only of one.
    start_at: Option<Rfc3339>,
    /// The IANA time zone in which buyers are told `startAt`; `UTC` if left out.
    #[schema(example = "Asia/Seoul")]
    time_zone: Option<String>,
    /// Where its picture is.
    #[schema(min_length = 1, max_length = 2000)]
    image_url: Option<String>,
    /// The most units a buyer may have, held and paid together; 10 if left out.
    #[schema(minimum = 1, maximum = 1_000)]
    units_per_buyer_max: Option<u32>,
    /// How long an unpaid order keeps its units, in seconds; 120 if left out.
    #[schema(minimum = 1, maximum = 86_400)]
    hold_seconds: Option<i64>,
}

impl Editable for ItemInput {
    const ID: &'static str = "itemNumber";
    const READ_ONLY: &'static [&'static str] = &["stock"];
}

impl ItemInput {
    pub(super) fn details(self) -> Result<ItemDetails, Problem> {
        let kind = match (self.r#type, self.start_at) {
            (TypeBody::TimeDeal, Some(Rfc3339(start_at))) => ItemKind::TimeDeal { start_at },
            (TypeBody::General, None) => ItemKind::General,
            (TypeBody::TimeDeal, None) => return Err(Problem::field("startAt", "a time deal needs one")),
            (TypeBody::General, Some(_)) => {
                return Err(Problem::field("startAt", "only a time deal has one"));
            }
        };
        let rules = ItemRules::default();
        Ok(ItemDetails {
            name: self.name,
            content: self.content,
            price: self.price,
            kind,
            time_zone: self.time_zone.unwrap_or_else(|| "UTC".to_owned()),
            image_url: self.image_url,
            rules: ItemRules {
                hold_ms: self.hold_seconds.map_or(rules.hold_ms, |seconds| seconds.saturating_mul(1_000)),
                units_per_buyer_max: self.units_per_buyer_max.unwrap_or(rules.units_per_buyer_max),
            },
        })
    }
}

/// An item to add, with its units.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewItem {
    /// How many units there are.
    #[schema(minimum = 0, maximum = 1_000_000_000, example = 100)]
    pub(super) stock: i64,
    /// The item.
    pub(super) item: ItemInput,
}

/// How many units an item has.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StockInput {
    /// All units, those in orders included.
    #[schema(minimum = 0, maximum = 1_000_000_000, example = 100)]
    pub(super) total: i64,
}

impl Editable for StockInput {
    const ID: &'static str = "";
    const READ_ONLY: &'static [&'static str] = &["taken", "left"];
}

/// An item's stock.
#[derive(Serialize, ToSchema)]
#[schema(as = Stock)]
pub(super) struct StockBody {
    /// All units, those in orders included.
    #[schema(minimum = 0, example = 100)]
    total: i64,
    /// Units in orders, held or paid.
    #[schema(minimum = 0, example = 40)]
    taken: i64,
    /// Units that nobody has.
    #[schema(minimum = 0, example = 60)]
    left: i64,
}

impl From<Stock> for StockBody {
    fn from(stock: Stock) -> Self {
        Self { total: stock.total, taken: stock.taken(), left: stock.left }
    }
}

/// An item with everything that an organiser has written.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AdminItem {
    /// The item's number.
    #[schema(minimum = 1, example = 1)]
    item_number: i64,
    /// Its name.
    #[schema(example = "라면")]
    name: String,
    /// A text about it.
    content: String,
    /// The price of one unit, in minor units of the currency.
    #[schema(minimum = 0, example = 1_000)]
    price: i64,
    /// When it is on sale.
    r#type: TypeBody,
    /// When sales open, of a time deal.
    start_at: Option<Rfc3339>,
    /// The IANA time zone in which buyers are told `startAt`.
    #[schema(example = "Asia/Seoul")]
    time_zone: String,
    /// Where its picture is.
    image_url: Option<String>,
    /// The most units a buyer may have, held and paid together.
    #[schema(minimum = 1, example = 10)]
    units_per_buyer_max: u32,
    /// How long an unpaid order keeps its units, in seconds.
    #[schema(minimum = 1, example = 120)]
    hold_seconds: i64,
    /// Its stock.
    stock: StockBody,
}

impl AdminItem {
    pub(super) fn new(Item { id, details }: Item, stock: Stock) -> Self {
        Self {
            item_number: id.0,
            name: details.name,
            content: details.content,
            price: details.price,
            r#type: details.kind.into(),
            start_at: details.kind.start_at().map(Rfc3339),
            time_zone: details.time_zone,
            image_url: details.image_url,
            units_per_buyer_max: details.rules.units_per_buyer_max,
            hold_seconds: details.rules.hold_ms / 1_000,
            stock: stock.into(),
        }
    }
}
