//! The adaptive waiting room while the database slows down and recovers: a crowd of visitors, the real
//! server, a real database behind a proxy that holds its answers back; drawn second by second.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use onsale_domain::{
    ids::{PerformanceId, RoomId, SeatId},
    line::{Mode, RoomChange, RoomSettings, Schedule},
};
use onsale_engine::{
    line::{RoomDetails, RoomEdit},
    ports::Admits,
    sales::SaleSettings,
};
use onsale_testbed::FaultProxy;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::sleep,
};

use crate::{
    adaptive_plot, cpu, http,
    loader::percentile,
    requests::{self, QUEUE_TOKENS, RESERVATIONS},
    stage::{DAY_MS, Failure, Stage},
    work::Bench,
};

/// (from, to) of the slow time, and the end, in seconds.
pub(crate) const SLOW: (usize, usize) = (30, 55);
const SECONDS: usize = 90;

/// How long the calm latency is measured, first with a slow database, then with a usual one, in
/// seconds; and how many of these are left out at the beginning.
const CALM_SECONDS: usize = 30;
const SETTLING_SECONDS: usize = 5;

/// By how much each answer of the database is late in the slow time.
const DELAY: Duration = Duration::from_millis(20);

/// Visitors who go through the room and its sale again and again.
const VISITORS: usize = 1_500;

/// Admissions a second: at most so many in the calm time, and always at least so many.
const FLOOR: u32 = 10;
const CEILING: u32 = 300;

/// Seconds in which the rate must have followed, down and up.
const FOLLOWS_S: usize = 10;

/// The sale's latency may be so many times that of a calm sale.
const TIMES_CALM: f64 = 2.0;

/// A visitor asks at least so often, or the plot would show how seldom people ask.
const ASK_MS_MAX: u64 = 1_000;

/// What happened in a second.
#[derive(Clone, Debug)]
pub(crate) struct Second {
    /// Admissions a second, as the room's document tells.
    pub(crate) rate: f64,
    /// How long each hold took that was answered, in milliseconds.
    pub(crate) holds_ms: Vec<f64>,
}

/// The slowest hundredth of the holds while few are let in, in milliseconds, with the crowd waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calm {
    pub(crate) usual_ms: f64,
    pub(crate) slow_ms: f64,
}

/// What the visitors share.
struct Crowd {
    address: SocketAddr,
    room: RoomId,
    seats: Vec<(PerformanceId, SeatId)>,
    next_seat: AtomicU64,
    logins: Arc<Vec<String>>,
    /// Of this second.
    latencies_ms: Mutex<Vec<f64>>,
    failures: Mutex<Vec<String>>,
    over: AtomicBool,
}

