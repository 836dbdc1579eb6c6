//! Arguments, configuration and exit codes.

use serde_json::Value;

use crate::support::{Place, run};

#[test]
fn exit_codes_tell_usage_from_failure() {
    let place = Place::new();
    for wrong in
        [&["sell"][..], &["serve", "--listen", "here"], &["import", "movies"], &["user", "add", "a@b.c"]]
    {
        let ended = place.run(wrong);
        assert_eq!(ended.code, 2, "{wrong:?}: {ended:?}");
        assert!(ended.stderr.contains("--help"), "{ended:?}");
    }
    assert_eq!(place.run(&["--help"]).code, 0);
    assert!(place.run(&["--version"]).stdout.starts_with("onsale 0."));
    let failed = place.run(&["import", "movies", "no-such-file.json"]);
    assert_eq!(failed.code, 1);
    assert!(failed.stderr.contains("no-such-file.json"), "{failed:?}");
}

#[test]
fn unknown_settings_are_refused_with_those_there_are() {
    let place = Place::new();
    let file = place.file("onsale.toml", "[sales]\nbatch_size = 7\n");
    let ended = place.run(&["config", "--config", &file]);
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("onsale.toml") && ended.stderr.contains("batch_max"), "{ended:?}");

    let mut command = place.command(["config"]);
    command.env("ONSALE_DATABASE_ADDRESS", "x");
    let ended = run(command, "");
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("ONSALE_DATABASE_URL"), "{ended:?}");

    let ended = place.run(&["config", "--config", "no-such.toml"]);
    assert_eq!(ended.code, 2);
}

#[test]
fn the_effective_configuration_is_printed_without_secrets() {
    let place = Place::new();
    let secret = "K6d/j6Di45aZ2IbFCGYCPBV/lx3N3yI2zHj3/6+SXCw=";
    let file = place
        .file("onsale.toml", format!("[accounts]\nsigning_key = \"{secret}\"\n[sales]\nqueue_max = 5\n"));
    let mut command = place.command(["config", "--config", &file]);
    command.env("ONSALE_SALES_QUEUE_MAX", "6").env("ONSALE_DATABASE_URL", "postgres://me:pw@db/x");
    let ended = run(command, "");
    assert_eq!(ended.code, 0, "{ended:?}");
    let printed: toml::Table = toml::from_str(&ended.stdout).unwrap();
    assert_eq!(printed["sales"]["queue_max"].as_integer(), Some(6));
    assert!(!ended.stdout.contains(secret) && !ended.stdout.contains("pw"), "{}", ended.stdout);
    assert!(!place.data().exists(), "printing the configuration makes nothing");
}

#[test]
fn a_database_that_is_not_supported_is_a_usage_error() {
    let place = Place::new();
    let mut command = place.command(["migrate"]);
    command.env("ONSALE_DATABASE_URL", "oracle://db/x");
    let ended = run(command, "");
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stderr.contains("database.url"), "{ended:?}");
}

#[test]
fn the_openapi_document_is_printed() {
    let document: Value = serde_json::from_str(&Place::new().done(&["openapi"])).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    for path in ["/api/v1/reservations", "/api/v1/payments", "/api/v1/movies", "/api/v1/concerts"] {
        assert!(document["paths"].get(path).is_some(), "{path}");
    }
}

#[test]
fn migrating_twice_is_the_same_as_once() {
    let place = Place::new();
    assert_eq!(place.done(&["migrate"]), "the database is up to date\n");
    assert_eq!(place.done(&["migrate"]), "the database is up to date\n");
}
