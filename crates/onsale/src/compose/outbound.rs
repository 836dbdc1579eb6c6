//! What goes out to others on its own: webhooks and notifications.

use std::{sync::Arc, time::Duration};

use onsale_engine::{clock::SystemClock, ids::RandomIds};
use onsale_events::{
    Consumer,
    deliveries::{Carriers, Courier, CourierSettings, Wake},
    notifications::{LogNotifier, NotificationConsumer, NotificationSender, Notifier, SmtpNotifier},
    webhooks::{Judged, SystemLookup, WebhookConsumer, WebhookSender},
};

use super::Base;
use crate::{
    config::{Config, Via},
    failure::Failure,
};

/// Who adds deliveries and who makes them.
pub(crate) struct Outbound {
    /// To be given every event.
    pub(crate) consumers: Vec<Arc<dyn Consumer>>,
    /// To be stopped after the consumers.
    pub(crate) courier: Courier,
}

impl Base {
    /// Begins to make deliveries.
    pub(crate) fn outbound(&self) -> Result<Outbound, Failure> {
        let (store, clock, wake) = (&self.store, Arc::new(SystemClock), Wake::default());
        let timeout = Duration::from_secs(self.config.webhooks.timeout_seconds);
        let policy = self.config.target_policy().map_err(Failure::Usage)?;
        let sender = WebhookSender::new(
            store.clone(),
            clock.clone(),
            policy,
            timeout,
            Arc::new(SystemLookup),
            Judged::AtTheConnection,
        );
        let sender = sender.map_err(Failure::of("cannot set up webhooks"))?;
        let mut carriers = Carriers { webhooks: Some(Arc::new(sender)), notifications: None };
        let mut consumers: Vec<Arc<dyn Consumer>> =
            vec![Arc::new(WebhookConsumer::new(store.clone(), clock.clone(), wake.clone()))];
        if let Some(notifier) = notifier(&self.config)? {
            let language = self.config.notifications.language.language();
            let sender = NotificationSender::new(store.clone(), clock.clone(), notifier, language);
            carriers.notifications = Some(Arc::new(sender));
            let reminder_ms = i64::from(self.config.notifications.reminder_seconds) * 1_000;
            let consumer = NotificationConsumer::new(store.clone(), clock.clone(), wake.clone(), reminder_ms);
            consumers.push(Arc::new(consumer));
        }
        let settings = CourierSettings {
            attempt_max: timeout + Duration::from_secs(5),
            under_way_max: self.config.webhooks.under_way_max,
            under_way_per_channel_max: self.config.webhooks.under_way_per_receiver_max,
            ..CourierSettings::default()
        };
        let ids = Arc::new(RandomIds::default());
        let courier = Courier::start_among(&self.vitals, store.clone(), clock, ids, carriers, wake, settings);
        Ok(Outbound { consumers, courier })
    }
}

/// Who hands notifications over, if anybody is told anything.
fn notifier(config: &Config) -> Result<Option<Arc<dyn Notifier>>, Failure> {
    let settings = &config.notifications;
    match settings.via {
        Via::Off => Ok(None),
        Via::Log => Ok(Some(Arc::new(LogNotifier))),
        Via::Smtp => {
            let notifier = SmtpNotifier::new(settings.smtp_url.expose(), &settings.from);
            let notifier = notifier.map_err(|error| Failure::Usage(format!("notifications: {error}")))?;
            Ok(Some(Arc::new(notifier)))
        }
    }
}
