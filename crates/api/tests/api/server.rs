//! A running server, and a walk through its calls that is written down.

use std::{fmt::Write, net::SocketAddr, sync::Arc, time::Duration};

use onsale_api::ApiSettings;
use onsale_coordination::LocalCoordination;
use onsale_domain::{money::Currency, time::Timestamp, user::Role, wallet::PointsFrom};
use onsale_engine::{
    Engine, Settings, accounts::AccountSettings, clock::ManualClock, ids::CountingIds, owners::OwnerCheck,
    webhooks::WebhookSettings,
};
use onsale_media::MediaFolder;
use onsale_store::{SqlStore, StoreOptions};
use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// When every test begins: 2026-11-21T10:00:00Z, 19:00 in Seoul.
pub(crate) const START: Timestamp = Timestamp(1_795_255_200_000);

/// A server on a port of its own, with a clock that stands still.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) stopping: watch::Sender<bool>,
    serving: JoinHandle<()>,
    pub(crate) folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(|settings| settings).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(ApiSettings) -> ApiSettings) -> Self {
        Self::start_with_clock(|settings, _| change(settings)).await
    }

    /// Starts with a door that may need the clock.
    pub(crate) async fn start_with_clock(
        change: impl FnOnce(ApiSettings, Arc<ManualClock>) -> ApiSettings,
    ) -> Self {
        // Apart: futures in futures have a limit.
        Box::pin(Self::start_with_engine(OwnerCheck::On, change, |engine| engine)).await
    }

    /// Starts a server that may not ask whose things are, or whose engine has more to it.
    pub(crate) async fn start_with_engine(
        owner_check: OwnerCheck,
        change: impl FnOnce(ApiSettings, Arc<ManualClock>) -> ApiSettings,
        complete: impl FnOnce(Engine) -> Engine,
    ) -> Self {
        Self::start_with_all(|settings| Settings { owner_check, ..settings }, change, complete).await
    }

    /// As [`Server::start_with_engine`], with other settings of the engine.
    pub(crate) async fn start_with_all(
        of_engine: impl FnOnce(Settings) -> Settings,
        change: impl FnOnce(ApiSettings, Arc<ManualClock>) -> ApiSettings,
        complete: impl FnOnce(Engine) -> Engine,
    ) -> Self {
        Self::start_over(None, of_engine, change, complete).await
    }

    /// Starts on an empty database of a server.
    pub(crate) async fn start_on(url: &str) -> Self {
        Box::pin(Self::start_over(Some(url), |settings| settings, |settings, _| settings, |engine| engine))
            .await
    }

    async fn start_over(
        url: Option<&str>,
        of_engine: impl FnOnce(Settings) -> Settings,
        change: impl FnOnce(ApiSettings, Arc<ManualClock>) -> ApiSettings,
        complete: impl FnOnce(Engine) -> Engine,
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let file = SqlStore::file_url(&folder.path().join("onsale.db")).unwrap();
        let url = url.map_or(file, str::to_owned);
        let store = SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.unwrap();
        let clock = Arc::new(ManualClock::new(START));
        let points_from = PointsFrom::Anyone;
        let settings = of_engine(Settings { webhooks: webhooks(), points_from, ..Settings::new(accounts()) });
        let ids = Arc::new(CountingIds::default());
        let time = clock.clone();
        let engine = Engine::start_with_rooms(Arc::new(store), clock.clone(), ids, settings, |journal| {
            Arc::new(LocalCoordination::new(journal, time))
        });
        let media = MediaFolder::open(&folder.path().join("media")).await.unwrap();
        let engine = Arc::new(complete(engine.await.unwrap().with_media(Arc::new(media))));
        let stopping = watch::Sender::new(false);
        let mut api = change(ApiSettings::new(Currency::KRW), clock.clone());
        api.stopping = Some(stopping.subscribe());
        let router = onsale_api::router(engine.clone(), api, || "a_metric 1\n".to_owned());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
        });
        let client = Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Self { url, client, clock, engine, stopping, serving, folder }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Makes an account and logs it in.
    pub(crate) async fn log_in(&self, name: &str, role: Role) -> String {
        let email = format!("{name}@example.com");
        let user = self.engine.accounts.register(&email, "correct horse", name, role).await.unwrap();
        self.engine.accounts.begin_session(user.id, role).await.unwrap().access
    }

    /// Begins a walk with an organiser and a buyer logged in.
    pub(crate) async fn walk(self) -> Walk {
        let organiser = self.log_in("organiser", Role::Organiser).await;
        let buyer = self.log_in("buyer", Role::User).await;
        Walk { server: self, organiser, buyer, text: String::new() }
    }
}

/// Cheap passwords: what they cost is tested elsewhere.
fn accounts() -> AccountSettings {
    AccountSettings {
        signing_key: vec![7; 32],
        access_s: 3_600,
        refresh_s: 7 * 86_400,
        refresh_grace_s: 10,
        argon2_memory_kib: 8,
        argon2_passes: 1,
        hashing_threads: 1,
        hashing_queue_max: 64,
    }
}

/// Two types of events are enough.
fn webhooks() -> WebhookSettings {
    let event_types = ["onsale.order.held.v1", "onsale.order.paid.v1"].map(str::to_owned).to_vec();
    WebhookSettings { event_types, ..WebhookSettings::default() }
}

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

/// One or more requests and their answers, written down for a snapshot.
pub(crate) struct Walk {
    pub(crate) server: Server,
    pub(crate) organiser: String,
    pub(crate) buyer: String,
    text: String,
}

