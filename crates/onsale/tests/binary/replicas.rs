//! Replicas of the database: configured, used, reported.

use crate::support::{Place, run};

#[test]
fn replicas_that_cannot_be_are_refused_without_their_passwords() {
    let place = Place::new();
    for (url, replica, reason) in [
        ("", "postgres://shop:secret@db-2/x", "SQLite"),
        ("postgres://shop:secret@db/x", "mysql://shop:secret@db-2/x", "same kind"),
        ("postgres://shop:secret@db/x", "db-2", "postgres:"),
    ] {
        let mut command = place.command(["migrate"]);
        command.env("ONSALE_DATABASE_URL", url).env("ONSALE_DATABASE_REPLICAS", replica);
        let ended = run(command, "");
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.stderr.contains("database.replicas: ") && ended.stderr.contains(reason), "{ended:?}");
        assert!(!ended.stderr.contains("secret"), "{ended:?}");
    }
}

mod postgres {
    use std::time::Duration;

    use onsale_testbed::{PostgresReplica, PostgresServer};
    use serde_json::{Value, json};
    use tokio::{
        task::spawn_blocking,
        time::{Instant, sleep},
    };

    use crate::support::{Place, Server};

    /// Asks `/readyz` until the replica is as wanted; returns what is said of it.
    async fn replica(server: &Server, usable: bool) -> Value {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let (status, ready) = server.get("/readyz", None).await;
            assert_eq!((status, &ready["database"]), (200, &json!("ok")), "{ready}");
            let replica = &ready["replicas"][0];
            if replica["usable"] == usable {
                return replica.clone();
            }
            assert!(Instant::now() < until, "not after a minute: {ready}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_replica_is_used_and_reported() {
        let (primary, standby) = spawn_blocking(|| {
            let primary = PostgresServer::new();
            let standby = PostgresReplica::of(&primary);
            (primary, standby)
        })
        .await
        .unwrap();
        let database = primary.create_database();
        let url = primary.url(&database);
        let replicas = standby.url(&database).replace("postgres@", "postgres:secret@");
        let place = Place::new();
        let variables = [("ONSALE_DATABASE_URL", &*url), ("ONSALE_DATABASE_REPLICAS", &*replicas)];
        let server = place.serve_with(&["--demo"], &variables);

        let used = replica(&server, true).await;
        assert_eq!(used["name"], json!(standby.address().to_string()));
        assert_eq!(used["reason"], Value::Null);
        assert!(used["lagMs"].as_u64().is_some_and(|lag| lag < 60_000), "{used}");
        let (status, concerts) = server.get("/api/v1/concerts", None).await;
        assert_eq!(status, 200);
        assert!(concerts.to_string().contains("Midnight Arcade"), "{concerts}");
        let (_, metrics) = server.get("/metrics", None).await;
        let metrics = metrics.as_str().unwrap();
        for name in [
            "onsale_replica_usable",
            "onsale_replica_lag_seconds",
            "onsale_replica_reads_total",
            "onsale_source_reads_total",
        ] {
            assert!(metrics.contains(name), "{name} is not in\n{metrics}");
        }
        assert!(!metrics.contains("secret"));

        standby.stop();
        let gone = replica(&server, false).await;
        assert_eq!(gone["reason"], json!("it does not answer"));
        let (status, _) = server.get("/api/v1/movies?title=train", None).await;
        assert_eq!(status, 200);
        standby.start();
        replica(&server, true).await;
        assert!(server.stop().success());
    }
}
