//! `onsale audit` on a real database: live, at rest, and after each row has been tampered with.

use sea_orm::{ConnectionTrait, Database};

use crate::{
    serve::{hold, pay, seats_on_sale},
    support::{PASSWORD, Place, copy_database},
};

/// What is done to the database with SQL, and what the audit must find, among others.
const TAMPERED: [(&str, &str); 27] = [
    (
        "CREATE TABLE loose AS SELECT * FROM claims; DROP TABLE claims; ALTER TABLE loose RENAME TO claims;
         INSERT INTO claims SELECT * FROM claims WHERE order_id IS NOT NULL LIMIT 1",
        "seat claimed twice",
    ),
    ("DELETE FROM claims WHERE $first", "seat of a held or paid order without its claim"),
    (
        "INSERT INTO claims (performance_id, seat_id, order_id) VALUES (999, 1, randomblob(16))",
        "claim of an order that does not exist",
    ),
    (
        "UPDATE orders SET status = (SELECT status FROM orders WHERE $cancelled) WHERE $held",
        "claim of an expired or cancelled order",
    ),
    (
        "UPDATE claims SET seat_id = seat_id + 10000 WHERE $first",
        "claim of an order that is not for that seat",
    ),
    ("UPDATE orders SET amount = amount + 1 WHERE $held", "order amount is not the sum of its lines"),
    ("UPDATE orders SET seats = '[]' WHERE $held", "order without seats"),
    ("DELETE FROM payments WHERE NOT refunded", "paid order without a payment"),
    ("UPDATE payments SET amount = amount + 1", "payment differs from its order"),
    ("UPDATE payments SET refunded = NOT refunded", "paid order refunded, or cancelled order not refunded"),
    (
        "UPDATE payments SET order_id = randomblob(16) WHERE NOT refunded",
        "payment of an order that is not paid",
    ),
    ("UPDATE ledger_entries SET amount = amount + 1 WHERE account = -2", "transfer does not sum to zero"),
    ("DELETE FROM ledger_entries WHERE kind = 'refund' AND account = -2", "ledger does not sum to zero"),
    ("DELETE FROM ledger_entries WHERE kind = 'payment'", "ledger differs from the payments"),
    ("UPDATE ledger_entries SET account = -1 WHERE account = -2", "transfer between the wrong accounts"),
    ("UPDATE wallets SET balance = balance + 1", "wallet is not the sum of its ledger entries"),
    (
        "UPDATE idempotency_keys SET order_id = randomblob(16) WHERE order_id IS NOT NULL",
        "idempotency key without its order",
    ),
    ("UPDATE idempotency_keys SET user_id = user_id + 1", "idempotency key of somebody else's order"),
    (
        "UPDATE orders SET expires_at = expires_at + 60000 WHERE $held",
        "order held for longer or shorter than its offer ever said",
    ),
    (
        "UPDATE orders SET seats = replace(seats, ',', ',1'), amount = amount * 0 + (SELECT sum(value ->> 1)
            FROM json_each(replace(seats, ',', ',1'))) WHERE $held",
        "order at a price that its offer never had",
    ),
    (
        "UPDATE orders SET performance_id = 9999 WHERE $held",
        "order of a performance or item that does not exist",
    ),
    ("UPDATE orders SET user_id = 9999 WHERE $held", "order of a buyer that does not exist"),
    (
        "INSERT INTO claims (performance_id, seat_id) VALUES (1, 9999999)",
        "claim on a seat that does not exist",
    ),
    ("INSERT INTO wallets (user_id, balance, version) VALUES (9999, 0, 0)", "wallet of nobody"),
    ("UPDATE payments SET balance_after = balance_after + 1", "balance after a payment is not the ledger's"),
    (
        "INSERT INTO idempotency_keys (user_id, key_id, fingerprint, target, balance_after, created_at)
         VALUES (1, randomblob(16), 7, 2, 500, 5)",
        "idempotency key without its charge",
    ),
    (
        "INSERT INTO popularity_days (kind, day, subject_id, units) VALUES (1, 20000, 1, 1000)",
        "ranking counts what was not sold",
    ),
];

/// Names for rows.
const WHERE: [(&str, &str); 3] = [
    ("$held", "id IN (SELECT order_id FROM claims) AND id NOT IN (SELECT order_id FROM payments)"),
    ("$cancelled", "id IN (SELECT order_id FROM payments WHERE refunded)"),
    ("$first", "seat_id = (SELECT min(seat_id) FROM claims WHERE order_id IS NOT NULL)"),
];

