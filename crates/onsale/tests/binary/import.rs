//! Imports, into a database at rest and into one that is being served.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Place, test_data};

const FILMS: &str = r#"[
{"Title": "The Quiet Pier", "Release Date": "Jun 12 1998", "MPAA Rating": "R", "Major Genre": "Drama", "Running Time min": 104, "Director": "Ida Noor"},
{"Title": 1776, "Release Date": "Nov 09 1972", "MPAA Rating": "Not Rated", "Major Genre": null, "Running Time min": null},
{"Title": null, "Release Date": "Nov 09 1972"},
{"Title": "Le CafÈ", "Release Date": "Dec 31 2046", "IMDB Votes": 12},
{"Title": "The Quiet Pier", "Release Date": "Jun 12 1998", "MPAA Rating": "R"},
{"Title": "The Quiet Pier", "Release Date": "Jun 13 2001"}
]"#;

fn last_summary(stdout: &str) -> &str {
    stdout.lines().find(|line| line.starts_with("read ")).expect("a summary")
}

#[tokio::test]
async fn films_are_imported_once_and_found() {
    let place = Place::new();
    let file = place.file("films.json", FILMS);
    let first = place.done(&["import", "movies", &file]);
    assert_eq!(last_summary(&first), "read 6: added 4, changed 0, unchanged 0, left out 2; mended 2");
    for said in [
        "line 3: \"1776\" mended: the title is a number; taken as text",
        "line 4: \"\" left out: it has no title",
        "line 5: \"Le CafÈ\" mended: the title's encoding was misread; it is `Le Café`",
        "line 5: \"Le CafÈ\" mended: release date `Dec 31 2046`",
        "line 6: \"The Quiet Pier\" left out: the same film as in line 2",
    ] {
        assert!(first.contains(said), "{said}\n{first}");
    }
    let again = place.done(&["import", "movies", &file]);
    assert_eq!(last_summary(&again), "read 6: added 0, changed 0, unchanged 4, left out 2; mended 2");

    let server = place.serve(&[]);
    let (status, found) = server.get("/api/v1/movies?title=1776", None).await;
    assert_eq!(status, 200);
    assert_eq!(found["responses"][0]["title"], "1776", "{found}");
    let (_, found) = server.get("/api/v1/movies?title=caf%C3%A9", None).await;
    assert_eq!(found["responses"][0]["releaseDate"], "1946-12-31T00:00:00", "{found}");
}

#[tokio::test]
async fn films_may_be_imported_and_changed_while_a_server_runs() {
    let place = Place::new();
    let server = place.serve(&[]);
    let file = place.file("films.json", FILMS);
    place.done(&["import", "movies", &file]);
    let changed = place.file("changed.json", FILMS.replace("Ida Noor", "Ida N. Noor"));
    let summary = place.done(&["import", "movies", &changed]);
    assert_eq!(last_summary(&summary), "read 6: added 0, changed 1, unchanged 3, left out 2; mended 2");
    let (_, found) = server.get("/api/v1/movies?title=pier&genre=drama", None).await;
    assert_eq!(found["responses"].as_array().unwrap().len(), 1, "{found}");
    assert!(server.stop().success());
}

#[tokio::test]
async fn what_people_have_edited_stays_when_a_list_is_imported_again() {
    let place = Place::new();
    let add = ["user", "add", "root@example.com", "--role", "admin", "--password-stdin"];
    assert_eq!(place.run_with_input(&add, "long-enough\n").code, 0);
    let list = |genre: &str| {
        let film = json!({"Title": "The Quiet Pier", "Release Date": "Jun 12 1998", "Major Genre": genre,
            "MPAA Rating": "R"});
        place.file("films.json", json!([film]).to_string())
    };
    place.done(&["import", "movies", &list("Drama")]);
    let server = place.serve(&[]);
    let token = server.log_in("root@example.com", "long-enough").await;
    let edited = json!({"kind": "movie", "title": "The Quiet Pier", "genre": "Drama", "grade": "R", "releaseDate": "1998-06-13",
        "description": "At the sea.", "thumbnailImage": "https://example.org/pier.jpg"});
    let put =
        server.call(Method::PUT, "/api/v1/admin/shows/1", Some(&token), None, Some(edited.clone())).await;
    assert_eq!(put.expect("the server answers").0, 200);

    let again = place.done(&["import", "movies", &list("Drama")]);
    let summary = "read 1: added 0, changed 0, unchanged 1, left out 0; mended 0; edited and kept 1";
    assert_eq!(last_summary(&again), summary);
    let said = "kept: releaseDate stays `1998-06-13`, as it was edited; the list says `1998-06-12`";
    assert!(again.contains(said), "{again}");
    let report = place.path("report.csv");
    let changed = place.done(&["import", "movies", &list("Comedy"), "--report", report.to_str().unwrap()]);
    assert!(last_summary(&changed).starts_with("read 1: added 0, changed 1, unchanged 0"), "{changed}");
    assert!(std::fs::read_to_string(report).unwrap().contains(",kept,\"releaseDate stays"));
    let (status, show) = server.get("/api/v1/admin/shows/1", Some(&token)).await;
    assert_eq!((status, &show["genre"]), (200, &json!("Comedy")), "the list has changed it");
    for field in ["description", "thumbnailImage", "releaseDate"] {
        assert_eq!(show[field], edited[field], "{field}");
    }
}

