//! What is on: films and concerts; and what is popular.

use onsale_engine::ports::PerformanceSummary;
use serde::Serialize;
use utoipa::ToSchema;

use crate::operation::{Operations, PARAMETERS, STORE, operation};

mod cache;
mod concert;
mod get_concert;
mod get_movie;
mod list_concert_dates;
mod list_concerts;
mod list_movies;
mod movie;
mod popular;
mod popular_concerts;
mod popular_items;
mod popular_movies;
mod popular_shows;

pub(crate) use cache::{CatalogueCache, cached, cached_with};

pub(crate) fn operations() -> Operations {
    Operations::new()
        .routes(operation!(list_movies::list_movies, &[PARAMETERS, STORE]))
        .routes(operation!(popular_movies::popular_movies, &[PARAMETERS, STORE]))
        .routes(operation!(popular_concerts::popular_concerts, &[PARAMETERS, STORE]))
        .routes(operation!(popular_items::popular_items, &[PARAMETERS, STORE]))
        .routes(operation!(get_movie::get_movie, &[PARAMETERS, STORE, get_movie::PROBLEMS]))
        .routes(operation!(list_concerts::list_concerts, &[PARAMETERS, STORE]))
        .routes(operation!(get_concert::get_concert, &[PARAMETERS, STORE, get_concert::PROBLEMS]))
        .routes(operation!(
            list_concert_dates::list_concert_dates,
            &[PARAMETERS, STORE, list_concert_dates::PROBLEMS],
        ))
}

/// The lowest and the highest price of a performance.
#[derive(Serialize, ToSchema)]
struct PriceRange {
    /// In minor units of the currency.
    #[schema(minimum = 0, example = 66_000)]
    lowest: i64,
    /// In minor units of the currency.
    #[schema(minimum = 0, example = 154_000)]
    highest: i64,
    /// The currency, by its ISO 4217 code.
    #[schema(example = "KRW")]
    currency: String,
}

impl PriceRange {
    fn of(performance: &PerformanceSummary, currency: &str) -> Option<Self> {
        let (lowest, highest) = performance.price_range?;
        Some(Self { lowest, highest, currency: currency.to_owned() })
    }
}
