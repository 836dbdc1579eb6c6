//! A node that has lost something beside the sale: who reads its log, its data folder, the right time.

use std::{
    fs::{self, File},
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    serve::{hold, seats_on_sale},
    support::{PASSWORD, Place, Server, unread},
};

/// Whether the node says that it can sell, and what it says.
async fn ready(server: &Server) -> (u16, String) {
    let (status, answer) = server.get("/readyz", None).await;
    (status, answer.to_string())
}

fn serve(place: &Place, variables: &[(&str, &str)]) -> Command {
    let mut command = place.command(["serve", "--demo", "--listen", "127.0.0.1:0"]);
    command.env("ONSALE_LIMITS_ENABLED", "false").env("ONSALE_LOG_FILTER", "debug");
    command.envs(variables.iter().copied());
    command
}

async fn sells(server: &Server, buyers: std::ops::Range<usize>) {
    let (performance, seats) = seats_on_sale(server, 40).await;
    for buyer in buyers {
        let token = server.log_in(&format!("buyer{}@demo.example", buyer + 1), PASSWORD).await;
        let (status, held) =
            hold(server, &token, &format!("key {buyer}"), performance, &seats[buyer..=buyer]).await;
        assert_eq!(status, 201, "{held}");
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_written_costs_lines_and_nothing_else() {
    let place = Place::new();
    let mut command = serve(&place, &[]);
    command.stderr(File::options().write(true).open("/dev/full").unwrap());
    let server = Server::start(command);
    sells(&server, 0..2).await;
    assert_eq!(ready(&server).await.0, 200);
    assert!(server.stop().success());

    let server = unread(serve(&place, &[]));
    sells(&server, 2..4).await;
    assert_eq!(ready(&server).await.0, 200);
    assert!(server.stop().success(), "it leaves in order");
}

#[test]
fn a_command_whose_output_nobody_reads_does_not_panic() {
    let place = Place::new();
    for arguments in [["config"], ["openapi"]] {
        let mut child =
            place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(ended.stderr).unwrap(), "", "{arguments:?}");
        assert!(ended.status.success(), "{arguments:?}: {}", ended.status);
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ended = place.command(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "what is missing is said: {arguments:?}");
    }
}

#[tokio::test]
async fn a_data_folder_that_is_gone_ends_the_sale_and_one_that_is_back_does_not() {
    let place = Place::new();
    let server = place.serve(&["--demo"]);
    let (performance, seats) = seats_on_sale(&server, 10).await;
    let token = server.log_in("buyer1@demo.example", PASSWORD).await;
    let (status, held) = hold(&server, &token, "before", performance, &seats[..1]).await;
    assert_eq!(status, 201, "{held}");

    let aside = place.path("aside");
    fs::rename(place.data(), &aside).unwrap();
    for (buyer, seat) in seats[1..4].iter().enumerate() {
        let token = server.log_in(&format!("buyer{}@demo.example", buyer + 2), PASSWORD).await;
        let (status, refused) = hold(&server, &token, "gone", performance, &[*seat]).await;
        assert_eq!(status, 503, "{refused}");
    }
    let since = Instant::now();
    loop {
        let (status, why) = ready(&server).await;
        if status == 503 {
            assert!(why.contains("onsale.db has been removed"), "{why}");
            break;
        }
        assert!(since.elapsed() < Duration::from_secs(1), "not within a second");
        sleep(Duration::from_millis(20)).await;
    }
    // Put back as it was, it is the same database.
    fs::rename(&aside, place.data()).unwrap();
    let since = Instant::now();
    while ready(&server).await.0 != 200 {
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", ready(&server).await);
        sleep(Duration::from_millis(50)).await;
    }
    let token = server.log_in("buyer1@demo.example", PASSWORD).await;
    let (status, held) = hold(&server, &token, "back", performance, &seats[8..9]).await;
    assert_eq!(status, 201, "{held}");
    assert!(server.stop().success());
}

#[tokio::test]
async fn a_database_file_that_is_replaced_ends_the_sale() {
    let place = Place::new();
    let server = place.serve(&["--demo"]);
    let (performance, seats) = seats_on_sale(&server, 1).await;
    let token = server.log_in("buyer1@demo.example", PASSWORD).await;
    let file = place.data().join("onsale.db");
    let copy = place.path("copy");
    fs::copy(&file, &copy).unwrap();
    fs::rename(&copy, &file).unwrap();
    let (status, refused) = hold(&server, &token, "key", performance, &seats).await;
    assert_eq!(status, 503, "{refused}");
    let since = Instant::now();
    while !ready(&server).await.1.contains("onsale.db has been replaced") {
        assert!(since.elapsed() < Duration::from_secs(1), "{:?}", ready(&server).await);
        sleep(Duration::from_millis(20)).await;
    }
}

/// Answers with a wall clock that is as far out as a file says, in seconds.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(clock, time);
    if (done == 0 && clock == CLOCK_REALTIME) {
        FILE *file = fopen(getenv("CLOCK_FILE"), "r");
        long by = 0;
        if (file) { if (fscanf(file, "%ld", &by) != 1) by = 0; fclose(file); }
        time->tv_sec += by;
    }
    return done;
}
"#;

