//! `bench guards`: what it prints, that the control fails where the guards do not, and that
//! nothing is left.

use std::fs;

use crate::support::Place;

/// The last column of each row, by guard: seats sold twice.
fn sold_twice(table: &str, guard: &str) -> Vec<u64> {
    let rows = table.lines().filter(|line| line.starts_with(guard) && line.contains('%'));
    rows.map(|row| row.split_whitespace().last().unwrap().parse().unwrap()).collect()
}

#[test]
fn on_the_embedded_database_all_guards_are_alike_and_nothing_is_left() {
    let place = Place::new();
    let chart = place.path("guards.svg");
    let arguments = ["bench", "guards", "--seconds", "0.3", "--rounds", "1", "--svg"];
    let table = place.done(&[&arguments[..], &[chart.to_str().unwrap()]].concat());
    assert!(table.starts_with("SQLite 3"), "{table}");
    assert!(table.contains("all guards are alike"), "{table}");
    assert!(table.contains("`distributed` is left out"), "{table}");
    assert_eq!(sold_twice(&table, "distributed"), [0_u64; 0], "{table}");
    // One process at a time writes, so that not even the control fails.
    for guard in ["pessimistic", "optimistic", "none"] {
        assert_eq!(sold_twice(&table, guard), [0; 4], "{table}");
    }
    let svg = fs::read_to_string(chart).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("SQLite 3") && svg.ends_with("</svg>\n"));
    assert_eq!(fs::read_dir(place.data()).unwrap().count(), 0);
}

#[test]
fn a_database_that_is_not_there_is_named() {
    let place = Place::new();
    let ended = place.run(&["bench", "guards", "--database", "oracle://x/y"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stderr.contains("oracle"), "{ended:?}");
}

#[test]
fn a_redis_that_is_not_there_is_named_before_anything_is_measured() {
    let place = Place::new();
    for (url, code) in [("redis://127.0.0.1:1", 2), ("http://x", 2)] {
        let ended = place.run(&["bench", "guards", "--redis", url]);
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.stderr.contains("--redis"), "{ended:?}");
        assert_eq!(fs::read_dir(place.data()).unwrap().count(), 0);
    }
}

/// The guards keep every seat to one buyer; without one, seats are sold twice.
fn only_the_control_sells_twice(url: &str, name: &str) {
    let place = Place::new();
    let chart = place.path("guards.svg");
    let arguments = ["bench", "guards", "--database", url, "--redis", onsale_testbed::redis()];
    let how = ["--seconds", "1", "--rounds", "1", "--svg", chart.to_str().unwrap()];
    let table = place.done(&[&arguments[..], &how].concat());
    assert!(table.starts_with(name), "{table}");
    assert!(fs::read_to_string(chart).unwrap().contains("distributed"));
    for guard in ["pessimistic", "optimistic", "distributed"] {
        assert_eq!(sold_twice(&table, guard), [0; 4], "{table}");
    }
    assert!(sold_twice(&table, "none").iter().sum::<u64>() > 0, "the control does not fail: {table}");
    assert!(!table.contains("violations more"), "{table}");
}

mod postgres {
    #[test]
    fn only_the_control_sells_twice() {
        super::only_the_control_sells_twice(onsale_testbed::postgres().url(), "PostgreSQL 1");
    }
}

mod mariadb {
    #[test]
    fn only_the_control_sells_twice() {
        super::only_the_control_sells_twice(onsale_testbed::mariadb().url(), "MariaDB 1");
    }
}
