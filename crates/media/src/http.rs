//! HTTP for the store of objects, by the client that the webhooks use. What `object_store` would bring
//! itself is another version of it and takes minutes of C to build.

use std::{io::ErrorKind, time::Duration};

use async_trait::async_trait;
use object_store::{
    ClientOptions, Result,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
        HttpService,
    },
};
use reqwest::{Body, Client, Request, redirect};

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// How long the store may say nothing.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// How long an answer may take in all.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// The most bytes of an answer: a picture, or a list of a thousand.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Carries requests to the store.
#[derive(Clone, Debug)]
pub(crate) struct Http(Client);

impl Http {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_MAX)
            .read_timeout(SILENCE_MAX)
            .timeout(ANSWER_MAX)
            .build()?;
        Ok(Self(client))
    }
}

impl HttpConnector for Http {
    fn connect(&self, _options: &ClientOptions) -> Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Http {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let unknown = |error| HttpError::new(HttpErrorKind::Unknown, error);
        let url = head.uri.to_string().parse().map_err(unknown)?;
        let mut request = Request::new(head.method, url);
        *request.headers_mut() = head.headers;
        *request.body_mut() = Some(match body.as_bytes() {
            Some(bytes) => bytes.clone().into(),
            None => Body::wrap(body),
        });
        let mut answer = self.0.execute(request).await.map_err(failed)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                let error = std::io::Error::new(ErrorKind::FileTooLarge, "the store's answer is too large");
                return Err(HttpError::new(HttpErrorKind::Decode, error));
            }
            bytes.extend_from_slice(&chunk);
        }
        let mut response = HttpResponse::new(HttpResponseBody::from(bytes));
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

/// All that we send may be sent again, so what is tried again need not be told apart any better.
fn failed(error: reqwest::Error) -> HttpError {
    let kind = if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else {
        HttpErrorKind::Interrupted
    };
    HttpError::new(kind, error.without_url())
}
