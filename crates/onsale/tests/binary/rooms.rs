//! `onsale room`, beside a running server and without one.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Place, Server};

/// A performance of the demo that has no waiting room.
pub(crate) async fn performance(server: &Server) -> i64 {
    let (_, concerts) = server.get("/api/v1/concerts?size=100", None).await;
    let list = concerts.as_object().and_then(|page| page.values().find_map(Value::as_array)).expect("a list");
    let concert =
        list.iter().find(|concert| concert["title"] == "Midnight Arcade Live").expect("the concert");
    let (_, dates) = server.get(&format!("/api/v1/concerts/{}/dates", concert["id"]), None).await;
    let dates = dates.as_object().and_then(|page| page.values().find_map(Value::as_array)).cloned();
    dates.expect("dates")[0]["performanceId"].as_i64().expect("a performance")
}

async fn document(server: &Server, room: &str) -> Value {
    server.get(&format!("/api/v1/queue/rooms/{room}"), None).await.1
}

/// The room's document when it has this phase: a document may be a moment old.
async fn document_when(server: &Server, room: &str, phase: &str) -> Value {
    for _ in 0..100 {
        let document = document(server, room).await;
        if document["phase"] == phase {
            return document;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the room does not become {phase}: {}", document(server, room).await);
}

#[tokio::test]
async fn a_room_is_looked_after_from_the_command_line() {
    let place = Place::new();
    let server = place.serve(&["--demo"]);
    let performance = performance(&server).await.to_string();
    let join = json!({"performanceId": performance.parse::<i64>().unwrap()});
    let add = ["room", "add", "Spring", "--performance", &performance, "--mode", "bank:2"];
    let added = place.done(&add);
    assert_eq!(added, "added the waiting room 3 (`Spring`)\n", "the demo has two");
    assert!(
        place
            .done(&["room", "list"])
            .contains(&format!("bank:2\tperformances {performance}\titems \tSpring"))
    );
    assert_eq!(place.run(&add).code, 1, "the performance has a room now");

    // The running server has taken it up within a second or so, and the sale is shut.
    let token = server.log_in("buyer1@demo.example", PASSWORD).await;
    document_when(&server, "3", "scheduled").await;
    let (status, _) = server.get(&format!("/api/v1/performances/{performance}/seats"), None).await;
    assert_eq!(status, 403);
    assert_eq!(place.done(&["room", "pre-queue", "3"]), "changed the waiting room 3\n");
    let joined = server.call(Method::POST, "/api/v1/queue/tokens", Some(&token), None, Some(join)).await;
    let (status, joined) = joined.unwrap();
    assert_eq!((status, &joined["status"]), (201, &json!("waiting")), "{joined}");
    let early = document_when(&server, "3", "preQueue").await;
    let early_file = place.file("early.json", early.to_string());
    let refused = place.run(&["room", "verify-draw", &early_file]);
    assert!(refused.code == 1 && refused.stderr.contains("after the opening"), "{refused:?}");
    place.done(&["room", "set", "3", "--public-randomness", "0badcafe", "--name", "Spring tour"]);
    place.done(&["room", "open", "3"]);

    let drawn = document_when(&server, "3", "open").await;
    let file = place.file("room.json", drawn.to_string());
    let commitment = early["draw"]["commitment"].as_str().unwrap();
    let verified = place.done(&["room", "verify-draw", &file, "--commitment", commitment, "--number", "0"]);
    assert!(
        verified.contains("is the one that was committed to") && verified.contains("place 0"),
        "{verified}"
    );
    let other = place.run(&["room", "verify-draw", &file, "--commitment", &"00".repeat(32)]);
    assert!(other.code == 1 && other.stderr.contains("not the one that you saw"), "{other:?}");
    let mut changed = drawn.clone();
    changed["draw"]["publicRandomness"] = json!("0badcaff");
    let changed = place.run(&["room", "verify-draw", &place.file("changed.json", changed.to_string())]);
    assert_eq!(changed.code, 1, "{changed:?}");

    place.done(&["room", "set", "3", "--mode", "theme-park:100/10s"]);
    place.done(&["room", "pause", "3"]);
    let refused = place.run(&["room", "pause", "3"]);
    assert!(refused.code == 1 && refused.stderr.contains("Paused"), "{refused:?}");
    let shown = place.done(&["room", "show", "3"]);
    assert!(shown.contains("Spring tour") && shown.contains("theme-park:100/10s"), "{shown}");
    assert_eq!(place.run(&["room", "show", "9"]).code, 1);
    assert_eq!(place.run(&["room", "open", "9"]).code, 1);
    assert_eq!(place.run(&["room", "set", "3", "--mode", "tunnel:1"]).code, 2);

    // Without a server it is noted, and done when one starts.
    server.stop();
    assert!(place.done(&["room", "open", "3"]).contains("noted"));
    let server = place.serve(&["--demo"]);
    document_when(&server, "3", "open").await;
    place.done(&["room", "close", "3"]);
    // Items may be behind it, too, each behind one room.
    place.done(&["room", "set", "3", "--item", "1", "--item", "2"]);
    let listed = place.done(&["room", "list"]);
    assert!(listed.contains(&format!("\tperformances {performance}\titems 1,2\t")), "{listed}");
    assert!(place.done(&["room", "show", "3"]).contains("items          1,2\n"));
    let taken = place.run(&["room", "add", "Other", "--item", "2", "--mode", "bank:2"]);
    assert!(taken.code == 1 && taken.stderr.contains("a waiting room for one of these"), "{taken:?}");
    assert_eq!(place.run(&["room", "add", "Other", "--item", "99", "--mode", "bank:2"]).code, 1);
    assert_eq!(place.run(&["room", "add", "Nothing", "--mode", "bank:2"]).code, 2);
    place.done(&["room", "set", "3", "--no-items"]);
    assert!(place.done(&["room", "list"]).contains(&format!("\tperformances {performance}\titems \t")));
    place.done(&["room", "set", "3", "--no-performances"]);
    for _ in 0..100 {
        let (status, _) = server.get(&format!("/api/v1/performances/{performance}/availability"), None).await;
        if status == 200 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the sale is not open to all");
}
