//! `onsale serve`: from configuration to a running server, and to its orderly end.

use std::{
    future::Future,
    io::{Write, stdout},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use axum::serve::ListenerExt;
use onsale_api::ApiSettings;
use tokio::{net::TcpListener, sync::watch, time::timeout};

use crate::{
    cli::Serve, compose, config::Config, data_folder::DataFolder, demo, failure::Failure, telemetry,
};

/// Serves until the process is asked to stop.
pub(crate) async fn serve(arguments: &Serve, config: Config, data: Option<&Path>) -> Result<(), Failure> {
    let listen = listen_address(arguments, &config)?;
    let stop_max = Duration::from_secs(config.server.stop_seconds_max);
    let watchers_max = config.server.watchers_max;
    let stop_asked = stop_asked()?;
    raise_connection_limit();

    let folder = DataFolder::create(&compose::data_folder(data, arguments.demo))?;
    let _lock = compose::lock_if_embedded(&config, &folder)?;
    let listener =
        TcpListener::bind(listen).await.map_err(Failure::of(format!("cannot listen on {listen}")))?;
    let address = listener.local_addr().map_err(Failure::of("cannot listen"))?;
    let metrics = telemetry::install_metrics()?;
    let base = compose::open_to_serve(config, folder).await?;
    if !listen.ip().is_loopback() && demo::is_here(&*base.store).await? {
        return Err(Failure::Usage(format!(
            "this database has the demo's accounts, whose passwords are public, so it is served on \
             loopback only, not on {listen}"
        )));
    }
    let engine = base.engine().await?;
    let banner = if arguments.demo {
        Some(demo::prepare(&engine, &*base.store, base.folder.path(), address).await?)
    } else {
        None
    };

    let (stopping, stopping_seen) = watch::channel(false);
    let settings = ApiSettings {
        watchers_max,
        stopping: Some(stopping_seen.clone()),
        ..ApiSettings::new(base.config.currency())
    };
    let router = onsale_api::router(engine.clone(), settings, move || metrics.render());
    announce(address, banner.as_deref());

    // Small answers leave at once instead of waiting for more to send with them.
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    let mut graceful = stopping_seen;
    let server = axum::serve(listener, router)
        .with_graceful_shutdown(async move { _ = graceful.wait_for(|stopping| *stopping).await });
    let mut server = tokio::spawn(server.into_future());

    let ended = tokio::select! {
        ended = &mut server => Some(ended),
        () = stop_asked => None,
    };
    tracing::info!("stopping: no new connections, requests under way are finished");
    stopping.send_replace(true);
    let ended = match ended {
        Some(ended) => Ok(ended),
        None => timeout(stop_max, &mut server).await,
    };
    let served = match ended {
        Ok(ended) => {
            ended.map_err(Failure::of("the server failed"))?.map_err(Failure::of("the server failed"))
        }
        Err(_) => {
            tracing::warn!("some connections were still busy after {stop_max:?} and are cut off");
            server.abort();
            Ok(())
        }
    };
    if timeout(stop_max, engine.stop()).await.is_err() {
        tracing::warn!("the sale was still busy after {stop_max:?}; whatever was answered is on disk");
    }
    drop(engine);
    base.close().await?;
    served
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

/// Returns when the process is asked to stop: Ctrl-C, or SIGTERM.
#[cfg(unix)]
fn stop_asked() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let cannot = || Failure::of("cannot listen for signals");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Returns when the process is asked to stop: Ctrl-C.
#[cfg(not(unix))]
fn stop_asked() -> Result<impl Future<Output = ()>, Failure> {
    Ok(async {
        // Without the handler, the system ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
