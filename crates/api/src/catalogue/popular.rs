//! A ranking, as it is asked for and answered.

use std::sync::Arc;

use onsale_domain::popularity::{Period, SubjectKind};
use onsale_engine::rankings::{PLACES_MAX, Ranking};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

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
pub(super) struct Popular<T> {
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
    ranking: Vec<T>,
}

/// A ranking that was asked for.
pub(super) struct Wanted {
    /// Names the answer in the cache. The ranking is part of it, since the next one is asked for in the
    /// same words.
    pub(super) address: String,
    period: PeriodName,
    size: usize,
    zone: String,
    ranking: Arc<Ranking>,
}

impl Wanted {
    /// Reads what is asked for, and the ranking.
    pub(super) async fn read(api: &Api, kind: SubjectKind, head: &Head) -> Result<Self, Problem> {
        let asked: Asked = extract::query(&head.0.uri)?;
        let size = extract::size(asked.size, 20, PLACES_MAX as u32)? as usize;
        let period = asked.period.unwrap_or_default();
        let day = asked.date.as_deref().map(|text| date("date", text)).transpose()?;
        let rankings = &api.engine.rankings;
        let ranking = match period.days() {
            Some(days) => rankings.chart(kind, days, day).await?,
            None if day.is_none() => rankings.now(kind).await?,
            None => return Err(Problem::field("date", "goes with `day`, `week` or `month`, not with `now`")),
        };
        let (path, made_at, days) = (head.0.uri.path(), ranking.made_at.0, ranking.days);
        let address = format!("{path}?{period:?}&{size}&{made_at}&{days:?}");
        Ok(Self { address, period, size, zone: rankings.zone().to_owned(), ranking })
    }

    /// What is ranked, the most popular first.
    pub(super) fn ids(&self) -> impl Iterator<Item = i64> {
        self.ranking.places.iter().take(self.size).map(|place| place.id)
    }

    /// The answer, of what there is with its id, in the ranking's order. `placed` is given the place,
    /// from 1, and the score.
    pub(super) fn answer<S, T>(
        &self,
        there: impl IntoIterator<Item = (i64, S)>,
        placed: impl Fn(usize, f64, S) -> T,
    ) -> Popular<T> {
        let mut there = there.into_iter().peekable();
        let places = self.ranking.places.iter().take(self.size).enumerate();
        let ranking = places.filter_map(|(index, place)| {
            let (_, what) = there.next_if(|(id, _)| *id == place.id)?;
            // Whole numbers stay whole.
            Some(placed(index + 1, (place.count * 1_000.0).round() / 1_000.0, what))
        });
        Popular {
            period: self.period,
            zone: self.zone.clone(),
            ranking: ranking.collect(),
            from: self.ranking.days.map(|(first, _)| first.to_string()),
            to: self.ranking.days.map(|(_, last)| last.to_string()),
            made_at: Rfc3339(self.ranking.made_at),
        }
    }
}
