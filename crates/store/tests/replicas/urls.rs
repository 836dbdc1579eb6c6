//! What cannot be a replica is said before anything is connected to.

use onsale_engine::ports::StoreError;
use onsale_store::{REPLICAS_MAX, check_replica_urls};

#[test]
fn what_cannot_be_a_replica_is_said_without_its_password() {
    let refused = |url: &str, replicas: &[&str]| {
        let replicas: Vec<String> = replicas.iter().map(|&replica| replica.to_owned()).collect();
        match check_replica_urls(url, &replicas) {
            Err(StoreError::Rejected(reason)) => reason,
            other => panic!("{replicas:?}: {other:?}"),
        }
    };
    let (postgres, mysql) = ("postgres://shop:secret@db/x", "mysql://shop:secret@db/x");
    assert!(refused("sqlite:a.db", &["sqlite:b.db"]).contains("a SQLite file has no replicas"));
    assert!(refused("sqlite:a.db", &[postgres]).contains("a SQLite file has no replicas"));
    for (url, replicas) in [
        (postgres, [postgres, mysql]),
        (mysql, [mysql, postgres]),
        (postgres, [postgres, "shop:secret@db/x"]),
        (postgres, [postgres, "postgres://shop:secret@db:port/x"]),
        (mysql, ["mariadb://shop:secret@db/x", "mysql://shop:secret@db:port/x"]),
    ] {
        let reason = refused(url, &replicas);
        assert!(reason.starts_with("number 2: ") && !reason.contains("secret"), "{replicas:?}: {reason}");
    }
    assert!(refused(postgres, &[postgres; REPLICAS_MAX + 1]).contains("at most 32"));
    let most = vec![postgres.to_owned(); REPLICAS_MAX];
    assert!(check_replica_urls(postgres, &most).is_ok());
    assert!(check_replica_urls("sqlite:a.db", &[]).is_ok());
}
