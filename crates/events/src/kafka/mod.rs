//! The transport over Kafka, and what speaks its protocol.

mod reader;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::join_all;
use onsale_engine::{secret::HIDDEN, vitals::Vitals};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{FutureProducer, FutureRecord},
};
use tokio::sync::Mutex;

use crate::{Consumer, Event, Subscription, Transport, TransportError, delivery::Recipient};

/// How long the broker may take to answer a question about topics.
const ASK_MAX: Duration = Duration::from_secs(10);

/// How Kafka is used.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// Where events about orders and points go.
    pub topic_orders: String,
    /// Where events about everything else go.
    pub topic_catalogue: String,
    /// How many partitions a topic gets that is not there yet.
    pub partitions: u16,
    /// What the names of our consumers' groups begin with.
    pub group_prefix: String,
    /// Further settings of librdkafka, such as those for TLS and passwords; they win over ours.
    pub properties: Vec<(String, String)>,
}

/// Without the values of properties: passwords are among them.
impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let properties: Vec<_> = self.properties.iter().map(|(key, _)| key).collect();
        f.debug_struct("KafkaSettings")
            .field("brokers", &self.brokers)
            .field("properties", &properties)
            .finish_non_exhaustive()
    }
}

impl KafkaSettings {
    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("client.id", "onsale");
        // A broker that is away is told once in our own words.
        config.set("log.connection.close", "false").set("reconnect.backoff.max.ms", "1000");
        config
    }

    fn finish(&self, mut config: ClientConfig) -> ClientConfig {
        for (key, value) in &self.properties {
            config.set(key, value);
        }
        config
    }

    fn topics(&self) -> [&str; 2] {
        [&self.topic_orders, &self.topic_catalogue]
    }

    fn topic_of(&self, event: &Event) -> &str {
        let name = event.event_type.as_str();
        let of_a_buyer = name.starts_with("onsale.order.") || name.starts_with("onsale.points.");
        if of_a_buyer { &self.topic_orders } else { &self.topic_catalogue }
    }

    /// Makes the topics that are missing.
    async fn make_topics(&self) -> Result<(), TransportError> {
        let admin: AdminClient<DefaultClientContext> =
            self.finish(self.client()).create().map_err(cannot_set_up)?;
        // As many copies as the broker's own setting says.
        let topic = |name| NewTopic::new(name, i32::from(self.partitions), TopicReplication::Fixed(-1));
        let topics = self.topics().map(topic);
        let options = AdminOptions::new().request_timeout(Some(ASK_MAX)).operation_timeout(Some(ASK_MAX));
        let made = admin.create_topics(&topics, &options).await.map_err(TransportError::new)?;
        for made in made {
            match made {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, error)) => {
                    return Err(TransportError(format!("cannot make the topic `{topic}`: {error}")));
                }
            }
        }
        Ok(())
    }
}

/// Events in topics of Kafka, the key deciding over the partition. Consumers of one name are one group.
pub struct KafkaTransport {
    settings: Arc<KafkaSettings>,
    /// None before the first use, and after one that it could not recover from.
    producer: Mutex<Option<FutureProducer>>,
    vitals: Vitals,
}

impl KafkaTransport {
    /// A transport over these brokers. They may be down: then events are late.
    ///
    /// # Errors
    /// If librdkafka does not know a property, or not its value.
    pub fn new(settings: KafkaSettings) -> Result<Self, TransportError> {
        // Connects to nobody yet.
        let _: FutureProducer = producer(&settings)?;
        Ok(Self { settings: Arc::new(settings), producer: Mutex::new(None), vitals: Vitals::default() })
    }

    /// Enrols what brings events to consumers among the parts of a node.
    #[must_use]
    pub fn among(self, vitals: Vitals) -> Self {
        Self { vitals, ..self }
    }
}

fn producer(settings: &KafkaSettings) -> Result<FutureProducer, TransportError> {
    let mut config = settings.client();
    config
        .set("enable.idempotence", "true")
        // Waits for as long as the broker is down. Giving up on one message while the next goes out would
        // break the order of a key.
        .set("message.timeout.ms", "0")
        .set("linger.ms", "2");
    settings.finish(config).create().map_err(cannot_set_up)
}

/// Names the property that is wrong, and never its value, which may be a password.
pub(super) fn cannot_set_up(error: KafkaError) -> TransportError {
    match error {
        KafkaError::ClientConfig(_, reason, key, value) => {
            let reason = if value.is_empty() { reason } else { reason.replace(&value, HIDDEN) };
            TransportError(format!("{key}: {reason}"))
        }
        error => TransportError::new(error),
    }
}

#[async_trait]
impl Transport for KafkaTransport {
    async fn publish(&self, events: &[Event]) -> Result<(), TransportError> {
        let mut slot = self.producer.lock().await;
        let producer = match slot.take() {
            Some(producer) => producer,
            None => {
                self.settings.make_topics().await?;
                producer(&self.settings)?
            }
        };
        let mut deliveries = Vec::with_capacity(events.len());
        for event in events {
            let payload = event.to_json();
            let record = FutureRecord::to(self.settings.topic_of(event)).key(&event.key).payload(&payload);
            let sent = producer.send_result(record.timestamp(event.time.0));
            deliveries.push(sent.map_err(|(error, _)| TransportError::new(error))?);
        }
        for delivery in join_all(deliveries).await {
            let delivered = delivery.map_err(TransportError::new)?;
            delivered.map_err(|(error, _)| TransportError::new(error))?;
        }
        // Only one that has delivered everything is used again.
        *slot = Some(producer);
        Ok(())
    }

    fn subscribe(&self, consumer: Arc<dyn Consumer>) -> Subscription {
        let (settings, recipient) = (self.settings.clone(), Recipient::new(consumer));
        let name = format!("the consumer of events `{}`", recipient.consumer.name());
        Subscription::start(&self.vitals, name, move |stopping| {
            reader::run(settings.clone(), recipient.clone(), stopping)
        })
    }
}
