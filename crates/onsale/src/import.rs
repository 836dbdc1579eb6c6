//! Bringing in data that people already have. Reading is pure and done before anything is written.

mod film_list;
mod mac_roman;
mod movies;
mod pretix;
mod row;
mod seating_plan;

use std::{fmt::Display, fs::File, io::Read, path::Path};

pub(crate) use movies::import_movies;
pub(crate) use seating_plan::import_seating_plan;

use onsale_domain::ids::UserId;
use onsale_engine::owners::Owners;

use crate::failure::Failure;

/// The largest file that is read: everything is in memory at once.
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// What imports say about a server that is running on the same database.
const SEEN_WITHIN: &str = "A running server shows it within a minute.";

/// The account that is to own what is new.
async fn owner(owners: &Owners, email: Option<&str>) -> Result<Option<UserId>, Failure> {
    let Some(email) = email else { return Ok(None) };
    let organiser = owners.organiser(email).await.map_err(Failure::of("nothing was imported"))?;
    Ok(Some(organiser.id))
}

/// A file's text.
fn read_text(path: &Path) -> Result<String, Failure> {
    let cannot = |reason: &dyn Display| Failure::Failed(format!("cannot read {}: {reason}", path.display()));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| cannot(&error))?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(cannot(&"it is larger than 512 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        cannot(&format_args!("line {line} is not UTF-8"))
    })?;
    // Editors on Windows put a byte order mark in front.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}
