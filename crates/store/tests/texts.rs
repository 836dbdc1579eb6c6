//! Texts in databases as people have them: of another charset, and with titles that older rules have folded.

use std::sync::Arc;

use onsale_domain::{
    catalogue::{ShowDetails, ShowKind},
    hall::{Plan, SectionSpec},
    money::Currency,
    time::Timestamp,
};
use onsale_engine::ports::{CatalogueStore, MovieQuery, StoreError};
use onsale_store::{SqlStore, StoreOptions};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};

async fn open(url: &str) -> Result<SqlStore, StoreError> {
    SqlStore::open(url, &StoreOptions::new(Currency::KRW)).await
}

async fn raw(url: &str) -> DatabaseConnection {
    Database::connect(url).await.expect("the database can be reached")
}

fn film(title: &str) -> ShowDetails {
    ShowDetails::new(ShowKind::Movie, title)
}

/// The titles found by a part of them.
async fn found(store: &SqlStore, title: &str) -> Vec<String> {
    let query = MovieQuery {
        title: Some(title.to_owned()),
        genre: None,
        showing_only: false,
        now: Timestamp(0),
        page: 0,
        size: 500,
    };
    let films = store.movies(&query).await.expect("a list");
    films.into_iter().map(|film| film.show.details.title).collect()
}

/// Titles as a version had them that only knew lower case. More than are folded in one go.
async fn titles_folded_by_older_rules_are_found(url: String) {
    const OLD: usize = 230;
    let store = open(&url).await.expect("it opens");
    store.add_show(film("Plain"), None).await.expect("a film");
    for number in 0..OLD {
        store.add_show(film(&format!("Ame\u{301}lie {number}")), None).await.expect("a film");
    }
    let database = raw(&url).await;
    for older in [
        "UPDATE shows SET folded_by = 0",
        "UPDATE shows SET title_folded = REPLACE(title_folded, 'amelie', 'amélie')",
        "DELETE FROM show_grams WHERE gram IN ('ame', 'mel', 'eli', 'me', 'el')",
    ] {
        database.execute_unprepared(older).await.expect("it is as it was");
    }
    assert_eq!(found(&store, "amelie").await.len(), 0, "nobody has folded them again yet");

    let (one, two) = tokio::join!(open(&url), open(&url));
    let (one, two) = (one.expect("it opens"), two.expect("another node that starts with it"));
    let titles = found(&one, "AMELIE").await;
    assert_eq!(titles.len(), OLD);
    assert!(titles.iter().all(|title| title.starts_with("Amélie")), "and they are composed");
    assert_eq!(found(&two, "plain").await, ["Plain"]);
}

#[tokio::test]
async fn titles_folded_by_older_rules_are_found_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = SqlStore::file_url(&folder.path().join("onsale.db")).expect("a URL");
    Box::pin(titles_folded_by_older_rules_are_found(url)).await;
}

mod postgres {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn titles_folded_by_older_rules_are_found() {
        let database = onsale_testbed::postgres().fresh_database().await;
        Box::pin(super::titles_folded_by_older_rules_are_found(database)).await;
    }

    #[tokio::test]
    async fn a_database_of_another_encoding_is_refused_with_what_to_do() {
        let url = onsale_testbed::postgres().fresh_database().await;
        let name = url.rsplit('/').next().expect("a name").to_owned();
        for encoding in ["LATIN1", "SQL_ASCII", "EUC_KR"] {
            let other = format!("{name}_{}", encoding.to_lowercase());
            let create = format!(
                "CREATE DATABASE {other} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            );
            raw(&url).await.execute_unprepared(&create).await.expect("a database");
            let refused = open(&url.replace(&name, &other)).await.err();
            let Some(StoreError::Rejected(why)) = refused else { panic!("{encoding}: {refused:?}") };
            assert!(
                why.contains(encoding) && why.contains("CREATE DATABASE") && why.contains(&other),
                "{why}"
            );
        }
        open(&url).await.expect("UTF-8 is taken");
    }
}

mod mariadb {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn titles_folded_by_older_rules_are_found() {
        let database = onsale_testbed::mariadb().fresh_database().await;
        Box::pin(super::titles_folded_by_older_rules_are_found(database)).await;
    }

    #[tokio::test]
    async fn a_database_of_another_charset_keeps_every_text() {
        for charset in ["latin1", "ascii", "euckr"] {
            let url = onsale_testbed::mariadb().fresh_database().await;
            let name = url.rsplit('/').next().expect("a name").to_owned();
            let alter = format!("ALTER DATABASE {name} CHARACTER SET {charset}");
            raw(&url).await.execute_unprepared(&alter).await.expect("another charset");
            // Whatever the URL asks for.
            let store = Arc::new(open(&format!("{url}?charset=latin1")).await.expect("it opens"));
            for title in ["기생충", "Emoji 🎬 Night", "Ünïted 93"] {
                store.add_show(film(title), None).await.expect("a film");
                assert_eq!(found(&store, title).await, [title], "{charset}");
            }
            let section = |name: &str| SectionSpec {
                name: name.to_owned(),
                rows: 1,
                seats_per_row: 2,
                category: "라".to_owned(),
            };
            let mut plan = Plan::generate(&[section("가🎬")]).expect("a plan");
            plan.seats[1].number = "다🎬".to_owned();
            plan.seats[1].guid = Some("나🎬".to_owned());
            let venue = store.add_venue("대극장", "Asia/Seoul", None).await.expect("a venue");
            let hall = store.add_hall(venue, "1관", &plan).await.expect("a hall");
            let map = store.seat_map(hall).await.expect("it is read").expect("it is there");
            let seat = &map.seats()[1];
            assert_eq!((&*seat.number, seat.guid.as_deref()), ("다🎬", Some("나🎬")), "{charset}");
            assert_eq!((&*map.rows()[0].section, &*map.categories()[0]), ("가🎬", "라"));
        }
    }
}
