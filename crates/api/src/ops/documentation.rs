//! `GET /openapi.json` and `GET /docs`

use axum::{Router, extract::Request, middleware::map_response, response::Response, routing::get};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{
    door,
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
    let pages = Router::new().merge(pages).layer(map_response(async |mut response: Response| {
        door::secure_page(response.headers_mut());
        response
    }));
    Router::new().route("/openapi.json", get(Observe::route("/openapi.json").handler(answer))).merge(pages)
}
