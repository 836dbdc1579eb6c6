//! Serving: the demo, one process per folder, stopping, and starting again.

use serde_json::{Value, json};

use crate::support::{PASSWORD, Place, Server};

/// The first screening or concert date on sale, and its first two seats.
pub(crate) async fn seats_on_sale(server: &Server, count: usize) -> (i64, Vec<i64>) {
    let (_, concerts) = server.get("/api/v1/concerts", None).await;
    let concert = concerts.to_string();
    assert!(concert.contains("Midnight Arcade"), "{concert}");
    let performance = performance_of(server, "Midnight Arcade Live").await;
    let path = format!("/api/v1/performances/{performance}/seats?status=available");
    let (status, seats) = server.get(&path, None).await;
    assert_eq!(status, 200, "{seats}");
    let seats = seats.as_array().unwrap().iter().take(count).map(|seat| seat["seatId"].as_i64().unwrap());
    (performance, seats.collect())
}

async fn performance_of(server: &Server, title: &str) -> i64 {
    let (_, concerts) = server.get("/api/v1/concerts?size=100", None).await;
    let list = concerts.as_object().and_then(|page| page.values().find_map(Value::as_array)).expect("a list");
    let concert = list.iter().find(|concert| concert["title"] == title).expect("the concert");
    let (_, dates) = server.get(&format!("/api/v1/concerts/{}/dates", concert["id"]), None).await;
    let dates =
        dates.as_array().cloned().or_else(|| dates.as_object()?.values().find_map(Value::as_array).cloned());
    dates.expect("dates")[0]["performanceId"].as_i64().expect("a performance")
}

pub(crate) async fn hold(
    server: &Server,
    token: &str,
    key: &str,
    performance: i64,
    seats: &[i64],
) -> (u16, Value) {
    let body = json!({"performanceId": performance, "seatIds": seats});
    server.post("/api/v1/reservations", Some(token), key, body).await
}

pub(crate) async fn pay(server: &Server, token: &str, key: &str, reservation: &Value) -> (u16, Value) {
    server.post("/api/v1/payments", Some(token), key, json!({"reservationId": reservation})).await
}

#[tokio::test]
async fn the_demo_sells_and_starts_again() {
    let place = Place::new();
    let server = place.serve(&["--demo"]);
    for said in
        ["12 films, 4 concerts", "/docs", "buyer1@demo.example", "50000 seats", "goes on sale at", "curl -s"]
    {
        assert!(server.banner.contains(said), "{said}\n{}", server.banner);
    }
    let token = server.log_in("buyer1@demo.example", PASSWORD).await;
    let (performance, seats) = seats_on_sale(&server, 2).await;
    let (status, held) = hold(&server, &token, "h1", performance, &seats).await;
    assert_eq!((status, &held["status"]), (201, &json!("held")), "{held}");
    let (status, paid) = pay(&server, &token, "p1", &held["reservationId"]).await;
    assert_eq!((status, &paid["status"]), (201, &json!("completed")), "{paid}");
    let (_, metrics) = server.get("/metrics", None).await;
    assert!(metrics.as_str().unwrap().contains("onsale_sale_commits_total"), "{metrics}");
    assert!(server.stop().success());

    let server = place.serve(&["--demo"]);
    assert!(server.banner.contains("12 films, 4 concerts"), "{}", server.banner);
    let token = server.log_in("buyer1@demo.example", PASSWORD).await;
    let (_, points) = server.get("/api/v1/users/me/points", Some(&token)).await;
    let left = 1_000_000 - paid["amount"].as_i64().unwrap();
    assert_eq!(points["balance"], json!(left), "points are given once");
    let (status, refused) = hold(&server, &token, "h2", performance, &seats).await;
    assert_eq!(status, 409, "sold before the restart: {refused}");
}

