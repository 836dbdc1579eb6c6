//! `GET /livez`

/// Whether the process answers
#[utoipa::path(get, path = "/livez", tag = "operation",
    responses((status = 200, description = "It does", content_type = "text/plain", body = String)))]
pub(super) async fn livez() -> &'static str {
    "ok\n"
}
