//! The surroundings in which people run the program: variables of a cluster, a proxy nobody has told it of.

use std::fs::{self, File};

use crate::support::{Place, Server, run};

/// As Kubernetes gives them to each pod for a Service that is called `onsale`.
const SERVICE_LINKS: [(&str, &str); 7] = [
    ("ONSALE_SERVICE_HOST", "10.96.0.7"),
    ("ONSALE_SERVICE_PORT", "80"),
    ("ONSALE_SERVICE_PORT_HTTP", "80"),
    ("ONSALE_PORT", "tcp://10.96.0.7:80"),
    ("ONSALE_PORT_80_TCP", "tcp://10.96.0.7:80"),
    ("ONSALE_PORT_80_TCP_PROTO", "tcp"),
    ("ONSALE_PORT_80_TCP_ADDR", "10.96.0.7"),
];

#[tokio::test]
async fn services_of_a_cluster_do_not_keep_it_from_starting() {
    let place = Place::new();
    let server = place.serve_with(&[], &SERVICE_LINKS);
    assert_eq!(server.get("/readyz", None).await.0, 200);
    let mut command = place.command(["config"]);
    command.envs(SERVICE_LINKS).env("ONSALE_SERVER_LISTNE", "0.0.0.0:80");
    let refused = run(command, "");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("did you mean ONSALE_SERVER_LISTEN?"), "{refused:?}");
}

#[tokio::test]
async fn a_proxy_that_it_was_not_told_of_is_warned_of_once() {
    for (trusted, warnings) in [("", 1), ("127.0.0.1", 0)] {
        let place = Place::new();
        let log = place.path("log");
        let mut command = place.command(["serve", "--listen", "127.0.0.1:0"]);
        command.env("ONSALE_SERVER_TRUSTED_PROXIES", trusted).stderr(File::create(&log).unwrap());
        let server = Server::start(command);
        let client = reqwest::Client::new();
        for visitor in 0..55 {
            let list = client.get(format!("{}/api/v1/movies", server.url));
            let answer = list.header("X-Forwarded-For", format!("192.0.2.{visitor}")).send().await.unwrap();
            let is_shared = trusted.is_empty() && visitor >= 50;
            assert_eq!(answer.status().as_u16(), if is_shared { 429 } else { 200 });
        }
        server.stop();
        let log = fs::read_to_string(log).unwrap();
        assert_eq!(log.matches("ONSALE_SERVER_TRUSTED_PROXIES=127.0.0.1").count(), warnings, "{log}");
    }
}

/// A database that cannot be reached, with a password in every place.
#[test]
fn secrets_are_in_no_error_and_no_log() {
    let closed = "127.0.0.1:1";
    let settings = [
        ("ONSALE_DATABASE_URL", format!("postgres://ann:hunter2@{closed}/x")),
        ("ONSALE_DATABASE_URL", format!("postgres://{closed}/x?user=ann&password=hunter2")),
        ("ONSALE_DATABASE_URL", format!("postgres://ann@{closed}/x?passwrod=hunter2&sslpassword=hunter2")),
        ("ONSALE_DATABASE_URL", "postgres:ann:hunter2@db/x".to_owned()),
        ("ONSALE_DATABASE_URL", "postgres://ann:hunter2/x@db:y/x".to_owned()),
        ("ONSALE_DATABASE_URL", format!("mysql://ann:hunter2@{closed}/x?passwrod=hunter2")),
        ("ONSALE_DATABASE_URL", "oracle://ann:hunter2@db/x".to_owned()),
        ("ONSALE_DATABASE_URL", "host=db user=ann password=hunter2".to_owned()),
        ("ONSALE_DATABASE_URL", "hunter2".to_owned()),
        ("ONSALE_DATABASE_REPLICAS", "postgres://ann:hunter2@db/x".to_owned()),
        ("ONSALE_COORDINATION_URL", "http://ann:hunter2@redis".to_owned()),
        ("ONSALE_COORDINATION_URL", "redis://ann:hunter2@redis:port".to_owned()),
        ("ONSALE_MEDIA_URL", "ftp://ann:hunter2@media".to_owned()),
        ("ONSALE_EVENTS_URL", "amqp://ann:hunter2@kafka".to_owned()),
        ("ONSALE_EVENTS_KAFKA_PROPERTIES", "hunter2".to_owned()),
        ("ONSALE_IDENTITY_ISSUER", "http://ann:hunter2@id.example.com".to_owned()),
        ("ONSALE_ACCOUNTS_SIGNING_KEY", "hunter2".to_owned()),
    ];
    let check = |name: &str, value: &str| {
        for command in ["config", "serve"] {
            let place = Place::new();
            let mut command = place.command([command]);
            command
                .env("ONSALE_SERVER_LISTEN", "127.0.0.1:0")
                .env("ONSALE_LOG_FILTER", "debug")
                .env(name, value);
            let ended = run(command, "");
            let said = format!("{}{}", ended.stdout, ended.stderr);
            assert!(!said.contains("hunter2"), "{name}={value}\n{said}");
        }
    };
    // Those that are to be reached are tried for some seconds.
    std::thread::scope(|scope| {
        for (name, value) in &settings {
            scope.spawn(|| check(name, value));
        }
    });
}
