//! A ranking of shows, as it is asked for and answered.

use axum::response::Response;
use onsale_domain::{
    catalogue::{Show, ShowKind},
    ids::ShowId,
    popularity::Period,
};
use onsale_engine::rankings::{PLACES_MAX, Ranking};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::cached;
use crate::{
    Api,
    extract::{self, Head},
    problem::Problem,
    time::{Rfc3339, date},
};

/// Which ranking is wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Over which time. `now`: of late, a sale counts half after an hour. `day`, `week`, `month`: over
    /// 1, 7 or 30 days.
    #[param(inline, default = "day")]
    period: Option<PeriodName>,
    /// The last of the days, at most 365 days before yesterday. Left out: yesterday, where after
    /// midnight the ranking before may be answered for up to five minutes.
    #[param(format = Date, example = "2026-11-20")]
    date: Option<String>,
    /// How many places.
    #[param(minimum = 1, maximum = 100, default = 20)]
    size: Option<u32>,
}

/// Over which time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RankingPeriod)]
pub(super) enum PeriodName {
    /// Of late.
    Now,
    /// One day.
    #[default]
    Day,
    /// Seven days.
    Week,
    /// Thirty days.
    Month,
}

impl PeriodName {
    const fn days(self) -> Option<Period> {
        match self {
            Self::Now => None,
            Self::Day => Some(Period::Day),
            Self::Week => Some(Period::Week),
            Self::Month => Some(Period::Month),
        }
    }
}

/// A ranking.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Popular {
    /// Over which time.
    period: PeriodName,
    /// The zone whose days are ranked.
    #[schema(example = "Asia/Seoul")]
    zone: String,
    /// The first of the days; none if it is about now.
    #[schema(format = Date, example = "2026-11-14")]
    from: Option<String>,
    /// The last of the days; none if it is about now.
    #[schema(format = Date, example = "2026-11-20")]
    to: Option<String>,
    /// When it was made.
    made_at: Rfc3339,
    /// The most popular first; of equals, the older one.
    ranking: Vec<PopularShow>,
}

/// A film or a concert in its place.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PopularShow {
    /// The place, from 1.
    #[schema(minimum = 1, example = 1)]
    rank: usize,
    /// How many seats were sold and not given back; if the ranking is about now, how much they count.
    #[schema(example = 1_234.0)]
    score: f64,
    /// The film's or the concert's id.
    #[schema(minimum = 1, example = 1)]
    id: i64,
    /// The title.
    #[schema(example = "Han River Nights")]
    title: String,
    /// Who directed or performs it.
    creator: Option<String>,
    /// The genre.
    genre: Option<String>,
    /// The audience it is for.
    grade: Option<String>,
    /// The day it was first shown.
    #[schema(format = Date, example = "2024-04-24")]
    release_date: Option<String>,
    /// Its length in minutes.
    #[schema(minimum = 1, example = 120)]
    running_time: Option<u32>,
    /// Where its small picture is.
    thumbnail_image: Option<String>,
}

/// Answers which shows of a kind are popular.
pub(super) async fn popular(api: &Api, kind: ShowKind, head: &Head) -> Result<Response, Problem> {
    let asked: Asked = extract::query(&head.0.uri)?;
    let size = extract::size(asked.size, 20, PLACES_MAX as u32)? as usize;
    let period = asked.period.unwrap_or_default();
    let day = asked.date.as_deref().map(|text| date("date", text)).transpose()?;
    let rankings = &api.engine.rankings;
    let ranking = match period.days() {
        Some(days) => rankings.chart(kind.into(), days, day).await?,
        None if day.is_none() => rankings.now(kind.into()).await?,
        None => return Err(Problem::field("date", "goes with `day`, `week` or `month`, not with `now`")),
    };
    // The ranking is part of the address, since the next one is asked for in the same words.
    let (path, made_at, days) = (head.0.uri.path(), ranking.made_at.0, ranking.days);
    let address = format!("{path}?{period:?}&{size}&{made_at}&{days:?}");
    cached(api, &address, &head.0.headers, async {
        let ids: Vec<_> = ranking.places.iter().take(size).map(|place| ShowId(place.id)).collect();
        let shows = api.engine.catalogue.shows(&ids).await?;
        Ok(Popular::new(period, rankings.zone(), &ranking, shows))
    })
    .await
}

impl Popular {
    /// A ranking of these shows, which stand in its order.
    fn new(period: PeriodName, zone: &str, ranking: &Ranking, shows: Vec<Show>) -> Self {
        let places = ranking.places.iter().enumerate();
        let mut shows = shows.into_iter().peekable();
        let ranking_of_shows = places.filter_map(|(index, place)| {
            let show = shows.next_if(|show| show.id.0 == place.id)?;
            Some(PopularShow::new(index + 1, place.count, show))
        });
        Self {
            period,
            zone: zone.to_owned(),
            ranking: ranking_of_shows.collect(),
            from: ranking.days.map(|(first, _)| first.to_string()),
            to: ranking.days.map(|(_, last)| last.to_string()),
            made_at: Rfc3339(ranking.made_at),
        }
    }
}

impl PopularShow {
    fn new(rank: usize, score: f64, show: Show) -> Self {
        let details = show.details;
        Self {
            rank,
            // Whole numbers stay whole.
            score: (score * 1_000.0).round() / 1_000.0,
            id: show.id.0,
            title: details.title,
            creator: details.creator,
            genre: details.genre,
            grade: details.grade,
            release_date: details.release_date.map(|date| date.to_string()),
            running_time: details.running_time_min,
            thumbnail_image: details.thumbnail_image,
        }
    }
}