impl Bench<'_> {
    /// Runs and draws it. Whether rate and latency were as promised.
    pub(crate) fn adaptive(&self, plot: &Path) -> Result<bool, Failure> {
        if !self.database.is_server {
            return Err("--adaptive needs a database server: --database URL".into());
        }
        self.progress.work("adaptive");
        let outside = crate::server::Server::runtime("visitors")?;
        let proxy = outside.block_on(FaultProxy::in_front_of(&self.database.url));
        let stage =
            Stage::open(&proxy.url(&self.database.url), SaleSettings::default(), self.metrics.clone())?;
        let crowd = Arc::new(stage.block_on(crowd(&stage))?);
        let (calm, seconds) = outside.block_on(async {
            let mut visitors = JoinSet::new();
            for number in 0..VISITORS {
                visitors.spawn(visit(crowd.clone(), number));
            }
            proxy.delay(DELAY);
            let slow_ms = calm_ms(&stage, &crowd).await?;
            proxy.delay(Duration::ZERO);
            let usual_ms = calm_ms(&stage, &crowd).await?;
            let settings = RoomChange::Settings(settings(CEILING));
            stage
                .engine
                .rooms
                .edit(crowd.room, RoomEdit { changes: vec![settings], ..RoomEdit::default() })
                .await?;
            let mut seconds = Vec::new();
            for second in 0..SECONDS {
                match second {
                    second if second == SLOW.0 => proxy.delay(DELAY),
                    second if second == SLOW.1 => proxy.delay(Duration::ZERO),
                    _ => {}
                }
                seconds.push(crowd.second(&stage).await?);
            }
            crowd.over.store(true, Relaxed);
            while visitors.join_next().await.is_some() {}
            Ok::<_, Failure>((Calm { usual_ms, slow_ms }, seconds))
        })?;
        adaptive_plot::draw(plot, &seconds, calm)?;
        self.progress.finish();
        println!("drawn in {}", plot.display());
        Ok(judge(&seconds, calm, &crowd.failures.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// A room in front of two large halls.
async fn crowd(stage: &Stage) -> Result<Crowd, Failure> {
    let hall = stage.add_hall(20_000).await?;
    let mut seats = Vec::new();
    let mut offers = Vec::new();
    for _ in 0..2 {
        let performance = stage.add_performance(&hall).await?;
        stage.engine.sales.view(performance).await?;
        seats.extend(hall.seats.iter().map(|seat| (performance, *seat)));
        offers.push(performance.into());
    }
    let rooms = &stage.engine.rooms;
    let details = RoomDetails {
        owner: None,
        name: "Rush".to_owned(),
        admits: Admits::Accounts,
        offers,
        settings: settings(FLOOR),
        schedule: Schedule::default(),
    };
    let room = rooms.add(details).await?.id;
    rooms.edit(room, RoomEdit { changes: vec![RoomChange::Open], ..RoomEdit::default() }).await?;
    Ok(Crowd {
        address: stage.server.address,
        room,
        seats,
        next_seat: AtomicU64::new(0),
        logins: requests::tokens(),
        latencies_ms: Mutex::default(),
        failures: Mutex::default(),
        over: AtomicBool::new(false),
    })
}

fn settings(ceiling: u32) -> RoomSettings {
    RoomSettings { pass_ms: DAY_MS, ..RoomSettings::new(Mode::Adaptive { floor: FLOOR, ceiling }) }
}

impl Crowd {
    /// Waits for a second, and tells what happened in it.
    async fn second(&self, stage: &Stage) -> Result<Second, Failure> {
        sleep(Duration::from_secs(1)).await;
        let document = stage.engine.rooms.document(self.room).await?;
        let mut latencies = self.latencies_ms.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Second {
            rate: document.admissions_per_second.unwrap_or_default(),
            holds_ms: std::mem::take(&mut *latencies),
        })
    }

    fn failed(&self, what: String) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

/// The slowest hundredth of the holds in the calm time that begins now, in milliseconds.
async fn calm_ms(stage: &Stage, crowd: &Crowd) -> Result<f64, Failure> {
    let mut seconds = Vec::new();
    for _ in 0..CALM_SECONDS {
        seconds.push(crowd.second(stage).await?);
    }
    Ok(percentile_ms(&seconds[SETTLING_SECONDS..], 99))
}

/// So many in a hundred of all holds in these seconds took no longer.
pub(crate) fn percentile_ms(seconds: &[Second], percent: usize) -> f64 {
    let mut latencies: Vec<f64> = seconds.iter().flat_map(|second| &second.holds_ms).copied().collect();
    latencies.sort_unstable_by(f64::total_cmp);
    percentile(&latencies, percent).unwrap_or(f64::NAN)
}

/// Goes through until it is over.
async fn visit(crowd: Arc<Crowd>, number: usize) {
    let gone_through = async {
        let mut visitor = Visitor::connect(crowd.clone(), number).await?;
        while !crowd.over.load(Relaxed)
            && let Some(latency_ms) = visitor.once().await?
        {
            crowd.latencies_ms.lock().unwrap_or_else(PoisonError::into_inner).push(latency_ms);
        }
        Ok::<_, Failure>(())
    };
    if let Err(failure) = gone_through.await {
        crowd.failed(failure.to_string());
    }
}

struct Visitor {
    crowd: Arc<Crowd>,
    login: usize,
    stream: TcpStream,
}

impl Visitor {
    async fn connect(crowd: Arc<Crowd>, login: usize) -> io::Result<Self> {
        let stream = TcpStream::connect(crowd.address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { crowd, login, stream })
    }

    /// Joins, waits, holds a seat and leaves. How long the hold took, in milliseconds; `None` if it is
    /// over before.
    async fn once(&mut self) -> Result<Option<f64>, Failure> {
        let join = format!("{{\"roomId\":{}}}", self.crowd.room);
        let mut standing = self.call("POST", QUEUE_TOKENS, None, Some(&join)).await?;
        while standing["status"] != "active" {
            if self.crowd.over.load(Relaxed) {
                return Ok(None);
            }
            let after_ms = standing["pollAfterMs"].as_u64().unwrap_or(ASK_MS_MAX).min(ASK_MS_MAX);
            sleep(Duration::from_millis(after_ms)).await;
            let token = standing["token"].as_str().ok_or("there is no token")?.to_owned();
            standing = self.call("GET", &format!("{QUEUE_TOKENS}/me"), Some(&token), None).await?;
        }
        let token = standing["token"].as_str().ok_or("there is no pass")?.to_owned();
        let number = usize::try_from(self.crowd.next_seat.fetch_add(1, Relaxed))?;
        let (performance, seat) = *self.crowd.seats.get(number).ok_or("all seats are taken")?;
        let hold = format!("{{\"performanceId\":{performance},\"seatIds\":[{seat}]}}");
        let begin = cpu::now();
        self.call("POST", RESERVATIONS, Some(&token), Some(&hold)).await?;
        let latency_ms = begin.elapsed().as_secs_f64() * 1e3;
        self.call("DELETE", &format!("{QUEUE_TOKENS}/me"), Some(&token), None).await?;
        Ok(Some(latency_ms))
    }

    /// One request. Any answer but a good one is a failure.
    async fn call(
        &mut self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&str>,
    ) -> Result<serde_json::Value, Failure> {
        let login = &self.crowd.logins[self.login];
        let token = token.map(|token| format!("queue-token: {token}\r\n")).unwrap_or_default();
        let body = body.unwrap_or_default();
        let key = self.crowd.next_seat.load(Relaxed);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {login}\r\n{token}\
             idempotency-key: {key}-{}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.login,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        loop {
            if self.stream.read_buf(&mut bytes).await? == 0 {
                return Err("the server hung up".into());
            }
            if let Some(answer) = http::parse(&bytes)? {
                let body = &bytes[answer.body_at..answer.end];
                if answer.status >= 300 {
                    let body = String::from_utf8_lossy(body);
                    return Err(format!("{method} {path}: {}: {body}", answer.status).into());
                }
                return Ok(serde_json::from_slice(body).unwrap_or_default());
            }
        }
    }
}

/// Compares with what is promised, and tells.
fn judge(seconds: &[Second], calm: Calm, failures: &[String]) -> bool {
    let mean = |part: &[Second]| part.iter().map(|second| second.rate).sum::<f64>() / part.len() as f64;
    let (before, slow) = (&seconds[SLOW.0 - 10..SLOW.0], &seconds[SLOW.0 + FOLLOWS_S..SLOW.1]);
    let after = &seconds[SLOW.1 + FOLLOWS_S..];
    let check = |what: &str, value: String, kept: bool| {
        println!("  {} {what}: {value}", if kept { "ok    " } else { "BROKEN" });
        kept
    };
    let (rate_before, rate_slow, rate_after) = (mean(before), mean(slow), mean(after));
    let latency = |what: &str, part: &[Second], calm_ms: f64| {
        let p99_ms = percentile_ms(part, 99);
        let holds: usize = part.iter().map(|second| second.holds_ms.len()).sum();
        let median_ms = percentile_ms(part, 50);
        let value = format!("{p99_ms:.1}, {calm_ms:.1} when calm ({holds} holds, median {median_ms:.1})");
        check(what, value, p99_ms <= TIMES_CALM * calm_ms)
    };
    let down = format!("{rate_before:.0} before, {rate_slow:.0} while slow");
    let mut kept = check("admissions a second, down", down, rate_slow <= rate_before / 2.0);
    let up = format!("{rate_after:.0}");
    kept &= check("admissions a second, up again", up, rate_after >= rate_before / 2.0);
    kept &= latency("p99 of a hold before, ms", before, calm.usual_ms);
    kept &= latency("p99 of a hold while slow, ms", slow, calm.slow_ms);
    kept &= latency("p99 of a hold after, ms", after, calm.usual_ms);
    kept &= check("requests that failed", failures.len().to_string(), failures.is_empty());
    for failure in failures.iter().take(5) {
        println!("    {failure}");
    }
    kept
}
