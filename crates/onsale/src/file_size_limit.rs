//! The limit of a process's files (`ulimit -f`, systemd's `LimitFSIZE=`).

/// Makes a write beyond the limit an error, as on a full disk: unasked, the system would end the process
/// by a signal, with everybody who is being answered. Must be called inside a Tokio runtime.
pub(crate) fn make_it_an_error() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        // Whoever listens takes the signal's effect away; nobody need hear it. Without, all is as before.
        if let Err(error) = signal(kind) {
            tracing::warn!(%error, "a file that reaches the limit of its size would end this process");
        }
    }
}