/// The executable with a wall clock that the test sets by the file it returns.
fn with_clock(place: &Place, command: &mut Command) -> Option<std::path::PathBuf> {
    let (source, library) = (place.file("clock.c", SHIM), place.path("clock.so"));
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).args([&source, "-ldl"]).status();
    if !compiled.is_ok_and(|status| status.success()) {
        return None;
    }
    let file = place.path("clock");
    fs::write(&file, "0").unwrap();
    command.env("LD_PRELOAD", library).env("CLOCK_FILE", &file);
    Some(file)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_clock_that_is_set_is_told_and_ends_no_sale() {
    let place = Place::new();
    let mut command = serve(&place, &[("ONSALE_LOG_FILTER", "info")]);
    let log = place.path("log");
    command.stderr(File::create(&log).unwrap());
    let Some(clock) = with_clock(&place, &mut command) else { return };
    let set = |seconds: i64| {
        // In one piece, as a file that is half written would be another time.
        fs::write(place.path("next"), seconds.to_string()).unwrap();
        fs::rename(place.path("next"), &clock).unwrap();
    };
    let server = Server::start(command);
    let deadline_ms = |held: &Value| {
        let at = held["expiresAt"].as_str().expect("a deadline").parse::<jiff::Timestamp>().unwrap();
        at.as_millisecond()
    };
    let (performance, seats) = seats_on_sale(&server, 10).await;
    let token = server.log_in("buyer1@demo.example", PASSWORD).await;
    let (status, first) = hold(&server, &token, "a", performance, &seats[..1]).await;
    assert_eq!(status, 201, "{first}");
    set(7_200);
    sleep(Duration::from_millis(300)).await;
    let token = server.log_in("buyer2@demo.example", PASSWORD).await;
    let (status, ahead) = hold(&server, &token, "b", performance, &seats[1..2]).await;
    assert_eq!(status, 201, "{ahead}");
    set(0);
    let apart = deadline_ms(&ahead) - deadline_ms(&first);
    assert!((0..60_000).contains(&apart), "{apart} ms");
    sleep(Duration::from_secs(2)).await;
    set(-1_800);
    sleep(Duration::from_secs(2)).await;
    let token = server.log_in("buyer3@demo.example", PASSWORD).await;
    let (status, behind) = hold(&server, &token, "c", performance, &seats[2..3]).await;
    assert_eq!(status, 201, "{behind}");
    let apart = deadline_ms(&behind) - deadline_ms(&first);
    assert!((-1_800_000..-1_700_000).contains(&apart), "the clock is followed: {apart} ms");
    assert_eq!(ready(&server).await.0, 200);
    let (_, metrics) = server.get("/metrics", None).await;
    assert!(metrics.as_str().unwrap().contains("onsale_clock_set_seconds -1800"), "it is told");
    assert!(server.stop().success());
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("it was not followed") && log.contains("is followed from now on"), "{log}");
}

