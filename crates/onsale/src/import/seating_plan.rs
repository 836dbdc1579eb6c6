//! `onsale import seating-plan FILE --venue NAME`

use onsale_domain::{
    catalogue::{Hall, Venue},
    hall::Plan,
    ids::{UserId, VenueId},
    text::composed,
};
use onsale_engine::{catalogue::Catalogue, owners::Owners};

use super::{SEEN_WITHIN, owner, pretix, read_text};
use crate::{cli::ImportSeatingPlan, failure::Failure};

/// Venues read at once.
const PAGE: usize = 500;

/// Reads the plan and makes the hall, and its venue if there is none of that name.
pub(crate) async fn import_seating_plan(
    catalogue: &Catalogue,
    owners: &Owners,
    arguments: &ImportSeatingPlan,
) -> Result<(), Failure> {
    let file = &arguments.file;
    let imported = pretix::read(&read_text(file)?)
        .map_err(Failure::of(format!("{} is not a seating plan that can be used", file.display())))?;
    let name = arguments.name.as_deref().map_or(imported.name.as_str(), str::trim);
    let name = &*composed(name);
    if name.is_empty() {
        return Err(Failure::Usage("the plan has no name; give the hall one with --name".to_owned()));
    }
    let owner = owner(owners, arguments.owner.as_deref()).await?;
    let (venue, new) = venue(catalogue, arguments, owner).await?;
    if !new && let Some(hall) = hall(catalogue, &venue, name).await? {
        return compare(catalogue, &venue, &hall, &imported.plan).await;
    }
    let failed = format!("cannot add the hall `{name}`");
    let hall = catalogue.add_hall(venue.id, name, &imported.plan).await.map_err(Failure::of(failed))?;

    println!(
        "{} venue `{}` ({}, {})",
        if new { "added" } else { "found" },
        venue.name,
        venue.id,
        venue.time_zone
    );
    println!(
        "added hall `{name}` ({hall}): {} seats in {} rows, categories {}",
        imported.plan.seats.len(),
        imported.plan.rows.len(),
        imported.plan.categories.join(", ")
    );
    if imported.areas > 0 {
        println!("{} areas of the plan have no seats and were passed over", imported.areas);
    }
    println!("{SEEN_WITHIN}");
    Ok(())
}

/// The venue with the name given, and whether it is new.
async fn venue(
    catalogue: &Catalogue,
    arguments: &ImportSeatingPlan,
    owner: Option<UserId>,
) -> Result<(Venue, bool), Failure> {
    let name = composed(arguments.venue.trim());
    let mut after: Option<VenueId> = None;
    loop {
        let page = catalogue.venues(after, PAGE).await.map_err(Failure::of("cannot read the venues"))?;
        if let Some(found) = page.iter().find(|venue| composed(&venue.name) == name) {
            return Ok((found.clone(), false));
        }
        match page.last() {
            Some(last) => after = Some(last.id),
            None => break,
        }
    }
    let added = catalogue.add_venue(&name, &arguments.time_zone, owner).await;
    Ok((added.map_err(Failure::of("cannot add the venue"))?, true))
}

/// The venue's hall of this name.
async fn hall(catalogue: &Catalogue, venue: &Venue, name: &str) -> Result<Option<Hall>, Failure> {
    let halls = catalogue.halls(venue.id).await.map_err(Failure::of("cannot read the halls"))?;
    Ok(halls.into_iter().find(|hall| composed(&hall.name) == name))
}

/// Importing the same plan again changes nothing; another one does not replace a hall whose seats may be sold.
async fn compare(catalogue: &Catalogue, venue: &Venue, hall: &Hall, plan: &Plan) -> Result<(), Failure> {
    let same = catalogue.is_as_planned(hall.id, plan).await.map_err(Failure::of("cannot read the hall"))?;
    if same {
        println!(
            "found hall `{}` ({}) of venue `{}` ({}): {} seats, as in the plan; this changes nothing",
            hall.name, hall.id, venue.name, venue.id, hall.seats
        );
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "the venue `{}` has a hall `{}` ({}) of {} seats already, and the plan, with {}, differs from it; nothing was \
         changed. A hall is not replaced, because its seats may be sold: import the plan as another hall with \
         --name, and use that for coming performances",
        venue.name,
        hall.name,
        hall.id,
        hall.seats,
        plan.seats.len()
    )))
}
