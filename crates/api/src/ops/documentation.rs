//! `GET /openapi.json` and `GET /docs`

use axum::{Router, extract::Request, routing::get};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{
    encoded::{Encoded, Freshness},
    observe::Observe,
};

pub(super) fn router(document: &OpenApi) -> Router {
    let body = document.to_json().expect("the document is plain JSON").into_bytes();
    let document = Encoded::new(body, Freshness::Short);
    let answer = async move |request: Request| {
        let headers = request.headers().clone();
        document.answer(&headers).await
    };
    let pages = SwaggerUi::new("/docs").config(Config::from("/openapi.json").try_it_out_enabled(true));
    Router::new().route("/openapi.json", get(Observe::route("/openapi.json").handler(answer))).merge(pages)
}
