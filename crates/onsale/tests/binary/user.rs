//! Accounts on the command line, beside a running server and without one.

use std::time::Duration;

use serde_json::json;

use crate::support::{PASSWORD, Place, Server};

const BUYER: &str = "buyer1@demo.example";

/// Whether a log-in is still good, a little later than servers look again.
async fn is_heeded(server: &Server, token: &str) -> bool {
    for _ in 0..60 {
        if server.get("/api/v1/users/me", Some(token)).await.0 == 401 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

async fn log_in(server: &Server, email: &str, password: &str) -> u16 {
    let body = json!({"email": email, "password": password});
    server.post("/api/v1/auth/login", None, "unused", body).await.0
}

#[tokio::test]
async fn accounts_are_looked_after_beside_a_running_server() {
    let place = Place::new();
    let server = place.serve(&["--demo"]);
    let listed = place.done(&["user", "list", "--email", "demo.example"]);
    assert_eq!(listed.lines().count(), 6, "{listed}");
    let admins = place.done(&["user", "list", "--role", "admin"]);
    assert!(admins.contains("\tadmin\tenabled\tadmin@demo.example\tAdam Admin\n"), "{admins}");

    let token = server.log_in(BUYER, PASSWORD).await;
    let number = place.done(&["user", "list", "--email", BUYER]).split('\t').next().unwrap().to_owned();
    let ended = place.done(&["user", "end-sessions", &number]);
    assert!(ended.starts_with("1 sessions have ended"), "{ended}");
    assert!(is_heeded(&server, &token).await);

    let token = server.log_in(BUYER, PASSWORD).await;
    let changed = place.done(&["user", "set-role", BUYER, "--role", "organiser"]);
    assert!(changed.contains("\torganiser\tenabled\t"), "{changed}");
    assert!(is_heeded(&server, &token).await);
    let again = place.done(&["user", "set-role", BUYER, "--role", "organiser"]);
    assert!(again.contains("it was so already"), "{again}");

    let token = server.log_in(BUYER, PASSWORD).await;
    place.done(&["user", "disable", BUYER]);
    assert!(is_heeded(&server, &token).await);
    assert_eq!(log_in(&server, BUYER, PASSWORD).await, 403);
    place.done(&["user", "enable", BUYER]);

    let token = server.log_in(BUYER, PASSWORD).await;
    let reset = ["user", "reset-password", BUYER, "--password-stdin"];
    let common = place.run_with_input(&reset, "password1\n");
    assert!(common.code != 0 && common.stderr.contains("guessed first"), "{common:?}");
    let done = place.run_with_input(&reset, "correct horse\n");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(is_heeded(&server, &token).await);
    assert_eq!(log_in(&server, BUYER, PASSWORD).await, 401);
    assert_eq!(log_in(&server, BUYER, "correct horse").await, 200);
}

/// There is a way back after the last administrator has gone.
#[test]
fn without_a_server_everything_can_be_mended() {
    let place = Place::new();
    let add = ["user", "add", "Boss@bücher.example", "--role", "admin", "--password-stdin"];
    assert_eq!(place.run_with_input(&add, "correct horse\n").code, 0);
    place.done(&["user", "set-role", "boss@xn--bcher-kva.example", "--role", "user"]);
    assert_eq!(place.done(&["user", "list", "--role", "admin"]), "");
    place.done(&["user", "set-role", "1", "--role", "admin"]);
    let admins = place.done(&["user", "list", "--role", "admin"]);
    assert_eq!(admins, "1\tadmin\tenabled\tboss@bücher.example\tBoss\n");
    for unknown in ["nobody@example.com", "7"] {
        let refused = place.run(&["user", "disable", unknown]);
        assert!(refused.code != 0 && refused.stderr.contains("there is no such account"), "{refused:?}");
    }
}
