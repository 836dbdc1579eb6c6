//! `/readyz`: whether requests should be sent here.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use reqwest::{Method, StatusCode};

use crate::server::Server;

async fn ready(server: &Server) -> (StatusCode, String) {
    let answer = server.request(Method::GET, "/readyz").send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_node_that_is_about_to_stop_is_not_ready_and_serves_on() {
    let draining = Arc::<AtomicBool>::default();
    let server = Server::start_with(|mut settings| {
        settings.draining = draining.clone();
        settings
    });
    let server = server.await;
    assert_eq!(ready(&server).await.0, StatusCode::OK);
    draining.store(true, Ordering::Relaxed);
    let (status, text) = ready(&server).await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && text.contains("about to stop"), "{text}");
    for path in ["/livez", "/api/v1/concerts"] {
        let answer = server.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_node_whose_background_tasks_have_ended_is_not_ready() {
    let server = Server::start().await;
    assert_eq!(ready(&server).await.0, StatusCode::OK);
    server.engine.stop().await;
    let (status, text) = ready(&server).await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && text.contains("has failed"), "{text}");
}
