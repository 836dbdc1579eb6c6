//! The demo's items: most are always on sale, one is a time deal that opens in a few minutes, behind a
//! waiting room whose lots are drawn at that moment.

use onsale_domain::{
    ids::{ItemId, UserId},
    item::{Item, ItemDetails, ItemKind, ItemRules},
    line::{Mode, RoomSettings, Schedule},
    time::Timestamp,
};
use onsale_engine::{Engine, line::RoomDetails, ports::Admits};

use super::{TIME_ZONE, failed};
use crate::failure::Failure;

/// How long after the first start the time deal opens, in milliseconds.
const DEAL_OPENS_AFTER_MS: i64 = 5 * 60_000;

/// How the time deal's waiting room lets buyers in: so many may be inside.
const ROOM_MODE: Mode = Mode::BankWindow { inside_max: 50 };

/// An item of the demo.
struct DemoItem {
    name: &'static str,
    content: &'static str,
    price: i64,
    units: i64,
    per_buyer_max: u32,
    time_deal: bool,
}

const ITEMS: [DemoItem; 4] = [
    DemoItem {
        name: "라면",
        content: "Five packs of instant noodles, medium hot.",
        price: 4_500,
        units: 10_000,
        per_buyer_max: 10,
        time_deal: false,
    },
    DemoItem {
        name: "Blue Comet tour shirt",
        content: "Printed on both sides, in all sizes.",
        price: 35_000,
        units: 500,
        per_buyer_max: 4,
        time_deal: false,
    },
    DemoItem {
        name: "Sona Quartet: The Seasons, signed",
        content: "The record, numbered and signed by all four.",
        price: 60_000,
        units: 40,
        per_buyer_max: 1,
        time_deal: false,
    },
    DemoItem {
        name: "Comet One trainers",
        content: "One hundred pairs, first come, first served.",
        price: 99_000,
        units: 100,
        per_buyer_max: 2,
        time_deal: true,
    },
];

/// Adds the items that are not there.
pub(super) async fn add(engine: &Engine, owner: Option<UserId>) -> Result<(), Failure> {
    let there = all(engine).await?;
    let deal_opens_at = engine.clock().now().plus_ms(DEAL_OPENS_AFTER_MS);
    for item in &ITEMS {
        if there.iter().any(|(_, details)| details.name == item.name) {
            continue;
        }
        let added = engine.catalogue.add_item(details(item, deal_opens_at), item.units, owner).await;
        let added = added.map_err(failed())?;
        if let Some(start_at) = added.details.kind.start_at() {
            add_room(engine, &added, start_at, owner).await?;
        }
    }
    Ok(())
}

/// A waiting room that can be joined at once and opens with the deal.
async fn add_room(
    engine: &Engine,
    deal: &Item,
    start_at: Timestamp,
    owner: Option<UserId>,
) -> Result<(), Failure> {
    let details = RoomDetails {
        name: deal.details.name.clone(),
        owner,
        admits: Admits::Accounts,
        offers: vec![deal.id.into()],
        settings: RoomSettings::new(ROOM_MODE),
        schedule: Schedule {
            pre_queue_at: Some(engine.clock().now()),
            opens_at: Some(start_at),
            closes_at: None,
        },
    };
    engine.rooms.add(details).await.map_err(failed())?;
    Ok(())
}

/// A time deal with a waiting room.
pub(super) async fn behind_a_room(engine: &Engine) -> Result<Option<(ItemId, String)>, Failure> {
    let all = all(engine).await?;
    let guarded = all.into_iter().find(|(id, _)| engine.rooms.room_of(*id).is_some());
    Ok(guarded.map(|(id, details)| (id, details.name)))
}

/// The first item that everybody can order now.
pub(super) async fn on_sale(engine: &Engine) -> Result<Option<(ItemId, String)>, Failure> {
    let all = all(engine).await?;
    let general = all.into_iter().find(|(_, details)| details.kind == ItemKind::General);
    Ok(general.map(|(id, details)| (id, details.name)))
}

async fn all(engine: &Engine) -> Result<Vec<(ItemId, ItemDetails)>, Failure> {
    let items = engine.catalogue.items(None, 100).await.map_err(failed())?;
    Ok(items.into_iter().map(|item| (item.id, item.details)).collect())
}

fn details(item: &DemoItem, deal_opens_at: Timestamp) -> ItemDetails {
    ItemDetails {
        name: item.name.to_owned(),
        content: item.content.to_owned(),
        price: item.price,
        kind: if item.time_deal {
            // Buyers are told whole seconds.
            ItemKind::TimeDeal { start_at: Timestamp(deal_opens_at.0 - deal_opens_at.0.rem_euclid(1_000)) }
        } else {
            ItemKind::General
        },
        time_zone: TIME_ZONE.to_owned(),
        image_url: None,
        rules: ItemRules { units_per_buyer_max: item.per_buyer_max, ..ItemRules::default() },
    }
}
