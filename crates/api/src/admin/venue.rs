//! A venue, as it is asked for and answered.

use onsale_domain::catalogue::Venue;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::json::Editable;

/// A venue to add or to put in the place of another.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = VenueInput)]
pub(super) struct VenueInput {
    /// Its name, for a cinema the theatre's.
    #[schema(min_length = 1, max_length = 200, example = "Seoul World Cup Stadium")]
    pub(super) name: String,
    /// Its IANA time zone; local times are told in it.
    #[schema(example = "Asia/Seoul")]
    pub(super) time_zone: String,
}

impl Editable for VenueInput {
    const ID: &'static str = "id";
    const READ_ONLY: &'static [&'static str] = &[];
}

/// A place with halls.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Venue)]
pub(super) struct VenueBody {
    /// The venue's id.
    #[schema(minimum = 1, example = 1)]
    pub(super) id: i64,
    /// Its name.
    #[schema(example = "Seoul World Cup Stadium")]
    name: String,
    /// Its IANA time zone.
    #[schema(example = "Asia/Seoul")]
    time_zone: String,
}

impl From<Venue> for VenueBody {
    fn from(venue: Venue) -> Self {
        Self { id: venue.id.0, name: venue.name, time_zone: venue.time_zone }
    }
}
