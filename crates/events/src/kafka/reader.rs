//! A member of a consumer group. What was consumed is committed after its effect, and what fails is
//! tried again without keeping other partitions waiting.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use rdkafka::{
    ClientContext, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance, StreamConsumer},
    error::KafkaError,
    message::BorrowedMessage,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::{KafkaSettings, cannot_set_up};
use crate::{
    TransportError,
    delivery::{Recipient, longer},
    transport::stop_asked,
};

/// How many events may be consumed before their effects are made to last.
const UNFLUSHED_MAX: usize = 500;

/// How long to wait before joining is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long to wait after an error. Errors come in a queue with the events, many while a broker is down:
/// whoever lingers over each is late when it is back.
const AFTER_ERROR: Duration = Duration::from_millis(5);

/// How often such errors are told.
const TELL: Duration = Duration::from_secs(10);

/// Tells when partitions come or go.
#[derive(Default)]
struct Rebalances(AtomicBool);

impl ClientContext for Rebalances {}

impl ConsumerContext for Rebalances {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, _: &Rebalance<'_>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

type Partition = (String, i32);

/// A partition whose next event has failed.
struct Held {
    offset: i64,
    delay: Duration,
    until: Instant,
}

struct Member {
    consumer: StreamConsumer<Rebalances>,
    recipient: Recipient,
    /// The offset after the last event consumed, where it is not yet stored.
    done: HashMap<Partition, i64>,
    held: HashMap<Partition, Held>,
    /// The last delay of a partition, for the next one.
    delays: HashMap<Partition, Duration>,
    unflushed: usize,
    /// When an error was last told.
    told: Option<Instant>,
}

/// Brings events to a consumer until it is time to stop.
pub(super) async fn run(
    settings: Arc<KafkaSettings>,
    recipient: Recipient,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let consumer = tokio::select! {
            () = stop_asked(&mut stopping) => return,
            joined = join(&settings, &recipient) => joined,
        };
        let mut member = Member {
            consumer,
            recipient: recipient.clone(),
            done: HashMap::new(),
            held: HashMap::new(),
            delays: HashMap::new(),
            unflushed: 0,
            told: None,
        };
        let failed = tokio::select! {
            () = stop_asked(&mut stopping) => None,
            error = member.work() => Some(error),
        };
        member.settle().await;
        // Leaving the group waits for the broker.
        let _ = tokio::task::spawn_blocking(move || drop(member)).await;
        let Some(error) = failed else { return };
        tracing::warn!(%error, consumer = recipient.consumer.name(), "joins its group anew");
    }
}

