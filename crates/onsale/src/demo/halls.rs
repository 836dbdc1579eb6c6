//! The demo's venues and halls.

use onsale_domain::{
    catalogue::{Hall, PriceLevel},
    hall::{Plan, SectionSpec},
    ids::UserId,
};
use onsale_engine::Engine;

use super::{TIME_ZONE, failed};
use crate::failure::Failure;

/// A hall of the demo.
pub(super) struct DemoHall {
    pub(super) venue: &'static str,
    pub(super) name: &'static str,
    /// Name, rows, seats in each row, category.
    pub(super) sections: &'static [(&'static str, u32, u32, &'static str)],
}

pub(super) const CINEMAS: [DemoHall; 3] = [
    DemoHall {
        venue: "Lantern Cinema Gangnam",
        name: "Hall 1",
        sections: &[("Front", 4, 14, "Standard"), ("Back", 6, 16, "Prime")],
    },
    DemoHall {
        venue: "Lantern Cinema Gangnam",
        name: "Hall 2",
        sections: &[("Front", 3, 10, "Standard"), ("Back", 4, 12, "Prime")],
    },
    DemoHall {
        venue: "Riverside Cinema Hongdae",
        name: "Hall 1",
        sections: &[("Front", 5, 18, "Standard"), ("Back", 7, 20, "Prime")],
    },
];

pub(super) const ARENA: DemoHall = DemoHall {
    venue: "Harbour Arena",
    name: "Arena",
    sections: &[
        ("Floor", 20, 40, "S"),
        ("Lower tier", 25, 80, "A"),
        ("Upper tier", 30, 100, "B"),
        ("Gallery", 20, 120, "C"),
    ],
};

/// 50,000 seats.
pub(super) const STADIUM: DemoHall = DemoHall {
    venue: "Sunrise Stadium",
    name: "Stadium",
    sections: &[
        ("Pitch", 100, 100, "S"),
        ("East stand", 80, 125, "A"),
        ("West stand", 80, 125, "A"),
        ("North stand", 100, 100, "B"),
        ("South stand", 100, 100, "C"),
    ],
};

/// What a seat of each category costs, in won.
const PRICES: [(&str, i64); 6] =
    [("Standard", 14_000), ("Prime", 16_000), ("S", 154_000), ("A", 132_000), ("B", 110_000), ("C", 77_000)];

/// Finds the hall, or makes it with its venue.
pub(super) async fn find_or_add(
    engine: &Engine,
    wanted: &DemoHall,
    owner: Option<UserId>,
) -> Result<Hall, Failure> {
    let catalogue = &engine.catalogue;
    let venues = catalogue.venues(None, 100).await.map_err(failed())?;
    let venue = match venues.into_iter().find(|venue| venue.name == wanted.venue) {
        Some(venue) => venue,
        None => catalogue.add_venue(wanted.venue, TIME_ZONE, owner).await.map_err(failed())?,
    };
    let halls = catalogue.halls(venue.id).await.map_err(failed())?;
    if let Some(hall) = halls.into_iter().find(|hall| hall.name == wanted.name) {
        return Ok(hall);
    }
    let sections: Vec<SectionSpec> = wanted
        .sections
        .iter()
        .map(|&(name, rows, seats_per_row, category)| SectionSpec {
            name: name.to_owned(),
            rows,
            seats_per_row,
            category: category.to_owned(),
        })
        .collect();
    let plan = Plan::generate(&sections).map_err(failed())?;
    let hall = catalogue.add_hall(venue.id, wanted.name, &plan).await.map_err(failed())?;
    catalogue.hall(hall).await.map_err(failed())
}

/// What the hall's categories cost.
pub(super) fn prices(hall: &Hall) -> Vec<PriceLevel> {
    let price = |name: &str| PRICES.iter().find(|(category, _)| *category == name).map(|(_, price)| *price);
    hall.categories
        .iter()
        .zip(0..)
        .filter_map(|(name, category)| {
            Some(PriceLevel { category, grade: name.clone(), price: price(name)? })
        })
        .collect()
}