/// The headers that are worth writing down.
const HEADERS: [&str; 10] = [
    "location",
    "etag",
    "cache-control",
    "vary",
    "content-encoding",
    "retry-after",
    "www-authenticate",
    "idempotent-replayed",
    "allow",
    "content-type",
];

impl Walk {
    /// What has been written down.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Forgets what has been written down: the setting, which other tests show.
    pub(crate) fn forget(&mut self) {
        self.text.clear();
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.call(Method::GET, path, None, None).await
    }

    pub(crate) async fn get_as(&mut self, token: &str, path: &str) -> Answer {
        self.call(Method::GET, path, Some(token), None).await
    }

    pub(crate) async fn post(&mut self, token: &str, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(token), Some(body)).await
    }

    pub(crate) async fn put(&mut self, token: &str, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(token), Some(body)).await
    }

    pub(crate) async fn call(
        &mut self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        self.call_with(method, path, token, body, &[]).await
    }

    pub(crate) async fn call_with(
        &mut self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.server.request(method.clone(), path);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        self.note_request(&method, path, headers, body.as_ref());
        self.send(&method, path, request).await
    }

    /// Sends a request that is not as it should be.
    pub(crate) async fn send(&mut self, method: &Method, path: &str, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let json = serde_json::from_slice(&bytes).unwrap_or_else(|_| match bytes.len() {
            0 => Value::Null,
            _ => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
        });
        let answer = Answer { status, headers, json };
        crate::document::check(method, path, &answer);
        self.note_answer(&answer);
        answer
    }

    /// Writes down what a request was that [`Walk::send`] sends.
    pub(crate) fn note(&mut self, text: &str) {
        writeln!(self.text, "> {text}").unwrap();
    }

    fn note_request(&mut self, method: &Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) {
        self.note(&format!("{method} {path}"));
        for (name, value) in headers {
            let value = if *name == "Queue-Token" { "[token]" } else { value };
            self.note(&format!("{name}: {value}"));
        }
        if let Some(body) = body {
            self.note(&redacted(body).to_string());
        }
    }

    fn note_answer(&mut self, answer: &Answer) {
        writeln!(self.text, "{}", answer.status).unwrap();
        for name in HEADERS {
            let value = answer.headers.get(name).map(|value| value.to_str().unwrap());
            if let Some(value) = value.filter(|value| *value != "application/json") {
                writeln!(self.text, "{name}: {value}").unwrap();
            }
        }
        if !answer.json.is_null() {
            writeln!(self.text, "{:#}", redacted(&answer.json)).unwrap();
        }
        self.text.push('\n');
    }

    /// A small hall, a film and a concert: performances 1 (a screening with rules of a cinema) and
    /// 2 (a concert). Seats 1 to 10 are Stalls A, 11 to 20 Stalls B, 21 to 24 Balcony A.
    pub(crate) async fn set_up(&mut self) {
        let organiser = self.organiser.clone();
        self.post(&organiser, "/api/v1/admin/venues", json!({"name": "강남", "timeZone": "Asia/Seoul"}))
            .await;
        let hall = json!({"name": "1관", "sections": [
            {"name": "Stalls", "rows": 2, "seatsPerRow": 10},
            {"name": "Balcony", "rows": 1, "seatsPerRow": 4, "category": "Box"},
        ]});
        self.post(&organiser, "/api/v1/admin/venues/1/halls", hall).await;
        let film = json!({
            "kind": "movie", "title": "범죄도시 4", "grade": "15세 이상 관람가", "genre": "범죄",
            "releaseDate": "2024-04-24", "runningTime": 109,
            "thumbnailImage": "https://example.com/4.jpg",
        });
        self.post(&organiser, "/api/v1/admin/shows", film).await;
        let concert = json!({"kind": "concert", "title": "Han River Nights", "creator": "Mina Kim"});
        self.post(&organiser, "/api/v1/admin/shows", concert).await;
        // 21:00 to 00:01 in Seoul.
        let screening = json!({
            "showId": 1, "hallId": 1, "onSaleAt": "2026-11-01T00:00:00Z",
            "startsAt": "2026-11-22T21:00:00+09:00", "endsAt": "2026-11-23T00:01:00+09:00",
            "rules": {"holdSeconds": 300, "seatsPerBuyerMax": 5, "sideBySide": true},
            "prices": [
                {"category": "Standard", "grade": "A", "price": 14_000},
                {"category": "Box", "grade": "S", "price": 30_000},
            ],
        });
        self.post(&organiser, "/api/v1/admin/performances", screening).await;
        let date = json!({
            "showId": 2, "hallId": 1, "onSaleAt": "2026-11-21T20:00:00+09:00",
            "startsAt": "2026-12-24T19:00:00+09:00", "endsAt": "2026-12-24T21:00:00+09:00",
            "rules": {"holdSeconds": 300, "seatsPerBuyerMax": 100, "sideBySide": false},
            "prices": [{"category": "Standard", "grade": "R", "price": 99_000}],
        });
        self.post(&organiser, "/api/v1/admin/performances", date).await;
    }
}

/// Without tokens, which differ every time.
fn redacted(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match name.as_str() {
                "accessToken" | "refreshToken" | "token" | "secret" => (name.clone(), json!("[token]")),
                // These follow from secrets or from chance.
                "commitment" | "seed" | "checksum" if value.is_string() => (name.clone(), json!("[secret]")),
                "pollAfterMs" => (name.clone(), json!("[chance]")),
                _ => (name.clone(), redacted(value)),
            })
            .collect(),
        Value::Array(items) => items.iter().map(redacted).collect(),
        other => other.clone(),
    }
}
