//! The contract of the way that events go, on a real broker.
#![cfg(feature = "kafka")]

mod kafka {
    use std::sync::Arc;

    use onsale_contract::events::Way;
    use onsale_events::{KafkaSettings, KafkaTransport, Transport};
    use onsale_testbed::KafkaBroker;

    struct Broker {
        address: String,
    }

    impl Way for Broker {
        fn node(&self) -> Arc<dyn Transport> {
            let settings = KafkaSettings {
                brokers: self.address.clone(),
                topic_orders: "test.orders".to_owned(),
                topic_catalogue: "test.catalogue".to_owned(),
                partitions: 6,
                group_prefix: "test".to_owned(),
                properties: Vec::new(),
            };
            Arc::new(KafkaTransport::new(settings).expect("the settings are known"))
        }
    }

    async fn fresh() -> (Arc<dyn Way>, KafkaBroker) {
        let broker = tokio::task::spawn_blocking(KafkaBroker::new).await.expect("the broker starts");
        (Arc::new(Broker { address: broker.address().to_string() }), broker)
    }

    onsale_contract::transport_contract!(fresh);
}
