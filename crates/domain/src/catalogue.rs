//! What is on: shows, venues, performances and what their seats cost.

use jiff::civil::Date;

use crate::{
    ids::{HallId, PerformanceId, ShowId, VenueId},
    sale::SaleRules,
    time::Timestamp,
};

/// The two kinds of shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShowKind {
    /// A film; its performances are screenings.
    Movie,
    /// A concert; its performances are dates.
    Concert,
}

impl ShowKind {
    /// The kind's name in requests, answers and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Movie => "movie",
            Self::Concert => "concert",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Movie, Self::Concert].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A show without its id: what an organiser writes, what an import brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShowDetails {
    /// Film or concert.
    pub kind: ShowKind,
    /// The title as it is printed.
    pub title: String,
    /// The audience it is rated for: `PG-13`, `15세 이상 관람가`.
    pub grade: Option<String>,
    /// The genre.
    pub genre: Option<String>,
    /// The day it was first shown.
    pub release_date: Option<Date>,
    /// Where its small picture is.
    pub thumbnail_image: Option<String>,
    /// Length in minutes.
    pub running_time_min: Option<u32>,
    /// A text about it.
    pub description: Option<String>,
    /// Who directed or performs it.
    pub creator: Option<String>,
    /// Names the record this show was imported from, so that importing it again finds it.
    pub source_key: Option<String>,
}

impl ShowDetails {
    /// A show of which no more is known than its title.
    #[must_use]
    pub fn new(kind: ShowKind, title: impl Into<String>) -> Self {
        Self {
            kind,
            title: title.into(),
            grade: None,
            genre: None,
            release_date: None,
            thumbnail_image: None,
            running_time_min: None,
            description: None,
            creator: None,
            source_key: None,
        }
    }
}

/// A field of a show that differs from what its source says, because somebody has edited it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptField {
    /// Its name in requests and answers.
    pub field: &'static str,
    /// Its value, which somebody has edited.
    pub kept: Option<String>,
    /// Its value in the source.
    pub said: Option<String>,
}

/// A show after its source was read again: `now` as it is, `before` what the source said last time, if that
/// is known, `said` what it says.
///
/// A field is changed if the source says something else than last time and nobody has edited it since.
/// Edited fields stay, and are returned where they differ from what the source says. Without
/// `before`, what there is counts as edited, and only gaps are filled.
#[must_use]
pub fn merged(
    now: &ShowDetails,
    before: Option<&ShowDetails>,
    said: &ShowDetails,
) -> (ShowDetails, Vec<KeptField>) {
    let mut kept = Vec::new();
    let details = ShowDetails {
        // The source's, which nobody edits.
        kind: said.kind,
        source_key: said.source_key.clone(),
        title: merge("title", &mut kept, &now.title, before.map(|show| &show.title), &said.title),
        grade: optional("grade", &mut kept, now, before, said, |show| &show.grade),
        genre: optional("genre", &mut kept, now, before, said, |show| &show.genre),
        release_date: optional("releaseDate", &mut kept, now, before, said, |show| &show.release_date),
        thumbnail_image: optional("thumbnailImage", &mut kept, now, before, said, |show| {
            &show.thumbnail_image
        }),
        running_time_min: optional("runningTime", &mut kept, now, before, said, |show| {
            &show.running_time_min
        }),
        description: optional("description", &mut kept, now, before, said, |show| &show.description),
        creator: optional("creator", &mut kept, now, before, said, |show| &show.creator),
    };
    (details, kept)
}

fn optional<T: Clone + PartialEq + ToString>(
    field: &'static str,
    kept: &mut Vec<KeptField>,
    now: &ShowDetails,
    before: Option<&ShowDetails>,
    said: &ShowDetails,
    get: impl Fn(&ShowDetails) -> &Option<T>,
) -> Option<T> {
    let (now, before, said) = (get(now), before.map(&get), get(said));
    // Where nothing is known of last time, a gap is not somebody's wish.
    let before = before.or(now.is_none().then_some(&None));
    let merged = if is_changed(now, before, said) { said } else { now };
    // A source that has never said anything of a field says nothing against what it is.
    if merged != said && (said.is_some() || before.is_some_and(Option::is_some)) {
        let text = |value: &Option<T>| value.as_ref().map(T::to_string);
        kept.push(KeptField { field, kept: text(merged), said: text(said) });
    }
    merged.clone()
}

