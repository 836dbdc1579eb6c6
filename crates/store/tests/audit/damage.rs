//! A damaged file: the audit finds it, and the store says so from the first statement on that met it.

use std::{
    fs::OpenOptions,
    io::{Seek, SeekFrom, Write},
};

use onsale_engine::{
    audit::{Violation, audit},
    ports::{SaleStore, StoreError},
};

use crate::world::{open, sell};

/// Overwrites the middle of each page from one on.
fn damage(path: &std::path::Path, from: u64) {
    let pages = std::fs::metadata(path).expect("the file is there").len() / 4_096;
    let mut file = OpenOptions::new().write(true).open(path).expect("the file can be written");
    for page in from..pages {
        file.seek(SeekFrom::Start(page * 4_096)).expect("the page is there");
        file.write_all(&[0xA5; 512]).expect("the page is written");
    }
}

#[tokio::test]
async fn a_damaged_file_is_found_and_the_store_is_not_ready() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("onsale.db");
    let url = format!("sqlite:{}", path.display());
    sell(&url).await;
    let store = open(&url).await;
    store.ping().await.expect("it is ready");
    store.close().await.expect("it can be closed");

    let store = open(&url).await;
    damage(&path, 30);
    let report = audit(&store, |_, _| {}).await.expect("the audit tells instead of failing");
    let found = &report.violations[&Violation::FileDamaged];
    assert!(!found.rows.is_empty(), "{report:#?}");

    // A statement that meets it says so, and from then on the store is not ready.
    let met = store.order(onsale_domain::ids::OrderId(uuid::Uuid::from_u128(1))).await;
    let wallets = store.wallet(onsale_domain::ids::UserId(1)).await;
    assert!(
        matches!(met, Err(StoreError::Damaged(_))) || matches!(wallets, Err(StoreError::Damaged(_))),
        "{met:?} {wallets:?}"
    );
    assert!(matches!(store.ping().await, Err(StoreError::Damaged(_))));
}