/// The processor time that the process has used, in milliseconds, and how often it was woken.
#[cfg(target_os = "linux")]
fn used(process: u32) -> (u64, u64) {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    let mut switches = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task")).unwrap() {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        switches += line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0);
    }
    (ticks * 10, switches)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_node_that_nobody_asks_is_idle() {
    let place = Place::new();
    let server = place.serve(&[]);
    sleep(Duration::from_secs(5)).await;
    let (before_ms, before) = used(server.id());
    sleep(Duration::from_secs(20)).await;
    let (after_ms, after) = used(server.id());
    let (share, woken) = ((after_ms - before_ms) as f64 / 20_000.0, (after - before) / 20);
    println!("{:.2} % of a processor, woken {woken} times a second", share * 100.0);
    // Of a build for tests, on a machine that is busy; the aim is 0.2 %.
    assert!(share <= 0.01, "{:.2} %", share * 100.0);
    assert!(woken <= 60, "{woken} times a second");
}

mod postgres {
    use onsale_testbed::PostgresServer;
    use serde_json::json;
    use tokio::task::{JoinSet, spawn_blocking};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_database_that_stumbles_while_nobody_reads_the_log_leaves_no_lane_dead() {
        let postgres = spawn_blocking(PostgresServer::new).await.unwrap();
        let database = postgres.create_database();
        let url = postgres.url(&database);
        let place = Place::new();
        let server = unread(serve(&place, &[("ONSALE_DATABASE_URL", &url)]));
        let (performance, seats) = seats_on_sale(&server, 40).await;
        let mut tokens = Vec::new();
        for buyer in [1, 2, 3, 4, 1, 2, 3, 4, 1] {
            tokens.push(server.log_in(&format!("buyer{buyer}@demo.example"), PASSWORD).await);
        }
        let stumbling = async {
            for _ in 0..20 {
                postgres.query(
                    &database,
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()",
                );
                sleep(Duration::from_millis(100)).await;
            }
        };
        let mut buying = JoinSet::new();
        for (buyer, token) in tokens.iter().cloned().enumerate() {
            let (caller, seats) = (server.caller(), seats[buyer * 4..buyer * 4 + 4].to_vec());
            buying.spawn(async move {
                for round in 0..10 {
                    let body = json!({"performanceId": performance, "seatIds": [seats[round % 4]]});
                    let (post, path) = (reqwest::Method::POST, "/api/v1/reservations");
                    caller.call(post, path, Some(&token), None, Some(body)).await;
                }
            });
        }
        tokio::join!(stumbling, buying.join_all());
        let since = Instant::now();
        while ready(&server).await.0 != 200 {
            assert!(since.elapsed() < Duration::from_secs(30), "{:?}", ready(&server).await);
            sleep(Duration::from_millis(100)).await;
        }
        let (status, held) = hold(&server, &tokens[0], "after", performance, &seats[36..37]).await;
        assert!(status == 201 || status == 409, "the lane is alive: {held}");
        assert!(server.stop().success(), "it leaves in order");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_database_that_takes_no_writes_makes_a_node_not_ready() {
        let postgres = spawn_blocking(PostgresServer::new).await.unwrap();
        let database = postgres.create_database();
        let url = postgres.url(&database);
        let place = Place::new();
        let server = Server::start(serve(&place, &[("ONSALE_DATABASE_URL", &url)]));
        assert_eq!(ready(&server).await.0, 200);
        postgres.query(&database, "ALTER SYSTEM SET default_transaction_read_only = on");
        postgres.query(&database, "SELECT pg_reload_conf()");
        let since = Instant::now();
        loop {
            let (status, why) = ready(&server).await;
            if status == 503 {
                assert!(why.contains("is read-only"), "{why}");
                break;
            }
            assert!(since.elapsed() < Duration::from_secs(10));
            sleep(Duration::from_millis(50)).await;
        }
        postgres.query(&database, "ALTER SYSTEM RESET default_transaction_read_only");
        postgres.query(&database, "SELECT pg_reload_conf()");
        let since = Instant::now();
        while ready(&server).await.0 != 200 {
            assert!(since.elapsed() < Duration::from_secs(10), "{:?}", ready(&server).await);
            sleep(Duration::from_millis(50)).await;
        }
    }
}
