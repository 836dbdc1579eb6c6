//! Notifications by e-mail.

use std::time::Duration;

use async_trait::async_trait;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message as Email, Tokio1Executor,
    address::AddressError,
    message::{Mailbox, header::ContentType},
    transport::smtp::{self, PoolConfig},
};
use onsale_engine::accounts::on_the_way;

use super::{Message, Notifier, NotifyError};

/// The most connections to the server.
const CONNECTIONS_MAX: u32 = 4;

/// How long an answer of the server may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends e-mails through an SMTP server.
pub struct SmtpNotifier {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Why no e-mails can be sent.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    /// The server's URL is none.
    #[error("the URL of the SMTP server: {0}")]
    Url(#[from] smtp::Error),
    /// The sender's address is none.
    #[error("the sender's address: {0}")]
    From(#[from] AddressError),
}

impl SmtpNotifier {
    /// Sends through the server at `url`, for instance `smtps://USER:PASSWORD@HOST` or
    /// `smtp://HOST:587?tls=required`, from an address such as `Onsale <tickets@example.com>`. Connects
    /// when there is something to send. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// If one of them cannot be understood.
    pub fn new(url: &str, from: &str) -> Result<Self, SmtpError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?
            .timeout(Some(TIMEOUT))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS_MAX))
            .build();
        let mut from: Mailbox = from.parse()?;
        from.email = on_the_way(from.email.as_ref()).parse()?;
        Ok(Self { transport, from })
    }

    fn email(&self, message: &Message) -> Result<Email, NotifyError> {
        if message.email.is_empty() {
            return Err(NotifyError::Nowhere);
        }
        let never = |why: String| NotifyError::Never(why);
        let address: Address =
            on_the_way(&message.email).parse().map_err(|error: AddressError| never(error.to_string()))?;
        let to = Mailbox::new(Some(message.name.clone()).filter(|name| !name.is_empty()), address);
        Email::builder()
            .from(self.from.clone())
            .to(to)
            .subject(message.subject.clone())
            // The same each time, so that mail programs show it once.
            .message_id(Some(format!("<{}@{}>", message.id, self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN)
            .body(message.text.clone())
            .map_err(|error| never(error.to_string()))
    }
}

#[async_trait]
impl Notifier for SmtpNotifier {
    async fn notify(&self, message: &Message) -> Result<(), NotifyError> {
        match self.transport.send(self.email(message)?).await {
            Ok(_) => Ok(()),
            // 5yz: the server will say the same tomorrow.
            Err(error) if error.is_permanent() => Err(NotifyError::Never(error.to_string())),
            Err(error) => Err(NotifyError::Later(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use onsale_domain::ids::UserId;

    use super::*;

    fn message(email: &str) -> Message {
        Message {
            id: "1".to_owned(),
            user: UserId(1),
            name: "Ann".to_owned(),
            email: email.to_owned(),
            subject: "Paid".to_owned(),
            text: "Thank you".to_owned(),
        }
    }

    #[tokio::test]
    async fn hosts_travel_in_ascii() {
        let notifier = SmtpNotifier::new("smtp://127.0.0.1:9", "Onsale <tickets@müller.example>").unwrap();
        let email = notifier.email(&message("kim@bücher.example")).unwrap();
        assert_eq!(email.envelope().to()[0].as_ref() as &str, "kim@xn--bcher-kva.example");
        let from = email.envelope().from().unwrap();
        assert_eq!(from.as_ref() as &str, "tickets@xn--mller-kva.example");
        let text = String::from_utf8(email.formatted()).unwrap();
        assert!(text.is_ascii() && text.contains("<kim@xn--bcher-kva.example>"), "{text}");
    }

    #[tokio::test]
    async fn whose_address_is_not_known_is_sent_nothing() {
        // Nobody listens there.
        let notifier = SmtpNotifier::new("smtp://127.0.0.1:9", "tickets@example.com").unwrap();
        let nowhere = notifier.notify(&message("")).await;
        assert!(matches!(nowhere, Err(NotifyError::Nowhere)), "{nowhere:?}");
        let later = notifier.notify(&message("ann@example.com")).await;
        assert!(matches!(later, Err(NotifyError::Later(_))), "{later:?}");
        let never = notifier.notify(&message("no address")).await;
        assert!(matches!(never, Err(NotifyError::Never(_))), "{never:?}");
    }
}
