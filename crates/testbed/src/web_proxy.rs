//! An nginx or a Caddy of one's own.

use std::{fs, net::SocketAddr, net::TcpStream, path::Path};

use rustix::process::Signal;

use crate::{process::ServerProcess, programs};

/// A running web server that passes requests on. Dropping it ends it.
#[derive(Debug)]
pub struct WebProxy {
    process: ServerProcess,
}

impl WebProxy {
    /// Starts nginx with a file for its `conf.d`, given where to listen. Blocks.
    ///
    /// # Panics
    /// When nginx is not installed or does not take the configuration.
    #[must_use]
    pub fn nginx(configuration: impl FnOnce(SocketAddr) -> String) -> Self {
        let program = programs::find("nginx", &[], "nginx-light");
        let process = ServerProcess::prepare("nginx", &["www-data", "nobody"], Signal::KILL);
        let folder = process.folder().display().to_string();
        fs::write(process.folder().join("site.conf"), configuration(process.address()))
            .expect("the server's folder can be written to");
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|of| format!("{of}_temp_path {folder}/{of};"))
            .join(" ");
        let main = format!(
            "daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr warn;
             events {{}} http {{ access_log off; {temporary} include {folder}/site.conf; }}"
        );
        let file = process.folder().join("nginx.conf");
        fs::write(&file, main).expect("the server's folder can be written to");
        let arguments = ["-p".to_owned(), folder, "-c".to_owned(), file.display().to_string()];
        Self { process }.started(&program, &arguments)
    }

    /// Starts Caddy with a Caddyfile, given where to listen. Blocks.
    ///
    /// # Panics
    /// When Caddy is not installed or does not take the configuration.
    #[must_use]
    pub fn caddy(configuration: impl FnOnce(SocketAddr) -> String) -> Self {
        let program = programs::find("caddy", &[], "caddy");
        let process = ServerProcess::prepare("caddy", &["www-data", "nobody"], Signal::KILL);
        let file = process.folder().join("Caddyfile");
        // Nothing listens beside the site.
        let text = format!("{{\n\tadmin off\n\tauto_https off\n}}\n{}", configuration(process.address()));
        fs::write(&file, text).expect("the server's folder can be written to");
        let arguments = ["run", "--adapter", "caddyfile", "--config", &file.display().to_string()];
        Self { process }.started(&program, &arguments.map(str::to_owned))
    }

    fn started(self, program: &Path, arguments: &[String]) -> Self {
        self.process.start(program, arguments, || {
            TcpStream::connect(self.address()).map(drop).map_err(|error| error.to_string())
        });
        self
    }

    /// Where it takes requests.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.process.address()
    }
}
