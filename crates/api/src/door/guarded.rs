//! What stands around each operation.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{extract::Request, handler::Handler, response::Response};
use futures_util::future::Either;
use pin_project_lite::pin_project;

use super::{Route, load::Permit};
use crate::Shared;

/// A handler behind the door.
#[derive(Clone)]
pub(crate) struct Guarded<H> {
    handler: H,
    route: Route,
}

impl<H> Guarded<H> {
    pub(crate) fn new(handler: H, route: Route) -> Self {
        Self { handler, route }
    }
}

type Boxed = Pin<Box<dyn Future<Output = Response> + Send>>;

impl<T: 'static, H: Handler<T, Shared>> Handler<T, Shared> for Guarded<H> {
    type Future = Either<Admitted<H::Future>, Boxed>;

    fn call(self, request: Request, api: Shared) -> Self::Future {
        let permit = match api.door.load.as_ref().map(|load| load.enter(self.route.priority)).transpose() {
            Ok(permit) => permit,
            Err(shed) => {
                let path = request.uri().path().to_owned();
                return Either::Right(Box::pin(async move { shed.answer().await.answer_at(&path) }));
            }
        };
        let limits = api.door.limits.as_ref();
        if !limits.is_some_and(|limits| limits.has_rules(self.route.group)) {
            return Either::Left(Admitted { answer: self.handler.call(request, api), permit });
        }
        Either::Right(Box::pin(async move {
            let _permit = permit;
            let (parts, body) = request.into_parts();
            let counted = match api.count(self.route.group, &parts).await {
                Ok(counted) => counted,
                Err(refused) => return refused,
            };
            let mut response = self.handler.call(Request::from_parts(parts, body), api).await;
            counted.note(&mut response);
            response
        }))
    }
}

pin_project! {
    /// An answer in the making that counts as a request under way.
    pub(crate) struct Admitted<F> {
        #[pin]
        answer: F,
        permit: Option<Permit>,
    }
}

impl<F: Future> Future for Admitted<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.project().answer.poll(context)
    }
}
