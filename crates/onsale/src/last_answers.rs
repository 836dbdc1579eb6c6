//! What a node that is about to stop adds to its answers.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::{
    extract::Request,
    http::{HeaderValue, Version, header},
    response::Response,
};
use pin_project_lite::pin_project;
use tower::Service;

/// Closes each connection after its next answer while the node is `draining`, so that whoever keeps
/// one opens the next elsewhere, and none is cut when the node stops.
#[derive(Clone)]
pub(crate) struct LastAnswers<S> {
    inner: S,
    draining: Arc<AtomicBool>,
}

impl<S> LastAnswers<S> {
    pub(crate) const fn new(inner: S, draining: Arc<AtomicBool>) -> Self {
        Self { inner, draining }
    }
}

impl<S: Service<Request, Response = Response, Error = Infallible>> Service<Request> for LastAnswers<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // Later versions of HTTP have no such header: their connections end otherwise.
        let has_header = request.version() <= Version::HTTP_11;
        Answering { inner: self.inner.call(request), draining: self.draining.clone(), has_header }
    }
}

pin_project! {
    /// An answer in the making.
    pub(crate) struct Answering<F> {
        #[pin]
        inner: F,
        draining: Arc<AtomicBool>,
        has_header: bool,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Answering<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(context))?;
        if *this.has_header && this.draining.load(Ordering::Relaxed) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(response))
    }
}
