//! Rankings: no count is more than was sold.
//!
//! Sales are counted some time after they were made, are taken off again when they are given back, and a published
//! chart stands. So a count may be less than what was sold, but never more. Only when all that was told is counted,
//! which the database's own log of events tells, the sums must agree.
//!
//! A day of the rankings is a local day, in a zone that may have been changed; so a count of a day is compared with
//! what was sold on that day in UTC, the one before and the one after.

use std::collections::BTreeMap;

use onsale_domain::{
    order::{Order, Payment},
    popularity::{DecayingCount, Subject, SubjectKind},
};

use super::{
    Look, pages,
    report::Violation,
    spool::{Record, Spool, from_signed, signed},
};
use crate::ports::{Count, CountRow, OfferFacts, StoreError};

const DAY_MS: i64 = 86_400_000;

/// Sums are compared if nothing is older: counts of older days are forgotten.
const DAYS_COMPARED: i64 = 360;

/// A millisecond is three hundred times as much.
const HEAT_ERROR_MAX: f64 = 1e-9;

/// Stands for the subjects of sales that may count for any of their kind.
const ANY: i64 = i64::MIN;

/// (kind, subject, what, ...) of sales and of counts.
#[derive(Default)]
pub(super) struct Sales(Spool<6>);

const SALE: u64 = 0;
const DAY: u64 = 1;
const CHART: u64 = 2;
const NOW: u64 = 3;

impl Sales {
    /// Takes in an order that was paid, whether or not it was given back.
    pub(super) fn take(
        &mut self,
        order: &Order,
        payment: &Payment,
        offer: Option<&OfferFacts>,
    ) -> Result<(), StoreError> {
        let day = signed(payment.created_at.0.div_euclid(DAY_MS));
        let units = i64::from(order.count());
        let net = if payment.refunded { 0 } else { units };
        let mut push = |kind: SubjectKind, id: i64| {
            self.0.push([kind as u64, signed(id), SALE, day, signed(units), signed(net)])
        };
        match (offer.and_then(|offer| offer.subject), order.offer().item()) {
            (Some(Subject { kind, id }), _) => push(kind, id),
            (None, Some(item)) => push(SubjectKind::Item, item.0),
            (None, None) => {
                push(SubjectKind::Movie, ANY)?;
                push(SubjectKind::Concert, ANY)
            }
        }
    }

    fn count(&mut self, row: &CountRow) -> Result<(), StoreError> {
        let (what, numbers) = match row.count {
            Count::Day { day, units } => (DAY, [signed(day), signed(units), 0]),
            Count::Chart { first, last, units } => (CHART, [signed(first), signed(last), units.to_bits()]),
            Count::Now { count, .. } => (NOW, [count.to_bits(), 0, 0]),
        };
        let [a, b, c] = numbers;
        self.0.push([row.subject.kind as u64, signed(row.subject.id), what, a, b, c])
    }
}

/// (sold, sold and not given back) on each day.
type Days = BTreeMap<i64, (i64, i64)>;

impl Look<'_> {
    pub(super) async fn counts(&mut self, mut sales: Sales) -> Result<(), StoreError> {
        pages!(self.counts, rows => {
            for row in rows {
                sales.count(&row)?;
                self.heat(&row);
            }
        });
        let is_all_counted = self.store.is_all_counted().await?;
        let mut sorted = sales.0.sorted()?;
        let (mut any, mut any_kind) = (Days::new(), None);
        while let Some(first) = sorted.pop()? {
            if any_kind.replace(first[0]) != Some(first[0]) {
                any.clear();
            }
            let mut days = any.clone();
            let mut counted = 0;
            let mut next = Some(first);
            while let Some(record) = next {
                if record[2] == SALE {
                    let day = days.entry(from_signed(record[3])).or_default();
                    *day = (day.0 + from_signed(record[4]), day.1 + from_signed(record[5]));
                } else {
                    counted += self.count(&record, &days);
                }
                next = sorted.pop_if(|next| next[..2] == first[..2])?;
            }
            if from_signed(first[1]) == ANY {
                any = days;
            } else if is_all_counted && any.is_empty() && is_recent(&days) {
                self.sum(&first, counted, days.values().map(|(_, net)| net).sum());
            }
        }
        Ok(())
    }

    /// Checks one count; what it adds to its subject's sum.
    fn count(&mut self, record: &Record<6>, days: &Days) -> i64 {
        let (first, last, units, counted) = match record[2] {
            DAY => {
                let (day, units) = (from_signed(record[3]), from_signed(record[4]));
                (day, day, units as f64, units)
            }
            CHART => (from_signed(record[3]), from_signed(record[4]), f64::from_bits(record[5]), 0),
            _ => (i64::MIN + 1, i64::MAX - 1, f64::from_bits(record[3]), 0),
        };
        let near = days.range(first.saturating_sub(1)..=last.saturating_add(1)).map(|(_, sold)| *sold);
        let (sold, net) = near.fold((0, 0), |sum, sold| (sum.0 + sold.0, sum.1 + sold.1));
        // What was given back may have been sold before anything was counted.
        let least = if record[2] == DAY { (net - sold) as f64 } else { 0.0 };
        if !(least..=sold as f64 + 0.01).contains(&units) || (record[2] == CHART && units <= 0.0) {
            self.report.add(Violation::CountWrong, || {
                let what = match record[2] {
                    DAY => format!("day {first}"),
                    CHART => format!("the chart of days {first} to {last}"),
                    _ => "what sells now".to_owned(),
                };
                format!("{}, {what}: {units} counted, {sold} sold", subject_text(record))
            });
        }
        counted
    }

    fn sum(&mut self, record: &Record<6>, counted: i64, net: i64) {
        if counted != net {
            self.report.add(Violation::CountWrong, || {
                format!("{}: {counted} counted in all, {net} sold and not given back", subject_text(record))
            });
        }
    }

    /// Checks that the value by which a count is sorted follows from the count.
    fn heat(&mut self, row: &CountRow) {
        let Count::Now { count, as_of, heat } = row.count else { return };
        let expected = DecayingCount { count, as_of }.heat();
        if expected.is_none_or(|expected| heat.is_nan() || (expected - heat).abs() >= HEAT_ERROR_MAX) {
            self.report.add(Violation::CountWrong, || {
                format!(
                    "{:?} {}: a count of {count} at {} sorted by {heat}",
                    row.subject.kind, row.subject.id, as_of.0
                )
            });
        }
    }
}

fn is_recent(days: &Days) -> bool {
    match (days.first_key_value(), days.last_key_value()) {
        (Some((first, _)), Some((last, _))) => last - first < DAYS_COMPARED,
        _ => true,
    }
}

fn subject_text(record: &Record<6>) -> String {
    let kind = SubjectKind::ALL.into_iter().find(|kind| *kind as u64 == record[0]);
    format!("{} {}", kind.map_or_else(String::new, |kind| format!("{kind:?}")), from_signed(record[1]))
}
