//! `onsale serve`: from configuration to a running server, and to its orderly end.

use std::{
    io::{Write, stdout},
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use onsale_api::ApiSettings;
use onsale_engine::Engine;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinError, JoinHandle},
    time::{sleep, timeout},
};

use crate::{
    cli::Serve,
    compose,
    config::Config,
    data_folder::DataFolder,
    demo,
    failure::Failure,
    http,
    last_answers::LastAnswers,
    stop_signals::{Asked, StopSignals},
    telemetry,
};

/// Serves until the process is asked to stop.
pub(crate) async fn serve(arguments: &Serve, config: Config, data: Option<&Path>) -> Result<(), Failure> {
    let config = if arguments.demo { config.in_demo() } else { config };
    let listen = listen_address(arguments, &config)?;
    let (drain, stop_max) = (config.server.drain_seconds, config.server.stop_seconds_max);
    let (drain, stop_max) = (Duration::from_secs(drain), Duration::from_secs(stop_max));
    let watchers_max = config.server.watchers_max;
    let mut signals = StopSignals::listen()?;
    raise_connection_limit();

    let folder = DataFolder::create(&compose::data_folder(data, arguments.demo))?;
    let _lock = compose::lock_if_embedded(&config, &folder)?;
    let listener =
        TcpListener::bind(listen).await.map_err(Failure::of(format!("cannot listen on {listen}")))?;
    let address = listener.local_addr().map_err(Failure::of("cannot listen"))?;
    let metrics = telemetry::install_metrics()?;
    let base = compose::open_to_serve(config, folder).await?;
    let _upkeep = base.vitals.supervise("the upkeep of metrics", {
        let metrics = metrics.clone();
        move || telemetry::keep_metrics(metrics.clone())
    });
    if !listen.ip().is_loopback() && demo::is_here(&*base.store).await? {
        return Err(Failure::Usage(format!(
            "this database has the demo's accounts, whose passwords are public, so it is served on \
             loopback only, not on {listen}"
        )));
    }
    let engine = base.engine().await?;
    let outbound = base.outbound()?;
    let events = base.events(&engine, &outbound).await?;
    let banner = if arguments.demo {
        Some(demo::prepare(&engine, &*base.store, base.folder.path(), address).await?)
    } else {
        None
    };

    let (stopping, stopping_seen) = watch::channel(false);
    let draining = Arc::new(AtomicBool::new(false));
    let limiter = base.limiter()?;
    if let Some(bookings) = base.config.limits.booking_rule() {
        engine.limit_bookings(limiter.clone(), bookings);
    }
    if let Some(rules) = base.config.log_in_rules() {
        engine.limit_log_ins(limiter.clone(), rules);
    }
    let door = base.config.door(limiter);
    let load = door
        .load
        .clone()
        .map(|load| base.vitals.supervise("the door's look at the load", move || load.clone().keep()));
    let settings = ApiSettings {
        watchers_max,
        stopping: Some(stopping_seen.clone()),
        draining: draining.clone(),
        door,
        ..ApiSettings::new(base.config.currency())
    };
    let router = onsale_api::router(engine.clone(), settings, move || metrics.render());
    let service = LastAnswers::new(router, draining.clone());
    announce(address, banner.as_deref());

    let server = http::serve(listener, service, base.config.http(), stopping_seen);
    let mut server = Server { task: tokio::spawn(server), draining, stopping };

    let asked = tokio::select! {
        ended = &mut server.task => return ended_by_itself(ended),
        asked = signals.next() => asked,
    };
    let drain = if asked == Asked::ToLeave { drain } else { Duration::ZERO };
    let left = async {
        let served = server.leave(drain, stop_max).await;
        stop_selling(engine, stop_max).await;
        drop(load);
        // After the sale, so that it can publish what the sale did last.
        if timeout(stop_max, events.stop()).await.is_err() {
            tracing::warn!("a consumer of events was still busy after {stop_max:?}; it gets the event again");
        }
        drop(events);
        outbound.courier.stop().await;
        drop(outbound);
        base.close().await?;
        served
    };
    tokio::select! {
        left = left => left,
        _ = signals.next() => Err(Failure::Failed(
            "asked a second time to stop: ended at once, and cut off what was under way".to_owned(),
        )),
    }
}

/// The running server, and how it is told to leave.
struct Server {
    task: JoinHandle<()>,
    /// The node says that it is not ready, and closes connections after their next answer.
    draining: Arc<AtomicBool>,
    /// No connection is accepted any more, idle ones are closed, watchers are let go.
    stopping: watch::Sender<bool>,
}

impl Server {
    /// Says that the node is about to stop, serves on for as long as a proxy may need to notice, and
    /// finishes what was accepted.
    async fn leave(&mut self, drain: Duration, stop_max: Duration) -> Result<(), Failure> {
        self.draining.store(true, Ordering::Relaxed);
        if !drain.is_zero() {
            tracing::info!(?drain, "leaving: not ready any more, serving until the proxy has noticed");
            sleep(drain).await;
        }
        tracing::info!("stopping: no new connections, requests under way are finished");
        self.stopping.send_replace(true);
        match timeout(stop_max, &mut self.task).await {
            Ok(ended) => ended_by_itself(ended),
            Err(_) => {
                tracing::warn!("some connections were still busy after {stop_max:?} and are cut off");
                self.task.abort();
                Ok(())
            }
        }
    }
}

fn ended_by_itself(ended: Result<(), JoinError>) -> Result<(), Failure> {
    ended.map_err(Failure::of("the server failed"))
}

async fn stop_selling(engine: Arc<Engine>, stop_max: Duration) {
    if timeout(stop_max, engine.stop()).await.is_err() {
        tracing::warn!("the sale was still busy after {stop_max:?}; whatever was answered is on disk");
    }
}

/// The command line's address, or the configuration's. The demo's log-ins are known to everybody,
/// so it is for this machine only.
fn listen_address(arguments: &Serve, config: &Config) -> Result<SocketAddr, Failure> {
    let listen = arguments.listen.unwrap_or(config.server.listen);
    if arguments.demo && !listen.ip().is_loopback() {
        return Err(Failure::Usage(format!(
            "the demo's passwords are public, so it listens on loopback only, not on {listen}"
        )));
    }
    Ok(listen)
}

/// Every connection is an open file, and the usual limit of open files is far below a crowd.
fn raise_connection_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
            tracing::warn!(%error, ?limit, "cannot raise the limit of open files");
        }
    }
}

/// Says where the server listens, in a line that programs can read.
fn announce(address: SocketAddr, banner: Option<&str>) {
    let mut out = stdout().lock();
    let _ = write!(out, "{}", banner.unwrap_or_default());
    let _ = writeln!(out, "listening on http://{address}");
    // Whoever reads this through a pipe waits for it.
    let _ = out.flush();
}
