//! How a command ends when it does not succeed.

use std::{fmt, process::ExitCode};

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was asked wrongly: arguments or configuration. Exit code 2.
    Usage(String),
    /// It could not be done, or found something wrong. Exit code 1.
    Failed(String),
    /// As `Failed`; what is wrong has been printed.
    Reported,
}

impl Failure {
    /// Something failed while doing `what`.
    pub(crate) fn of<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |error| Self::Failed(format!("{what}: {error}"))
    }

    /// The same, said with the data folder that was used: it may be another one than was meant.
    pub(crate) fn in_folder(self, folder: &str) -> Self {
        match self {
            Self::Failed(text) => {
                Self::Failed(format!("{text} (in the data folder {folder}; --data names another)"))
            }
            other => other,
        }
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) | Self::Reported => ExitCode::from(1),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Failed(text) => f.write_str(text),
            Self::Reported => Ok(()),
        }
    }
}