/// Joins the group, as soon as there are topics.
async fn join(settings: &KafkaSettings, recipient: &Recipient) -> StreamConsumer<Rebalances> {
    loop {
        match try_join(settings, recipient).await {
            Ok(consumer) => return consumer,
            Err(error) => {
                tracing::warn!(%error, consumer = recipient.consumer.name(), "cannot read events yet");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn try_join(
    settings: &KafkaSettings,
    recipient: &Recipient,
) -> Result<StreamConsumer<Rebalances>, TransportError> {
    settings.make_topics().await?;
    let mut config = settings.client();
    config
        .set("group.id", format!("{}-{}", settings.group_prefix, recipient.consumer.name()))
        .set("auto.offset.reset", "earliest")
        // What we have stored is committed now and then, and before a partition goes to somebody else.
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "1000")
        .set("enable.auto.offset.store", "false")
        .set("session.timeout.ms", "6000")
        .set("partition.assignment.strategy", "cooperative-sticky");
    let consumer: StreamConsumer<Rebalances> =
        settings.finish(config).create_with_context(Rebalances::default()).map_err(cannot_set_up)?;
    consumer.subscribe(&settings.topics()).map_err(TransportError::new)?;
    Ok(consumer)
}

impl Member {
    /// Consumes event after event. Returns with an error after which nothing more comes.
    async fn work(&mut self) -> KafkaError {
        loop {
            // While more is at hand, effects are gathered.
            let at_hand = self.consumer.recv().now_or_never().map(|received| received.map(Received::of));
            let received = match at_hand {
                Some(received) if self.unflushed < UNFLUSHED_MAX => received,
                at_hand => {
                    self.settle().await;
                    match at_hand {
                        Some(received) => received,
                        None => match self.wait().await {
                            Some(received) => received,
                            None => continue,
                        },
                    }
                }
            };
            match received {
                Ok(received) => self.take(received).await,
                Err(error @ KafkaError::MessageConsumptionFatal(_)) => return error,
                Err(error) => {
                    if self.told.is_none_or(|told| told.elapsed() >= TELL) {
                        self.told = Some(Instant::now());
                        tracing::warn!(%error, consumer = self.recipient.consumer.name(), "cannot read events");
                    }
                    sleep(AFTER_ERROR).await;
                }
            }
        }
    }

    /// Waits for the next event; none if it is time to try again what has failed.
    async fn wait(&mut self) -> Option<Result<Received, KafkaError>> {
        let due = self.held.values().map(|held| held.until).min();
        let due_or_never = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            received = self.consumer.recv() => return Some(received.map(Received::of)),
            () = due_or_never => {}
        }
        let now = Instant::now();
        let due: Vec<_> =
            self.held.iter().filter(|(_, held)| held.until <= now).map(|(key, _)| key.clone()).collect();
        for partition in due {
            self.release(&partition);
        }
        None
    }

    async fn take(&mut self, received: Received) {
        let Received { partition, offset, text } = received;
        if self.consumer.context().0.swap(false, Ordering::SeqCst) {
            // Some of what is held may be somebody else's by now, or have come back from there.
            let was_held = self.held.contains_key(&partition);
            for held in self.held.keys().cloned().collect::<Vec<_>>() {
                self.release(&held);
            }
            if was_held {
                return;
            }
        }
        if self.held.contains_key(&partition) {
            // It was on its way when the one before it failed, and comes again after it.
            return;
        }
        match self.recipient.offer(&text).await {
            Ok(()) => {
                self.delays.remove(&partition);
                self.done.insert(partition, offset + 1);
                self.unflushed += 1;
            }
            Err(_) => self.hold(partition, offset),
        }
    }

    /// Stops reading a partition, and goes back to an event.
    fn hold(&mut self, partition: Partition, offset: i64) {
        let delay = longer(self.delays.get(&partition).copied());
        self.delays.insert(partition.clone(), delay);
        let (topic, number) = (&partition.0, partition.1);
        // Errors mean that it is somebody else's by now.
        let _ = self.consumer.pause(&one(&partition));
        let _ = self.consumer.seek(topic, number, Offset::Offset(offset), Duration::ZERO);
        self.held.insert(partition, Held { offset, delay, until: Instant::now() + delay });
    }

    /// Reads a partition on, from the event that has failed.
    fn release(&mut self, partition: &Partition) {
        let Some(held) = self.held.remove(partition) else { return };
        let (topic, number) = (&partition.0, partition.1);
        tracing::debug!(topic, number, offset = held.offset, delay = ?held.delay, "tried again");
        let _ = self.consumer.seek(topic, number, Offset::Offset(held.offset), Duration::ZERO);
        let _ = self.consumer.resume(&one(partition));
    }

    /// Makes effects last, and notes them as done.
    async fn settle(&mut self) {
        if self.unflushed == 0 {
            return;
        }
        self.recipient.flush().await;
        for ((topic, partition), next) in self.done.drain() {
            // An error means that it is somebody else's by now, who gets these events again.
            let _ = self.consumer.store_offset(&topic, partition, next - 1);
        }
        self.unflushed = 0;
    }
}

/// An event as it came.
struct Received {
    partition: Partition,
    offset: i64,
    text: String,
}

impl Received {
    #[expect(clippy::needless_pass_by_value, reason = "it is given to `map`")]
    fn of(message: BorrowedMessage<'_>) -> Self {
        Self {
            partition: (message.topic().to_owned(), message.partition()),
            offset: message.offset(),
            text: String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned(),
        }
    }
}

fn one((topic, partition): &Partition) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, *partition);
    list
}
