//! An item, as it is answered.

use onsale_domain::item::{Item, ItemDetails, ItemKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::{Rfc3339, local, zone};

/// When an item is on sale.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = ItemType)]
pub(crate) enum TypeBody {
    /// From `startAt` on: first come, first served.
    TimeDeal,
    /// Any time.
    General,
}

impl From<ItemKind> for TypeBody {
    fn from(kind: ItemKind) -> Self {
        match kind {
            ItemKind::TimeDeal { .. } => Self::TimeDeal,
            ItemKind::General => Self::General,
        }
    }
}

/// An item as a list shows it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ItemSummary)]
pub(crate) struct SummaryBody {
    /// The item's number.
    #[schema(minimum = 1, example = 1)]
    item_number: i64,
    /// Its name.
    #[schema(example = "라면")]
    name: String,
    /// The price of one unit, in minor units of the currency.
    #[schema(minimum = 0, example = 1_000)]
    price: i64,
    /// When it is on sale.
    r#type: TypeBody,
    /// When sales open, in the item's time zone. Only of a time deal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "2026-11-21 20:00:00")]
    start_at: Option<String>,
    /// The same moment in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    opens_at: Option<Rfc3339>,
    /// The IANA time zone of `startAt`.
    #[schema(example = "Asia/Seoul")]
    time_zone: String,
    /// Where its picture is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    image_url: Option<String>,
}

impl From<Item> for SummaryBody {
    fn from(item: Item) -> Self {
        Self {
            item_number: item.id.0,
            start_at: start_at(&item.details),
            opens_at: item.details.kind.start_at().map(Rfc3339),
            time_zone: item.details.time_zone,
            name: item.details.name,
            price: item.details.price,
            r#type: item.details.kind.into(),
            image_url: item.details.image_url,
        }
    }
}

/// An item.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Item)]
pub(super) struct ItemBody {
    /// The item's number.
    #[schema(minimum = 1, example = 1)]
    item_number: i64,
    /// Its name.
    #[schema(example = "라면")]
    name: String,
    /// A text about it.
    #[schema(example = "라면입니다.")]
    content: String,
    /// The price of one unit, in minor units of the currency.
    #[schema(minimum = 0, example = 1_000)]
    price: i64,
    /// When it is on sale.
    r#type: TypeBody,
    /// When sales open, in the item's time zone. Only of a time deal.
    #[serde(rename = "start_at", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "2026-11-21 20:00:00")]
    start_at: Option<String>,
    /// The same moment in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    opens_at: Option<Rfc3339>,
    /// The IANA time zone of `start_at`.
    #[schema(example = "Asia/Seoul")]
    time_zone: String,
    /// Where its picture is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    image_url: Option<String>,
    /// The most units a buyer may have.
    #[schema(minimum = 1, example = 10)]
    units_per_buyer_max: u32,
    /// How long an unpaid order keeps its units, in seconds.
    #[schema(minimum = 1, example = 120)]
    hold_seconds: i64,
}

impl From<Item> for ItemBody {
    fn from(Item { id, details }: Item) -> Self {
        Self {
            item_number: id.0,
            start_at: start_at(&details),
            opens_at: details.kind.start_at().map(Rfc3339),
            name: details.name,
            content: details.content,
            price: details.price,
            r#type: details.kind.into(),
            time_zone: details.time_zone,
            image_url: details.image_url,
            units_per_buyer_max: details.rules.units_per_buyer_max,
            hold_seconds: details.rules.hold_ms / 1_000,
        }
    }
}

/// `YYYY-MM-DD hh:mm:ss` in the item's time zone.
fn start_at(details: &ItemDetails) -> Option<String> {
    let start_at = local(details.kind.start_at()?, &zone(&details.time_zone));
    Some(start_at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}
