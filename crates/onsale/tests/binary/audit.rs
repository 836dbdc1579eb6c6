//! `onsale audit` on a real database: live, at rest, and after each row has been tampered with.

use sea_orm::{ConnectionTrait, Database};

use crate::{
    serve::{hold, pay, seats_on_sale},
    support::{PASSWORD, Place, copy_database},
};

/// What is done to the database with SQL, and what the audit must find, among others.
const TAMPERED: [(&str, &str); 18] = [
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
