//! Counts what sells, for the rankings.

use async_trait::async_trait;
use onsale_domain::{ids::PerformanceId, time::Timestamp};
use onsale_engine::{
    ports::{CountedSale, Sold, StoreError},
    rankings::Rankings,
};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::{ConsumeError, Consumer, Event, EventType};

/// How many sales are counted in one transaction.
const BATCH: usize = 500;

/// The most that wait to be counted while the database cannot be written; then no more are taken.
const WAITING_MAX: usize = 10_000;

/// Counts paid orders, and takes those off that are given back.
pub struct Popularity {
    rankings: Rankings,
    waiting: Mutex<Vec<CountedSale>>,
}

impl Popularity {
    /// Counts for these rankings.
    #[must_use]
    pub fn new(rankings: Rankings) -> Self {
        Self { rankings, waiting: Mutex::default() }
    }

    async fn count(&self, waiting: &mut Vec<CountedSale>) -> Result<(), StoreError> {
        // What fails goes on waiting. Should it be delivered again besides, it is still counted once.
        self.rankings.count(waiting).await?;
        waiting.clear();
        Ok(())
    }
}

#[async_trait]
impl Consumer for Popularity {
    fn name(&self) -> &'static str {
        "popularity"
    }

    async fn consume(&self, event: &Event) -> Result<(), ConsumeError> {
        let Some(sale) = sale(event)? else { return Ok(()) };
        let mut waiting = self.waiting.lock().await;
        if waiting.len() >= WAITING_MAX {
            self.count(&mut waiting).await?;
        }
        waiting.push(sale);
        if waiting.len() % BATCH == 0 {
            self.count(&mut waiting).await?;
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), ConsumeError> {
        Ok(self.count(&mut *self.waiting.lock().await).await?)
    }
}

/// What an event says was sold or given back, if it says so.
fn sale(event: &Event) -> Result<Option<CountedSale>, ConsumeError> {
    let sign = match event.event_type {
        EventType::OrderPaid => 1,
        EventType::OrderCancelled => -1,
        _ => return Ok(None),
    };
    let order = OrderData::deserialize(&event.data).map_err(ConsumeError::new)?;
    // An order that was cancelled before it was paid has never been counted.
    let Some(payment) = order.payment else { return Ok(None) };
    let paid_at: jiff::Timestamp = payment.paid_at.parse().map_err(ConsumeError::new)?;
    let (sold, units) = match (order.performance_id, order.item_id) {
        (Some(performance), None) => {
            (Sold::Performance(PerformanceId(performance)), order.seats.map_or(0, |seats| seats.len()))
        }
        (None, Some(item)) => (Sold::Item(item), order.count.unwrap_or(0) as usize),
        _ => return Err(ConsumeError::new("an order is for a performance or for an item")),
    };
    Ok(Some(CountedSale {
        event: event.id.clone(),
        sold,
        units: sign * i64::try_from(units).map_err(ConsumeError::new)?,
        paid_at: Timestamp(paid_at.as_millisecond()),
    }))
}

/// What matters here of an order's data. See [`onsale_engine::events::order_data`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderData {
    performance_id: Option<i64>,
    seats: Option<Vec<serde::de::IgnoredAny>>,
    item_id: Option<i64>,
    count: Option<u32>,
    payment: Option<PaymentData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentData {
    paid_at: String,
}
