//! What the attached consumer was told.

use std::{collections::HashMap, fs, time::Duration};

use serde_json::Value;

use crate::{Bought, Home};

/// How long events may take to arrive once the last server is up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until every change of the orders has been told, and checks that each was told once and in order.
pub(crate) async fn wait_and_check(home: &Home, orders: &[Bought]) {
    let expected = orders.iter().map(|order| 1 + usize::from(order.paid)).sum::<usize>();
    let arrived = tokio::time::timeout(PATIENCE, async {
        while told_of_orders(home).len() < expected {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    // What is missing is told below.
    let _ = arrived.await;
    check(&told_of_orders(home), orders);
}

/// (order, type) of every event about an order, in the order of the journal.
pub(crate) fn told_of_orders(home: &Home) -> Vec<(String, String)> {
    let text = fs::read_to_string(home.journal()).unwrap_or_default();
    // The last line may be on its way.
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let events = lines.map(|line| serde_json::from_str::<Value>(line).expect("a line is an event"));
    let text = |event: &Value, name: &str| event[name].as_str().expect("a text").to_owned();
    let told = events.map(|event| (text(&event, "subject"), text(&event, "type")));
    told.filter(|(_, kind)| kind.starts_with("onsale.order.")).collect()
}

fn check(told: &[(String, String)], orders: &[Bought]) {
    let mut by_order: HashMap<&str, Vec<&str>> = HashMap::new();
    for (order, kind) in told {
        by_order.entry(order).or_default().push(kind);
    }
    for order in orders {
        let expected: &[&str] = if order.paid {
            &["onsale.order.held.v1", "onsale.order.paid.v1"]
        } else {
            &["onsale.order.held.v1"]
        };
        let told = by_order.remove(order.id.as_str()).unwrap_or_default();
        assert_eq!(told, expected, "order {}: a change was lost, told twice or out of order", order.id);
    }
    assert!(by_order.is_empty(), "told of orders that nobody has: {by_order:?}");
}

mod noticed {
    use super::*;

    fn told(kinds: &[&str]) -> Vec<(String, String)> {
        kinds.iter().map(|kind| ("a".to_owned(), format!("onsale.order.{kind}.v1"))).collect()
    }

    fn check_paid(kinds: &[&str]) {
        check(&told(kinds), &[Bought { id: "a".to_owned(), paid: true }]);
    }

    #[test]
    fn nothing_when_all_is_well() {
        check_paid(&["held", "paid"]);
    }

    #[test]
    #[should_panic(expected = "lost")]
    fn a_lost_change() {
        check_paid(&["paid"]);
    }

    #[test]
    #[should_panic(expected = "told twice")]
    fn a_second_effect() {
        check_paid(&["held", "paid", "paid"]);
    }

    #[test]
    #[should_panic(expected = "out of order")]
    fn a_wrong_order() {
        check_paid(&["paid", "held"]);
    }

    #[test]
    #[should_panic(expected = "nobody has")]
    fn an_invented_order() {
        check(&told(&["held"]), &[]);
    }
}
