//! Running the executable.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "demo-buyer";

/// A folder with a data folder in it, and the executable.
pub(crate) struct Place {
    folder: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A file in the folder, outside the data folder.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The executable with no settings from outside, on the data folder.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command_alone(["--data"]);
        command.arg(self.data()).args(arguments);
        command
    }

    /// The executable with no settings from outside, on the data folder that it takes by itself.
    pub(crate) fn command_alone<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onsale"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ONSALE_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.folder.path()).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with_input(arguments, "")
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        run(self.command(arguments), input)
    }

    /// Runs a command that must succeed; returns what it printed.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
        ended.stdout
    }

    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        self.serve_with(arguments, &[])
    }

    /// Serves with settings from outside.
    pub(crate) fn serve_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Server {
        let serve = ["serve", "--listen", "127.0.0.1:0"];
        let mut command = self.command(serve.iter().chain(arguments));
        // Tests book again and again, all from one address.
        command
            .env("ONSALE_LIMITS_ENABLED", "false")
            .env("ONSALE_ACCOUNTS_POINTS_FROM", "anyone")
            .envs(variables.iter().copied());
        Server::start(command)
    }
}

pub(crate) fn run(mut command: Command, input: &str) -> Ended {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that does not read may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code().expect("it was not killed"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A server whose output and log nobody reads any more.
pub(crate) fn unread(mut command: Command) -> Server {
    command.stderr(Stdio::piped());
    let mut server = Server::start(command);
    drop((server._stdout.take(), server.child.stderr.take()));
    server
}

/// A running server. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    _stdout: Option<BufReader<ChildStdout>>,
    pub(crate) url: String,
    pub(crate) banner: String,
    client: reqwest::Client,
}

impl Server {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        let url = loop {
            let mut line = String::new();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "the server ended: {:?}", child.wait());
            match line.trim().strip_prefix("listening on ") {
                Some(url) => break url.to_owned(),
                None => banner += &line,
            }
        };
        Self { child, _stdout: Some(stdout), url, banner, client: reqwest::Client::new() }
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> (u16, Value) {
        self.send(self.client.get(format!("{}{path}", self.url)), token).await
    }

    pub(crate) async fn post(&self, path: &str, token: Option<&str>, key: &str, body: Value) -> (u16, Value) {
        let request = self.client.post(format!("{}{path}", self.url)).header("Idempotency-Key", key);
        self.send(request.json(&body), token).await
    }

    /// As [`Caller::call`].
    pub(crate) async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        login: Option<&str>,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Option<(u16, Value)> {
        self.caller().call(method, path, login, token, body).await
    }

    /// What calls this server, also after it has been killed.
    pub(crate) fn caller(&self) -> Caller {
        Caller { client: self.client.clone(), url: self.url.clone() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) async fn delete(&self, path: &str, token: Option<&str>) -> (u16, Value) {
        self.send(self.client.delete(format!("{}{path}", self.url)), token).await
    }

    async fn send(&self, mut request: reqwest::RequestBuilder, token: Option<&str>) -> (u16, Value) {
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub(crate) async fn log_in(&self, email: &str, password: &str) -> String {
        let body = json!({"email": email, "password": password});
        let (status, answer) = self.post("/api/v1/auth/login", None, "unused", body).await;
        assert_eq!(status, 200, "{answer}");
        answer["accessToken"].as_str().unwrap().to_owned()
    }

    /// Asks it to stop, as a process manager does, and waits.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }

    /// Ends it without warning.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Calls a server that may be killed meanwhile.
pub(crate) struct Caller {
    client: reqwest::Client,
    url: String,
}

impl Caller {
    /// A call that may show a waiting room's token. None if the connection broke before the whole
    /// answer came.
    pub(crate) async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        login: Option<&str>,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Option<(u16, Value)> {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(login) = login {
            request = request.bearer_auth(login);
        }
        if let Some(token) = token {
            request = request.header("Queue-Token", token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let text = answer.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The test data's folder, if the test runner names one.
#[expect(clippy::disallowed_methods, reason = "the test data's place comes from the test runner")]
pub(crate) fn test_data() -> Option<PathBuf> {
    std::env::var("ONSALE_TEST_DATA").ok().map(PathBuf::from)
}

/// Copies a database, with the log that may stand beside it.
pub(crate) fn copy_database(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_string_lossy().starts_with("onsale.db") {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}