fn merge(
    field: &'static str,
    kept: &mut Vec<KeptField>,
    now: &str,
    before: Option<&String>,
    said: &str,
) -> String {
    let merged = if is_changed(now, before.map(String::as_str), said) { said } else { now };
    if merged != said {
        kept.push(KeptField { field, kept: Some(now.to_owned()), said: Some(said.to_owned()) });
    }
    merged.to_owned()
}

/// Whether the source has changed a value that nobody has edited.
fn is_changed<T: PartialEq + ?Sized>(now: &T, before: Option<&T>, said: &T) -> bool {
    before.is_some_and(|before| before == now && before != said)
}

/// A film or a concert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Show {
    /// Its id.
    pub id: ShowId,
    /// Everything else.
    pub details: ShowDetails,
}

/// A place with halls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Venue {
    /// Its id.
    pub id: VenueId,
    /// Its name, for a cinema the theatre's.
    pub name: String,
    /// Its IANA time zone; local times are told in it.
    pub time_zone: String,
}

/// A hall without its seats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hall {
    /// Its id.
    pub id: HallId,
    /// Where it is.
    pub venue: VenueId,
    /// Its name.
    pub name: String,
    /// How many seats it has.
    pub seats: u32,
    /// Names of its seat categories, by index.
    pub categories: Vec<String>,
}

/// A performance as an organiser writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerformanceDetails {
    /// What is shown.
    pub show: ShowId,
    /// Where.
    pub hall: HallId,
    /// When it starts. Sales end then.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// When sales open.
    pub on_sale_at: Timestamp,
    /// The rules of its sale.
    pub rules: SaleRules,
    /// What each category costs. Seats of a category without a price are not for sale.
    pub prices: Vec<PriceLevel>,
}

/// A performance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Performance {
    /// Its id.
    pub id: PerformanceId,
    /// Everything that an organiser writes.
    pub details: PerformanceDetails,
    /// Whether it has been called off; then nothing more is sold.
    pub cancelled: bool,
}

/// What the seats of one category cost at one performance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PriceLevel {
    /// Index of the hall's category.
    pub category: u16,
    /// The class printed on the ticket: `S`, `A`, `B`, `C`.
    pub grade: String,
    /// The price in minor units.
    pub price: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(title: &str, genre: Option<&str>) -> ShowDetails {
        ShowDetails { genre: genre.map(str::to_owned), ..ShowDetails::new(ShowKind::Movie, title) }
    }

    fn kept(field: &'static str, kept: Option<&str>, said: Option<&str>) -> KeptField {
        KeptField { field, kept: kept.map(str::to_owned), said: said.map(str::to_owned) }
    }

    #[test]
    fn what_the_source_never_spoke_of_stays_without_a_word() {
        let said = show("Alike", Some("Drama"));
        let now = ShowDetails {
            description: Some("Edited.".to_owned()),
            thumbnail_image: Some("https://example.org/1.jpg".to_owned()),
            ..said.clone()
        };
        for before in [Some(&said), None] {
            assert_eq!(merged(&now, before, &said), (now.clone(), vec![]));
        }
    }

    #[test]
    fn what_the_source_has_changed_is_changed_and_what_people_have_edited_stays() {
        let before = show("Alike", Some("Drama"));
        let said = show("Alike, Again", Some("Comedy"));
        assert_eq!(merged(&before, Some(&before), &said), (said.clone(), vec![]), "nobody has edited it");

        let edited = show("Alike", Some("Farce"));
        let (details, differs) = merged(&edited, Some(&before), &said);
        assert_eq!(details, show("Alike, Again", Some("Farce")), "one is edited, the other is not");
        assert_eq!(differs, [kept("genre", Some("Farce"), Some("Comedy"))]);

        let (details, differs) = merged(&edited, Some(&before), &before);
        assert_eq!((details, differs), (edited, vec![kept("genre", Some("Farce"), Some("Drama"))]));
    }

    #[test]
    fn a_value_that_was_taken_out_stays_out_unless_it_was_the_source_that_did() {
        let (before, without) = (show("Alike", Some("Drama")), show("Alike", None));
        assert_eq!(merged(&before, Some(&before), &without), (without.clone(), vec![]));
        let (details, differs) = merged(&without, Some(&before), &before);
        assert_eq!((details, differs), (without, vec![kept("genre", None, Some("Drama"))]));
    }

    #[test]
    fn without_knowing_what_the_source_said_only_gaps_are_filled() {
        let said = show("Alike, Again", Some("Comedy"));
        let (details, differs) = merged(&show("Alike", None), None, &said);
        assert_eq!(details, show("Alike", Some("Comedy")));
        assert_eq!(differs, [kept("title", Some("Alike"), Some("Alike, Again"))]);
    }
}
