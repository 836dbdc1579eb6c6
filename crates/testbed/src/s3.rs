//! A store for objects of one's own, which speaks S3.

use std::{
    env,
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::Command,
    sync::OnceLock,
};

use rustix::process::Signal;

use crate::{process::ServerProcess, programs};

/// The bucket that there is.
const BUCKET: &str = "pictures";

/// How many requests are not asked who they are from: those of [`SET_UP`].
const UNCHECKED_REQUESTS: &str = "4";

/// Makes an account, its key, what it may do, and the bucket; prints the key and its secret.
const SET_UP: &str = r#"
import json, sys, boto3
url, bucket = sys.argv[1:]
anybody = dict(endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
iam = boto3.client("iam", **anybody)
iam.create_user(UserName="onsale")
key = iam.create_access_key(UserName="onsale")["AccessKey"]
policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
iam.put_user_policy(UserName="onsale", PolicyName="all", PolicyDocument=json.dumps(policy))
boto3.client("s3", **anybody).create_bucket(Bucket=bucket)
print(key["AccessKeyId"], key["SecretAccessKey"])
"#;

/// The store for objects of this process's tests, for those that do not stop it; started when it is first
/// needed. Each test keeps to a prefix of its own. Blocks until it runs.
///
/// # Panics
/// When none can be started.
pub fn s3() -> &'static S3Server {
    static RUNNING: OnceLock<S3Server> = OnceLock::new();
    RUNNING.get_or_init(S3Server::new)
}

/// A running store for objects: `moto`, which checks signatures and keeps everything in memory. Dropping
/// it ends it.
///
/// The methods block; in async code call them from `spawn_blocking`.
#[derive(Debug)]
pub struct S3Server {
    process: ServerProcess,
    access_key_id: String,
    secret_access_key: String,
}

impl S3Server {
    /// Starts a store with one account and one empty bucket.
    ///
    /// # Panics
    /// When `moto` is not installed or does not start.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "starting a server is no default")]
    pub fn new() -> Self {
        // It does not mind running as root, whose cache it may be in.
        let process = ServerProcess::prepare("s3", &["root"], Signal::KILL);
        let address = process.address();
        let arguments = [
            format!("INITIAL_NO_AUTH_ACTION_COUNT={UNCHECKED_REQUESTS}"),
            program("moto_server").display().to_string(),
            "-H".to_owned(),
            address.ip().to_string(),
            "-p".to_owned(),
            address.port().to_string(),
        ];
        let set_variable = programs::find("env", &[], "coreutils");
        process.start(&set_variable, &arguments, || {
            TcpStream::connect(address).map(drop).map_err(|error| error.to_string())
        });
        let url = format!("http://{address}");
        let printed = programs::run(Command::new(program("python")).args(["-c", SET_UP, &url, BUCKET]));
        let printed = printed.unwrap_or_else(|error| panic!("the store cannot be set up: {error}"));
        let (id, secret) = printed.split_once(' ').expect("a key and its secret");
        Self { process, access_key_id: id.to_owned(), secret_access_key: secret.to_owned() }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// The URL of a part of the bucket, as `media.url` takes it.
    #[must_use]
    pub fn url(&self, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}")
    }

    /// Where it is and who may use it, as the usual variables.
    #[must_use]
    pub fn variables(&self) -> Vec<(String, String)> {
        let url = format!("http://{}", self.address());
        [
            ("AWS_ENDPOINT_URL", &*url),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", &self.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &self.secret_access_key),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// Ends the store as a crash would. Everything in it is gone.
    pub fn kill(&self) {
        self.process.stop(Signal::KILL);
    }

    /// Stops the store in its tracks: connections stay, nothing is answered.
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets a frozen store go on.
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }
}

/// Where `scripts/install-moto` has put it.
fn program(name: &str) -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| {
        let home = env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".cache"))
    });
    let program = cache.unwrap_or_default().join("onsale/tools/moto/bin").join(name);
    assert!(
        program.is_file(),
        "the store for objects is not at {}: run `scripts/install-moto` (half a minute, once)",
        program.display()
    );
    program
}
