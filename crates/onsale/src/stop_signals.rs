//! Being asked to stop.

use crate::failure::Failure;

/// How the process was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// By whoever looks after it, with SIGTERM: a proxy may need time to notice.
    ToLeave,
    /// By somebody at the keyboard, with Ctrl-C.
    ToEnd,
}

#[cfg(unix)]
pub(crate) use unix::StopSignals;

#[cfg(unix)]
mod unix {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::{Asked, Failure};

    /// The signals that ask the process to stop. From now on they do nothing else.
    pub(crate) struct StopSignals {
        interrupt: Signal,
        terminate: Signal,
    }

    impl StopSignals {
        pub(crate) fn listen() -> Result<Self, Failure> {
            let listen = |kind| signal(kind).map_err(Failure::of("cannot listen for signals"));
            Ok(Self {
                interrupt: listen(SignalKind::interrupt())?,
                terminate: listen(SignalKind::terminate())?,
            })
        }

        /// Returns when the process is asked to stop, each time.
        pub(crate) async fn next(&mut self) -> Asked {
            tokio::select! {
                _ = self.interrupt.recv() => Asked::ToEnd,
                _ = self.terminate.recv() => Asked::ToLeave,
            }
        }
    }
}

/// The signals that ask the process to stop.
#[cfg(not(unix))]
pub(crate) struct StopSignals;

#[cfg(not(unix))]
impl StopSignals {
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self)
    }

    /// Returns when the process is asked to stop, each time.
    pub(crate) async fn next(&mut self) -> Asked {
        // Without the handler, the system ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Asked::ToEnd
    }
}
