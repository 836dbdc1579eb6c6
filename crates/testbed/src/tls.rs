//! Certificates for a server that is reached by TLS only.

use std::path::PathBuf;

use crate::{process::ServerProcess, programs};

/// The Debian package of `openssl`.
const PACKAGE: &str = "openssl";

/// A certificate authority of a server's own, and what it has signed for the server. All of it is in the
/// server's folder, and goes with it.
#[derive(Debug)]
pub(crate) struct Tls {
    pub(crate) authority: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Tls {
    /// Makes the authority and a certificate for 127.0.0.1, good for two days.
    ///
    /// # Panics
    /// When `openssl` is not installed or fails.
    pub(crate) fn make(process: &ServerProcess) -> Self {
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let authority = ["req", "-x509", "-days", "2", "-subj", "/CN=Onsale test authority"];
        let files = ["-keyout", "ca.key", "-out", "ca.crt"];
        openssl(process, &[&authority[..], &new_key, &files].concat());
        let request = ["req", "-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1"];
        let files = ["-keyout", "server.key", "-out", "server.csr"];
        openssl(process, &[&request[..], &new_key, &files].concat());
        let sign = ["x509", "-req", "-days", "2", "-copy_extensions", "copy", "-in", "server.csr"];
        let files = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.crt"];
        openssl(process, &[&sign[..], &files].concat());
        let file = |name: &str| process.folder().join(name);
        Self { authority: file("ca.crt"), certificate: file("server.crt"), key: file("server.key") }
    }
}

/// Runs `openssl` as the server's user, in its folder.
fn openssl(process: &ServerProcess, arguments: &[&str]) {
    let program = programs::find("openssl", &[], PACKAGE);
    let made = programs::run(process.command(&program).args(arguments));
    made.unwrap_or_else(|error| panic!("no certificate can be made: {error}"));
}