#[tokio::test]
async fn right_titles_and_years_stay_as_they_are() {
    let place = Place::new();
    let films = r#"[{"Title":"Parasite","Release Date":"May 30 2019","IMDB Votes":900000},
        {"Title":"La pel·lícula"},{"Title":"Minus 40 °C"},{"Title":"Les 400 coups n°1"},{"Title":"Le CafÈ"}]"#;
    let file = place.file("films.json", films);
    let imported = place.done(&["import", "movies", &file, "--as-is"]);
    assert_eq!(last_summary(&imported), "read 5: added 5, changed 0, unchanged 0, left out 0; mended 0");
    let other = Place::new();
    let imported = other.done(&["import", "movies", &file]);
    assert_eq!(last_summary(&imported), "read 5: added 5, changed 0, unchanged 0, left out 0; mended 1");
    let server = other.serve(&[]);
    let (_, found) = server.get("/api/v1/movies?title=parasite", None).await;
    assert_eq!(found["responses"][0]["releaseDate"], "2019-05-30T00:00:00", "{found}");
    let (_, all) = server.get("/api/v1/movies?showing=false", None).await;
    for title in ["La pel·lícula", "Minus 40 °C", "Les 400 coups n°1", "Le Café"] {
        assert!(all.to_string().contains(title), "{title}: {all}");
    }
}

#[test]
fn a_report_can_be_a_file() {
    let place = Place::new();
    let file = place.file("films.json", FILMS);
    let report = place.path("report.csv");
    let printed = place.done(&["import", "movies", &file, "--report", report.to_str().unwrap()]);
    assert!(!printed.contains("line 3"), "{printed}");
    let report = std::fs::read_to_string(report).unwrap();
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines[0], "line,title,outcome,reason");
    assert_eq!(lines[1], "3,\"1776\",mended,\"the title is a number; taken as text\"");
    assert_eq!(lines.len(), 6);
}

#[test]
fn a_broken_list_changes_nothing_and_is_told_where() {
    let place = Place::new();
    let ended = place.run(&["import", "movies", &place.file("films.json", &FILMS[..FILMS.len() - 30])]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("films.json") && ended.stderr.contains("line 7 column"), "{ended:?}");
    let mut bytes = FILMS.as_bytes().to_vec();
    bytes[20] = 0xE9;
    let ended = place.run(&["import", "movies", &place.file("latin1.json", bytes)]);
    assert!(ended.code == 1 && ended.stderr.contains("line 2 is not UTF-8"), "{ended:?}");
    let good = place.file("good.json", FILMS);
    assert!(last_summary(&place.done(&["import", "movies", &good])).contains("added 4"));
}

/// The real list, if it is at hand.
#[tokio::test]
async fn the_real_list_is_imported_whole() {
    let Some(folder) = test_data() else { return };
    let file = folder.join("movies.json");
    let place = Place::new();
    let import = ["import", "movies", file.to_str().unwrap()];
    assert!(
        last_summary(&place.done(&import))
            .starts_with("read 3201: added 3200, changed 0, unchanged 0, left out 1;")
    );
    assert!(
        last_summary(&place.done(&import))
            .starts_with("read 3201: added 0, changed 0, unchanged 3200, left out 1;")
    );
    let server = place.serve(&[]);
    let (_, found) = server.get("/api/v1/movies?title=1776", None).await;
    assert_eq!(found["responses"][0]["title"], "1776");
}

fn seating_plan() -> Value {
    let seat = |row: &str, number: usize| {
        let aisle = if number > 3 { 40 } else { 0 };
        json!({"seat_guid": format!("{row}-{number}"), "seat_number": number.to_string(), "category": "Stalls",
               "position": {"x": 25 * number + aisle, "y": 0}, "radius": 10})
    };
    let row = |label: &str, y: usize| {
        json!({"row_number": label, "row_number_position": "both", "position": {"x": 0, "y": y},
               "seats": (1..=6).map(|number| seat(label, number)).collect::<Vec<_>>()})
    };
    json!({"name": "Little Theatre", "size": {"width": 400, "height": 300},
           "categories": [{"name": "Stalls", "color": "#0000ff"}],
           "zones": [{"name": "Ground floor", "position": {"x": 10, "y": 10}, "areas": [],
                      "rows": [row("A", 0), row("B", 30)]}]})
}

