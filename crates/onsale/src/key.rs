//! `onsale key rotate`

use onsale_engine::clock::{Clock as _, SystemClock};

use crate::{cli::RotateKey, config::Config, data_folder::DataFolder, failure::Failure};

const DAY_MS: i64 = 86_400_000;

/// Replaces the key in the data folder.
pub(crate) fn rotate(arguments: &RotateKey, config: &Config, folder: &DataFolder) -> Result<(), Failure> {
    if !config.accounts.signing_key.is_empty() {
        return Err(Failure::Usage(
            "the key is not in the data folder but in accounts.signing_key: set a new one there, and put the \
             one before into accounts.former_signing_keys"
                .to_owned(),
        ));
    }
    folder.rotate_key(SystemClock.now().plus_ms(arguments.read_days * DAY_MS))?;
    println!(
        "A new key signs from the next start of `onsale serve` on. What the one before has signed is read for \
         {} days more.",
        arguments.read_days
    );
    Ok(())
}
