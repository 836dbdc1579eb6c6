//! Hostile requests, byte by byte, and the answer to each: a 4xx, or the end of the connection.

use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{PASSWORD, Place, Server};

/// How a connection ended.
#[derive(Debug)]
struct Heard {
    /// The statuses of all answers.
    statuses: Vec<u16>,
    text: String,
    closed: bool,
}

/// Sends bytes, one piece after the other, and hears what comes back until the server hangs up or
/// is silent for a while.
fn say(address: &str, pieces: &[&[u8]], pause: Duration) -> Heard {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    for piece in pieces {
        // It may have hung up already, and rightly so.
        if stream.write_all(piece).is_err() {
            break;
        }
        thread::sleep(pause);
    }
    hear(stream)
}

fn hear(mut stream: TcpStream) -> Heard {
    let (mut bytes, mut buffer, mut closed) = (Vec::new(), [0; 4_096], false);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => closed = true,
            Ok(count) => {
                bytes.extend(&buffer[..count]);
                continue;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => closed = true,
        }
        break;
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let statuses = text.match_indices("HTTP/1.1 ").map(|(at, _)| text[at + 9..at + 12].parse().unwrap());
    Heard { statuses: statuses.collect(), closed, text }
}

fn post(path: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Requests whose heads are wrong, and what each may be answered.
fn heads(token: &str) -> Vec<(&'static str, Vec<u8>, &'static [u16])> {
    let with = |lines: &str, body: &str| {
        format!(
            "POST /api/v1/reservations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\n{lines}\r\n\r\n{body}"
        )
        .into_bytes()
    };
    let smuggled = "0\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    // Fit for either reading.
    let chunked = "2\r\n{}\r\n0\r\n\r\n";
    let long = "a".repeat(40_000);
    let many: String = (0..200).map(|number| format!("X-{number}: x\r\n")).collect();
    vec![
        ("TE and CL", with("Transfer-Encoding: chunked\r\nContent-Length: 4", smuggled), &[400]),
        ("CL and TE", with("Content-Length: 4\r\nTransfer-Encoding: chunked", smuggled), &[400]),
        ("TE and CL, both right", with("Transfer-Encoding: chunked\r\nContent-Length: 12", chunked), &[400]),
        ("CL and TE, both right", with("Content-Length: 12\r\nTransfer-Encoding: chunked", chunked), &[400]),
        ("two lengths", with("Content-Length: 4\r\nContent-Length: 5", "{}xxx"), &[400]),
        ("two lengths in one", with("Content-Length: 4, 5", "{}xxx"), &[400]),
        ("a negative length", with("Content-Length: -1", "{}"), &[400]),
        ("a length with a plus", with("Content-Length: +2", "{}"), &[400]),
        ("a hexadecimal length", with("Content-Length: 0x2", "{}"), &[400]),
        ("an endless length", with("Content-Length: 99999999999999999999", "{}"), &[400]),
        ("chunked not last", with("Transfer-Encoding: chunked, identity", smuggled), &[400]),
        ("a coding nobody knows", with("Transfer-Encoding: xchunked", smuggled), &[400]),
        ("a tab before chunked", with("Transfer-Encoding:\x0bchunked", smuggled), &[400]),
        ("a blank before the colon", with("Transfer-Encoding : chunked", smuggled), &[400]),
        ("a folded header", with("X-Folded: a\r\n b\r\nContent-Length: 2", "{}"), &[400]),
        ("a folded length", with("Content-Length:\r\n 2", "{}"), &[400]),
        ("a bad chunk size", with("Transfer-Encoding: chunked", "zz\r\n{}\r\n0\r\n\r\n"), &[400]),
        ("a huge chunk size", with("Transfer-Encoding: chunked", "fffffffffffffffff\r\n{}"), &[400]),
        ("a bare CR", with("X-A: b\rX-C: d\r\nContent-Length: 2", "{}"), &[400]),
        ("a NUL in a value", with("X-A: b\0c\r\nContent-Length: 2", "{}"), &[400]),
        ("a NUL in a name", with("X-\0A: b\r\nContent-Length: 2", "{}"), &[400]),
        ("a long header", with(&format!("X-Long: {long}"), ""), &[431]),
        ("many headers", with(&format!("{many}X: x"), ""), &[431]),
        ("a long address", format!("GET /{long}{long} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes(), &[414, 431]),
        ("no request", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), &[400]),
        ("HTTP/2 without asking", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), &[400]),
        ("HTTP/0.9", b"GET /\r\n\r\n".to_vec(), &[400]),
        ("HTTP/9.9", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n".to_vec(), &[400]),
        ("a method nobody knows", b"BREW /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(), &[405]),
        ("CONNECT", b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(), &[404, 405]),
        ("a NUL in the address", b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), &[400]),
        ("above the root", b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(), &[404]),
        (
            "not UTF-8 in the path",
            b"GET /api/v1/movies/%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(),
            &[400],
        ),
        (
            "a token that is not text",
            b"GET /api/v1/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\r\nConnection: close\r\n\r\n".to_vec(),
            &[401],
        ),
    ]
}

/// One length for each request, and bodies that look like heads: answered, all on one connection, until
/// one comes that has two.
fn after_polite_ones(address: &str) -> Option<String> {
    let requests = [
        "POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "13\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
        "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 28\r\n\r\nTransfer-Encoding: chunked\r\n",
        "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    ];
    let heard = say(address, &[requests.concat().as_bytes()], Duration::ZERO);
    let right = heard.statuses == [404, 404, 200, 400] && heard.closed;
    (!right).then(|| format!("two lengths after polite requests: {heard:?}"))
}

/// Bodies that are wrong, and the status of each.
fn bodies() -> Vec<(&'static str, &'static str, String, u16)> {
    let (reserve, pay, register) = ("/api/v1/reservations", "/api/v1/payments", "/api/v1/users");
    let nested = format!("{{\"performanceId\":{}1{}}}", "[".repeat(30_000), "]".repeat(30_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let large = format!("{{\"performanceId\":1,\"seatIds\":[{}1]}}", "1,".repeat(40_000));
    let many = format!("{{\"performanceId\":1,\"seatIds\":[{}1]}}", "1,".repeat(10_000));
    vec![
        ("a price", reserve, json!({"performanceId": 1, "seatIds": [1], "price": 0}).to_string(), 400),
        ("a user", reserve, json!({"performanceId": 1, "seatIds": [1], "userId": 1}).to_string(), 400),
        ("a status", reserve, json!({"performanceId": 1, "seatIds": [1], "status": "paid"}).to_string(), 400),
        ("a prototype", reserve, r#"{"performanceId":1,"seatIds":[1],"__proto__":{}}"#.to_owned(), 400),
        ("a member twice", reserve, r#"{"performanceId":1,"performanceId":2,"seatIds":[1]}"#.to_owned(), 400),
        ("deep arrays", reserve, nested, 400),
        ("deep objects", reserve, objects, 400),
        ("a large body", reserve, large, 413),
        ("very many seats", reserve, many, 400),
        ("not JSON", reserve, "\0\0\0\0".to_owned(), 400),
        ("a number beyond all", reserve, r#"{"performanceId":1e400,"seatIds":[1]}"#.to_owned(), 400),
        ("a negative id", reserve, r#"{"performanceId":-1,"seatIds":[1]}"#.to_owned(), 404),
        ("half a surrogate", reserve, r#"{"performanceId":1,"seatIds":[1],"\ud800":1}"#.to_owned(), 400),
        ("an amount", pay, json!({"reservationId": "x", "amount": 0}).to_string(), 400),
        ("a price to pay", pay, json!({"reservationId": uuid(), "price": 1}).to_string(), 400),
        ("somebody else pays", pay, json!({"reservationId": uuid(), "userId": 1}).to_string(), 400),
        ("SQL", pay, json!({"reservationId": "' or 1=1 --"}).to_string(), 400),
        ("nobody's reservation", pay, json!({"reservationId": uuid()}).to_string(), 404),
        (
            "a role",
            register,
            json!({"email": "eve@example.com", "password": "correct horse", "name": "Eve", "role": "admin"})
                .to_string(),
            400,
        ),
    ]
}

fn uuid() -> &'static str {
    "01890a5d-ac96-774b-bcce-b302099a8057"
}

#[tokio::test]
async fn every_hostile_request_gets_its_answer_and_the_server_sells_on() {
    let place = Place::new();
    let log = place.path("log.txt");
    let mut command = place.command(["serve", "--listen", "127.0.0.1:0", "--demo"]);
    command.stderr(Stdio::from(File::create(&log).unwrap()));
    command.envs([
        ("ONSALE_SERVER_HEAD_SECONDS_MAX", "2"),
        ("ONSALE_SERVER_BODY_SECONDS_MAX", "1"),
        ("ONSALE_LOG_FILTER", "trace"),
    ]);
    let server = Server::start(command);
    let address = server.url.trim_start_matches("http://").to_owned();
    let token = server.log_in("buyer1@demo.example", PASSWORD).await;

    let sent = (address.clone(), token.clone());
    let wrong = tokio::task::spawn_blocking(move || {
        let (address, token) = sent;
        let mut wrong = Vec::new();
        for (what, bytes, statuses) in heads(&token) {
            let heard = say(&address, &[&bytes], Duration::ZERO);
            // One answer and the end: whatever follows a doubtful request is not a request.
            let right = match heard.statuses[..] {
                [status] => statuses.contains(&status),
                _ => false,
            };
            let right = right && heard.closed;
            if !right {
                wrong.push(format!("{what}: {heard:?}, not {statuses:?}"));
            }
        }
        wrong.extend(after_polite_ones(&address));
        for (what, path, body, status) in bodies() {
            let heard = say(&address, &[&post(path, &token, &body)], Duration::ZERO);
            if heard.statuses != [status] {
                wrong.push(format!("{what}: {heard:?}, not {status}"));
            }
        }
        wrong.extend(slow(&address, &token));
        wrong
    });
    let wrong = wrong.await.unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");

    // It still sells, nothing has failed inside, and the log tells no secrets.
    assert_eq!(server.get("/api/v1/users/me", Some(&token)).await.0, 200);
    let (_, metrics) = server.get("/metrics", None).await;
    let failures = metrics.as_str().unwrap().lines().filter(|line| line.contains("status=\"5"));
    assert_eq!(failures.collect::<Vec<_>>(), [""; 0]);
    let _ = server.stop();
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("DEBUG"), "everything is logged");
    assert!(!log.contains("panicked"), "{log}");
    for secret in [PASSWORD, &token, "correct horse"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

/// Clients that take their time.
#[expect(clippy::disallowed_methods, reason = "measures how long they are suffered")]
fn slow(address: &str, token: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let began = Instant::now();
    let drip: Vec<&[u8]> = b"GET /livez HTTP/1.1\r\nHost: x\r\nX-".chunks(3).collect();
    let heard = say(address, &drip, Duration::from_millis(300));
    if !heard.closed || !heard.statuses.iter().all(|status| *status == 408) {
        wrong.push(format!("a slow head: {heard:?}"));
    }
    let head = post("/api/v1/reservations", token, &"x".repeat(1_000));
    let heard = say(address, &[&head[..head.len() - 900]], Duration::ZERO);
    if heard.statuses != [408] || !heard.text.contains("/problems/request-timeout") {
        wrong.push(format!("a slow body: {heard:?}"));
    }
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    let heard = hear(stream);
    if !heard.closed || !heard.text.is_empty() {
        wrong.push(format!("silence: {heard:?}"));
    }
    let stream = TcpStream::connect(address).unwrap();
    (&stream).write_all(&head[..head.len() - 900]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let heard = hear(stream);
    if !heard.statuses.iter().all(|status| *status == 400) {
        wrong.push(format!("a body that breaks off: {heard:?}"));
    }
    if began.elapsed() > Duration::from_secs(30) {
        wrong.push(format!("slow clients took {:?}", began.elapsed()));
    }
    wrong
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "measures how long it waits")]
async fn connections_beyond_the_bound_are_turned_away_and_those_that_do_not_read_are_cut() {
    let place = Place::new();
    let settings = [("ONSALE_SERVER_CONNECTIONS_MAX", "20"), ("ONSALE_SERVER_WRITE_SECONDS_MAX", "1")];
    let server = place.serve_with(&["--demo"], &settings);
    let address = server.url.trim_start_matches("http://").to_owned();
    tokio::task::spawn_blocking(move || {
        let idle: Vec<_> = (0..19).map(|_| TcpStream::connect(&address).unwrap()).collect();
        // Asks on and on and never reads.
        let mut greedy = TcpStream::connect(&address).unwrap();
        greedy.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        let ask = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
        let request = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let heard = say(&address, &[request], Duration::ZERO);
        assert_eq!(heard.statuses, [503], "{heard:?}");
        while greedy.write_all(&ask).is_ok() {}
        let began = Instant::now();
        while say(&address, &[request], Duration::ZERO).statuses != [200] {
            assert!(began.elapsed() < Duration::from_secs(20), "the greedy one is still there");
            thread::sleep(Duration::from_millis(100));
        }
        drop(idle);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_proxy_protocol_says_whose_connection_it_is() {
    let place = Place::new();
    let settings = [
        ("ONSALE_LIMITS_ENABLED", "true"),
        ("ONSALE_SERVER_PROXY_PROTOCOL", "true"),
        ("ONSALE_SERVER_TRUSTED_PROXIES", "127.0.0.0/8"),
    ];
    let server = place.serve_with(&["--demo"], &settings);
    let address = server.url.trim_start_matches("http://").to_owned();
    tokio::task::spawn_blocking(move || {
        let list = |line: &str| {
            let request = "GET /api/v1/movies HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.1.1\r\n\
                           Connection: close\r\n\r\n";
            say(&address, &[format!("{line}{request}").as_bytes()], Duration::ZERO).statuses
        };
        for client in ["192.0.2.1", "192.0.2.2"] {
            let line = format!("PROXY TCP4 {client} 198.51.100.1 4711 80\r\n");
            for _ in 0..50 {
                assert_eq!(list(&line), [200]);
            }
            assert_eq!(list(&line), [429]);
        }
        assert_eq!(list(""), [0_u16; 0], "nobody speaks without a header");
    })
    .await
    .unwrap();
}