#[tokio::test]
async fn a_seating_plan_becomes_a_hall_that_can_be_sold() {
    let place = Place::new();
    let file = place.file("plan.json", seating_plan().to_string());
    let import = ["import", "seating-plan", &file, "--venue", "Old Town", "--time-zone", "Europe/Berlin"];
    let printed = place.done(&import);
    assert!(
        printed.contains("added hall `Little Theatre`") && printed.contains("12 seats in 2 rows"),
        "{printed}"
    );

    let again = place.done(&import);
    assert!(again.contains("found hall `Little Theatre`") && again.contains("changes nothing"), "{again}");
    let mut other = seating_plan();
    other["zones"][0]["rows"][1]["seats"].as_array_mut().unwrap().pop();
    let other = place.file("other.json", other.to_string());
    let differs = place.run(&["import", "seating-plan", &other, "--venue", "Old Town"]);
    assert_eq!(differs.code, 1);
    assert!(differs.stderr.contains("differs") && differs.stderr.contains("--name"), "{differs:?}");
    place.done(&["import", "seating-plan", &file, "--venue", "Old Town", "--name", "Second hall"]);

    let added = place.run_with_input(
        &["user", "add", "boss@example.com", "--role", "organiser", "--password-stdin"],
        "long-enough\n",
    );
    assert_eq!(added.code, 0, "{added:?}");
    let server = place.serve(&[]);
    let token = server.log_in("boss@example.com", "long-enough").await;
    let (status, halls) = server.get("/api/v1/admin/venues/1/halls", Some(&token)).await;
    assert_eq!(status, 200, "{halls}");
    assert!(
        halls.to_string().contains("Little Theatre") && halls.to_string().contains("Second hall"),
        "{halls}"
    );
}

#[test]
fn a_wrong_seating_plan_changes_nothing_and_is_told_where() {
    let place = Place::new();
    let mut plan = seating_plan();
    plan["zones"][0]["rows"][1]["seats"][4]["category"] = json!("Royal box");
    let file = place.file("plan.json", plan.to_string());
    let ended = place.run(&["import", "seating-plan", &file, "--venue", "Old Town"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("zones[0].rows[1].seats[4].category: `Royal box`"), "{ended:?}");
    let good = place.file("good.json", seating_plan().to_string());
    let printed = place.done(&["import", "seating-plan", &good, "--venue", "Old Town"]);
    assert!(printed.contains("added venue `Old Town`"), "the first attempt added no venue: {printed}");
}

#[test]
fn accounts_are_added_with_a_password_from_standard_input() {
    let place = Place::new();
    let add = |email: &str, input: &str| {
        place.run_with_input(&["user", "add", email, "--role", "admin", "--password-stdin"], input)
    };
    let added = add("Root@Example.com", "long-enough\n");
    assert_eq!((added.code, added.stdout.as_str()), (0, "added root@example.com (1), admin\n"), "{added:?}");
    for (email, password, why) in [
        ("root@example.com", "long-enough", "already has an account"),
        ("other@example.com", "short", "password"),
        ("other@example.com", "", "password"),
        ("nobody", "long-enough", "email"),
    ] {
        let refused = add(email, password);
        assert!(refused.code == 1 && refused.stderr.contains(why), "{email} {password}: {refused:?}");
    }
}

#[tokio::test]
async fn an_import_is_whose_it_is_said_to_be() {
    let place = Place::new();
    for (email, role) in [("boss@example.com", "organiser"), ("buyer@example.com", "user")] {
        let add = ["user", "add", email, "--role", role, "--password-stdin"];
        assert_eq!(place.run_with_input(&add, "long-enough\n").code, 0);
    }
    let film = |title: &str| {
        place.file(
            &format!("{title}.json"),
            format!(r#"[{{"Title": "{title}", "Release Date": "Jun 12 1998"}}]"#),
        )
    };
    let (mine, nobodys) = (film("Mine"), film("Nobodys"));
    for email in ["buyer@example.com", "nobody@example.com"] {
        let refused = place.run(&["import", "movies", &mine, "--owner", email]);
        assert!(refused.code == 1 && refused.stderr.contains("no organiser"), "{refused:?}");
    }
    place.done(&["import", "movies", &mine, "--owner", "boss@example.com"]);
    place.done(&["import", "movies", &nobodys]);
    let plan = place.file("plan.json", seating_plan().to_string());
    place.done(&["import", "seating-plan", &plan, "--venue", "Old Town", "--owner", "boss@example.com"]);

    let server = place.serve(&[]);
    let token = server.log_in("boss@example.com", "long-enough").await;
    // The refused imports left nothing, so theirs is the first film.
    let (status, own) = server.get("/api/v1/admin/shows/1", Some(&token)).await;
    assert_eq!((status, &own["title"]), (200, &json!("Mine")), "{own}");
    let (status, others) = server.get("/api/v1/admin/shows/2", Some(&token)).await;
    assert_eq!((status, &others["type"]), (403, &json!("/problems/not-the-owner")), "{others}");
    let venue = Some(json!({"name": "Old Town Theatre", "timeZone": "Europe/Berlin"}));
    let renamed = server.call(Method::PUT, "/api/v1/admin/venues/1", Some(&token), None, venue).await;
    assert_eq!(renamed.expect("the server answers").0, 200);
}
