//! Finding and running the servers' own programs.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where `program` is: in one of `folders`, or in `PATH`, or among the system's programs.
///
/// # Panics
/// When it is nowhere, naming the Debian package that has it.
pub(crate) fn find(program: &str, folders: &[PathBuf], package: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    folders
        .iter()
        .cloned()
        .chain(env::split_paths(&path))
        // Not in everybody's PATH, but where servers are installed.
        .chain(["/usr/local/sbin", "/usr/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("`{program}` was not found: install the Debian package `{package}`"))
}

/// Runs a program to its end and returns what it printed.
///
/// # Errors
/// What the program complained of, when it failed.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let program = Path::new(command.get_program()).display().to_string();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} ended with {}: {}", output.status, complaint.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "`no-such-server` was not found: install the Debian package `server-of-sorts`")]
    fn a_missing_program_is_told_with_its_package() {
        find("no-such-server", &[], "server-of-sorts");
    }

    #[test]
    fn a_failure_is_told_with_its_reason() {
        let told = run(Command::new("sh").args(["-c", "echo no room >&2; exit 3"]));
        assert_eq!(told, Err("sh ended with exit status: 3: no room".to_owned()));
    }
}
