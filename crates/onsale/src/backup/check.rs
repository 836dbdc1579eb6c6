//! Checking a backup: it is whole, and what is in it adds up.

use std::{fs, path::Path};

use super::{beside, restore::extract_into};
use crate::{audit::run_audit, compose, config::Config, data_folder::DataFolder, failure::Failure};

/// Restores a backup beside its file, audits it, and removes that again.
pub(crate) async fn check(mut config: Config, file: &Path) -> Result<(), Failure> {
    if !file.is_file() {
        return Err(Failure::Failed(format!("there is no file {}", file.display())));
    }
    // Whatever database is configured: the one in the file is meant.
    config.database.url = "".into();
    config.database.replicas = std::iter::empty().collect();
    let folder = DataFolder::create(&beside(file, "check"))?;
    let checked = Box::pin(restore_and_audit(config, file, &folder)).await;
    let _ = fs::remove_dir_all(folder.path());
    checked
}

async fn restore_and_audit(config: Config, file: &Path, folder: &DataFolder) -> Result<(), Failure> {
    let manifest = extract_into(file, folder.path())?;
    println!(
        "a whole backup of {}, {} files, by Onsale {}\n",
        manifest.made_at,
        manifest.files.len(),
        manifest.onsale
    );
    let base = compose::open(config, DataFolder::existing(folder.path())?, false).await?;
    let audited = run_audit(&base).await;
    base.close().await.and(audited)
}