#[tokio::test]
async fn a_database_is_clean_until_a_row_is_tampered_with() {
    let place = Place::new();
    sell(&place).await;
    let clean = place.run(&["audit"]);
    assert_eq!(clean.code, 0, "{clean:?}");
    assert!(clean.stdout.contains("clean: everything agrees"), "{clean:?}");
    for count in
        ["orders held1", "orders paid1", "orders cancelled1", "seats held1", "seats sold2", "payments2"]
    {
        let printed = clean.stdout.replace(' ', "");
        assert!(printed.contains(&count.replace(' ', "")), "{count}\n{}", clean.stdout);
    }

    for (sql, violation) in TAMPERED {
        let tampered = Place::new();
        copy_database(&place.data(), &tampered.data());
        tamper(&tampered, sql).await;
        let found = tampered.run(&["audit"]);
        assert_eq!(found.code, 1, "{sql}: {found:?}");
        assert!(found.stdout.contains(&format!("VIOLATION: {violation}")), "{sql}\n{}", found.stdout);
    }
}

/// One order paid, one paid and given back, one held; audited while the server runs.
async fn sell(place: &Place) {
    let server = place.serve(&["--demo"]);
    let token = server.log_in("buyer1@demo.example", PASSWORD).await;
    let (performance, seats) = seats_on_sale(&server, 4).await;
    let (_, first) = hold(&server, &token, "h1", performance, &seats[..2]).await;
    let (_, second) = hold(&server, &token, "h2", performance, &seats[2..3]).await;
    for (key, reservation) in [("p1", &first), ("p2", &second)] {
        let (status, paid) = pay(&server, &token, key, &reservation["reservationId"]).await;
        assert_eq!(status, 201, "{paid}");
    }
    let path = format!("/api/v1/reservations/{}", second["reservationId"].as_str().unwrap());
    let (status, cancelled) = server.delete(&path, Some(&token)).await;
    assert!((200..300).contains(&status), "{cancelled}");
    let (status, held) = hold(&server, &token, "h3", performance, &seats[3..4]).await;
    assert_eq!(status, 201, "{held}");
    assert!(place.done(&["audit"]).contains("clean"), "on the live database");
    assert!(server.stop().success());
}

async fn tamper(place: &Place, sql: &str) {
    let sql = WHERE.iter().fold(sql.to_owned(), |sql, (name, condition)| sql.replace(name, condition));
    let url = format!("sqlite:{}", place.data().join("onsale.db").display());
    let database = Database::connect(&url).await.unwrap();
    for statement in sql.split(';') {
        let done = database.execute_unprepared(statement).await.unwrap();
        let defines = ["CREATE", "DROP", "ALTER"].iter().any(|word| statement.trim().starts_with(word));
        assert!(defines || done.rows_affected() > 0, "{statement}: changed nothing");
    }
    database.close().await.unwrap();
}

#[test]
fn what_does_not_exist_is_not_clean() {
    let place = Place::new();
    assert_eq!(place.run(&["audit"]).code, 1);
    assert!(!place.data().exists(), "the audit made nothing");
    std::fs::create_dir(place.data()).unwrap();
    assert_eq!(place.run(&["audit"]).code, 1, "a folder without a database");
}

/// A database keeps its currency: whatever is to open it with another one is refused with both names.
#[tokio::test]
async fn another_currency_over_the_same_data_is_refused() {
    let place = Place::new();
    sell(&place).await;
    for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["audit"], &["migrate"]] {
        let mut command = place.command(arguments);
        command.env("ONSALE_SALES_CURRENCY", "EUR");
        let refused = crate::support::run(command, "");
        assert_ne!(refused.code, 0, "{arguments:?}: {refused:?}");
        for named in ["KRW", "EUR", "sales.currency"] {
            assert!(refused.stderr.contains(named), "{arguments:?}: {refused:?}");
        }
    }
    assert!(place.done(&["audit"]).contains("clean"), "in its own currency");
}

/// Pages of the file are damaged while a server runs: it says so, answers 503, and is not ready any more.
#[tokio::test]
async fn a_damaged_file_makes_a_node_not_ready() {
    use std::io::{Seek, SeekFrom, Write};

    let place = Place::new();
    sell(&place).await;
    let server = place.serve(&["--demo"]);
    let token = server.log_in("buyer1@demo.example", PASSWORD).await;
    assert_eq!(server.get("/readyz", None).await.0, 200);
    let path = place.data().join("onsale.db");
    let pages = std::fs::metadata(&path).unwrap().len() / 4_096;
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    for page in 1..pages {
        file.seek(SeekFrom::Start(page * 4_096)).unwrap();
        file.write_all(&[0xA5; 64]).unwrap();
    }
    let mut answers = Vec::new();
    for path in ["/api/v1/reservations", "/api/v1/movies", "/api/v1/concerts", "/api/v1/points", "/api/item"]
    {
        answers.push((path, server.get(path, Some(&token)).await.0));
    }
    assert!(answers.iter().all(|(_, status)| *status != 500), "{answers:?}");
    assert!(answers.iter().any(|(_, status)| *status == 503), "{answers:?}");
    let (status, why) = server.get("/readyz", None).await;
    assert_eq!(status, 503, "{why}");
    assert!(why.to_string().contains("damaged"), "{why}");
    drop(server);
    let audited = place.run(&["audit"]);
    assert_eq!(audited.code, 1, "{audited:?}");
    let said = format!("{}{}", audited.stdout, audited.stderr);
    assert!(said.contains("damaged"), "{said}");
}
