//! Path, query and whole-request extractors whose rejections are problems.

use std::convert::Infallible;

use axum::{
    extract::{
        FromRequest, FromRequestParts, Path, Query, Request, path::ErrorKind, rejection::PathRejection,
    },
    http::{Uri, request::Parts, uri::PathAndQuery},
};
use serde::de::DeserializeOwned;

use crate::problem::{Kind, Problem};

/// Identifiers in the path.
pub(crate) struct ApiPath<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for ApiPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::new(Kind::InvalidRequest, what_is_wrong(rejection))),
        }
    }
}

fn what_is_wrong(rejection: PathRejection) -> String {
    match rejection {
        PathRejection::FailedToDeserializePathParams(error) => match error.into_kind() {
            ErrorKind::ParseError { value, .. } | ErrorKind::ParseErrorAtKey { value, .. } => {
                format!("`{value}` is not an id")
            }
            kind => kind.to_string(),
        },
        other => other.body_text(),
    }
}

/// Parameters in the query string. Unknown ones are refused.
pub(crate) struct ApiQuery<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        query(&parts.uri).map(Self)
    }
}

/// Reads the query string.
pub(crate) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    match Query::<T>::try_from_uri(uri) {
        Ok(Query(value)) => Ok(value),
        Err(rejection) => Err(Problem::new(Kind::InvalidRequest, rejection.body_text())),
    }
}

/// A request that is only read: its head, moved rather than copied.
pub(crate) struct Head(pub(crate) Parts);

impl Head {
    /// The path with the query string.
    pub(crate) fn address(&self) -> &str {
        self.0.uri.path_and_query().map_or("/", PathAndQuery::as_str)
    }
}

impl<S: Sync> FromRequest<S> for Head {
    type Rejection = Infallible;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(request.into_parts().0))
    }
}

/// A page size within bounds.
pub(crate) fn size(asked: Option<u32>, default: u32, max: u32) -> Result<u32, Problem> {
    match asked {
        None => Ok(default),
        Some(size) if (1..=max).contains(&size) => Ok(size),
        Some(_) => Err(Problem::field("size", &format!("must be between 1 and {max}"))),
    }
}

/// The highest page that can be asked for.
pub(crate) const PAGE_MAX: u32 = 1_000_000;

/// A page number within bounds.
pub(crate) fn page(asked: Option<u32>) -> Result<u32, Problem> {
    match asked {
        Some(page) if page > PAGE_MAX => {
            Err(Problem::field("page", &format!("must be between 0 and {PAGE_MAX}")))
        }
        page => Ok(page.unwrap_or(0)),
    }
}