/// The commands of the greeting, as somebody would copy them. Needs bash and curl.
#[cfg(unix)]
#[tokio::test]
async fn the_greetings_commands_buy_two_seats_and_two_units() {
    use std::process::Command;
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let place = Place::new();
    let server = place.serve(&["--demo"]);
    let commands: Vec<&str> = server
        .banner
        .lines()
        .map(str::trim)
        .filter(|line| ["TOKEN=", "HELD=", "ORDER=", "curl -s"].iter().any(|start| line.starts_with(start)))
        .collect();
    assert_eq!(commands.len(), 5, "{}", server.banner);
    let output = Command::new("bash").arg("-c").arg(commands.join("\n")).output().unwrap();
    let answers = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    let answers: Vec<Value> = answers.collect::<Result<_, _>>().expect("answers");
    let [paid, ordered] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!((&paid["status"], &paid["amount"]), (&json!("completed"), &json!(32_000)), "{paid}");
    assert_eq!(ordered["success"], json!(true), "{ordered}");
}

#[tokio::test]
async fn cinemas_sell_seats_side_by_side_and_a_film_runs_past_midnight() {
    let place = Place::new();
    let server = place.serve(&["--demo"]);
    let (_, films) = server.get("/api/v1/movies?title=night%20train", None).await;
    let screenings = films["responses"][0]["screeningTimes"].as_array().unwrap();
    let late =
        screenings.iter().find(|screening| screening["startTime"] == "21:00:00").expect("a late screening");
    assert_eq!(late["endTime"], "00:01:00");

    let performance = screenings.last().unwrap()["performanceId"].as_i64().unwrap();
    let (_, seats) = server.get(&format!("/api/v1/performances/{performance}/seats"), None).await;
    let ids: Vec<i64> =
        seats.as_array().unwrap().iter().map(|seat| seat["seatId"].as_i64().unwrap()).collect();
    let token = server.log_in("buyer2@demo.example", PASSWORD).await;
    let (status, refused) = hold(&server, &token, "apart", performance, &[ids[0], ids[2]]).await;
    assert!((400..500).contains(&status), "{refused}");
    let (status, refused) = hold(&server, &token, "many", performance, &ids[..6]).await;
    assert!((400..500).contains(&status), "{refused}");
    let (status, held) = hold(&server, &token, "five", performance, &ids[..5]).await;
    assert_eq!(status, 201, "{held}");
}

#[tokio::test]
async fn a_folder_is_served_by_one_process() {
    let place = Place::new();
    let server = place.serve(&[]);
    let second = place.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, 1);
    assert!(second.stderr.contains("another `onsale serve`"), "{second:?}");
    // A killed process leaves no lock behind.
    server.kill();
    let server = place.serve(&[]);
    assert_eq!(server.get("/readyz", None).await.0, 200);
    assert!(server.stop().success());
}

#[test]
fn the_demo_is_for_this_machine_only() {
    let ended = Place::new().run(&["serve", "--demo", "--listen", "0.0.0.0:0"]);
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("loopback"), "{ended:?}");
}

#[tokio::test]
async fn the_demo_leaves_a_database_that_is_not_its_own() {
    let place = Place::new();
    let file = place.file("films.json", r#"[{"Title": "Mine", "Release Date": "Jun 12 1998"}]"#);
    place.done(&["import", "movies", &file]);
    let server = place.serve(&["--demo"]);
    assert!(server.banner.contains("left as it is"), "{}", server.banner);
    let body = json!({"email": "admin@demo.example", "password": "demo-admin"});
    let (status, _) = server.post("/api/v1/auth/login", None, "unused", body).await;
    assert_eq!(status, 401, "no public log-ins were added");
}

#[tokio::test]
async fn tokens_outlive_a_restart() {
    let place = Place::new();
    let server = place.serve(&["--demo"]);
    let token = server.log_in("buyer3@demo.example", PASSWORD).await;
    server.stop();
    let server = place.serve(&["--demo"]);
    let (status, me) = server.get("/api/v1/users/me", Some(&token)).await;
    assert_eq!((status, &me["email"]), (200, &json!("buyer3@demo.example")));
}

#[test]
fn a_port_in_use_is_told() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = place.run(&["serve", "--listen", &address]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains(&format!("cannot listen on {address}")), "{ended:?}");
}
