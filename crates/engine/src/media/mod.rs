//! Pictures of shows and items: taken from organisers, kept under a name that says what is in them.

mod image;
mod metadata;

use std::{fmt, str::FromStr, sync::Arc};

use bytes::Bytes;
use onsale_domain::{ids::UserId, time::Timestamp};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

pub use metadata::without_metadata;

pub use image::{FRAME_PIXELS_MAX, Image, ImageFormat, NotAnImage, PIXELS_MAX, SIDE_MAX, inspect};

use crate::{
    clock::Clock,
    ports::{MediaFiles, MediaFilesError, MediaStore, Pictured, StoreError},
};

/// The most bytes of a picture.
pub const IMAGE_BYTES_MAX: usize = 5 * 1024 * 1024;

/// Where pictures are served.
pub const MEDIA_PATH: &str = "/media/";

/// How long a picture is kept that nobody refers to, in milliseconds.
const UNUSED_KEPT_MS: i64 = 3_600_000;

/// How often unused pictures are looked for, in milliseconds.
const SWEEP_EVERY_MS: i64 = 600_000;

/// How many pictures are removed at a time.
const SWEEP_CHUNK: usize = 100;

/// How often a picture is tried to be kept that is being removed at that moment.
const KEEP_TRIES_MAX: u32 = 20;

/// How long to wait in between, in milliseconds.
const KEEP_AGAIN_AFTER_MS: i64 = 100;

/// The name of a picture: a digest of its bytes, and how it is encoded. It names one picture for
/// ever, and nothing outside the folder of pictures.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MediaName {
    digest: [u8; 32],
    format: ImageFormat,
}

impl MediaName {
    /// The name of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8], format: ImageFormat) -> Self {
        Self { digest: Sha256::digest(bytes).into(), format }
    }

    /// How it is encoded.
    #[must_use]
    pub const fn format(&self) -> ImageFormat {
        self.format
    }

    /// Where it is served.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{MEDIA_PATH}{self}")
    }
}

impl fmt::Display for MediaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.digest {
            write!(f, "{byte:02x}")?;
        }
        write!(f, ".{}", self.format.extension())
    }
}

impl fmt::Debug for MediaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no picture's name.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not the name of a picture")]
pub struct NotAName;

impl FromStr for MediaName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let (digits, extension) = text.split_once('.').ok_or(NotAName)?;
        let format = ImageFormat::ALL.into_iter().find(|format| format.extension() == extension);
        let is_hex = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != 64 || !digits.bytes().all(is_hex) {
            return Err(NotAName);
        }
        let mut digest = [0; 32];
        for (index, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).map_err(|_| NotAName)?;
        }
        Ok(Self { digest, format: format.ok_or(NotAName)? })
    }
}

/// Why a picture was not taken, or cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// No pictures are kept here.
    #[error("no pictures are kept here")]
    None,
    /// It has too many bytes.
    #[error("a picture has at most {IMAGE_BYTES_MAX} bytes")]
    TooLarge,
    /// It is none that is taken.
    #[error(transparent)]
    NotAnImage(#[from] NotAnImage),
    /// It is a picture, but not the kind that was said.
    #[error("the picture is {}, not {said}", actual.media_type())]
    OtherFormat {
        /// What was said.
        said: String,
        /// What it is.
        actual: ImageFormat,
    },
    /// The account has as many pictures as it may have.
    #[error("an account may have {} pictures of {} bytes in all; those that are not shown any more are \
             removed within two hours", .0.pictures, .0.bytes)]
    TooMany(MediaQuota),
    /// The files fail.
    #[error(transparent)]
    Files(#[from] MediaFilesError),
    /// The database fails, or what is referred to does not exist.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// As many pictures as one account may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaQuota {
    /// How many.
    pub pictures: usize,
    /// How many bytes they may have in all.
    pub bytes: u64,
}

impl Default for MediaQuota {
    /// A thousand pictures, a gigabyte.
    fn default() -> Self {
        Self { pictures: 1_000, bytes: 1 << 30 }
    }
}

/// Pictures of shows and items. Cheap to clone.
#[derive(Clone)]
pub struct Media {
    store: Arc<dyn MediaStore>,
    files: Arc<dyn MediaFiles>,
    clock: Arc<dyn Clock>,
    quota: MediaQuota,
    /// One at a time: what an account has is counted before it has more.
    counting: Arc<Mutex<()>>,
}

impl Media {
    /// Pictures in these files.
    #[must_use]
    pub fn new(
        store: Arc<dyn MediaStore>,
        files: Arc<dyn MediaFiles>,
        clock: Arc<dyn Clock>,
        quota: MediaQuota,
    ) -> Self {
        Self { store, files, clock, quota, counting: Arc::default() }
    }

    /// Takes a picture of an account's that is said to be of a media type, and makes it a show's or an
    /// item's. What follows the picture in the bytes is cut off, and what tells where it was taken and the
    /// like is taken out.
    ///
    /// # Errors
    /// See [`MediaError`]; then it has the picture that it had.
    pub async fn set_image(
        &self,
        by: UserId,
        of: Pictured,
        said: &str,
        bytes: Bytes,
    ) -> Result<MediaName, MediaError> {
        if bytes.len() > IMAGE_BYTES_MAX {
            return Err(MediaError::TooLarge);
        }
        let image = inspect(&bytes)?;
        if image.format.media_type() != said {
            return Err(MediaError::OtherFormat { said: said.to_owned(), actual: image.format });
        }
        let bytes = without_metadata(&bytes[..image.length], image.format).ok_or(NotAnImage::Broken)?;
        let bytes = Bytes::from(bytes);
        let name = MediaName::of(&bytes, image.format);
        for _ in 0..KEEP_TRIES_MAX {
            if self.note(by, &name, bytes.len()).await? {
                self.files.put(&name, bytes.clone()).await?;
                if self.store.set_image(of, Some(&name), self.clock.now()).await? {
                    return Ok(name);
                }
            }
            // The same picture is being removed at this moment.
            self.clock.sleep(KEEP_AGAIN_AFTER_MS).await;
        }
        Err(StoreError::Unavailable("this picture is being removed; try again in a moment".to_owned()).into())
    }

    /// Notes a picture that an account is about to have, if it may have one more. `false` if it is being
    /// removed.
    async fn note(&self, by: UserId, name: &MediaName, bytes: usize) -> Result<bool, MediaError> {
        let _alone = self.counting.lock().await;
        let theirs = self.store.media_of(by).await?;
        let is_new = theirs.iter().all(|(has, _)| has != name);
        let all: u64 = theirs.iter().map(|(_, bytes)| bytes).sum();
        if is_new && (theirs.len() >= self.quota.pictures || all + bytes as u64 > self.quota.bytes) {
            return Err(MediaError::TooMany(self.quota));
        }
        if !self.store.note_media(name, self.clock.now()).await? {
            return Ok(false);
        }
        self.store.own_media(name, by, bytes as u64).await?;
        Ok(true)
    }

    /// Takes a show's or an item's picture away.
    ///
    /// # Errors
    /// If there is no such show or item, or the database fails.
    pub async fn remove_image(&self, of: Pictured) -> Result<(), MediaError> {
        self.store.set_image(of, None, self.clock.now()).await?;
        Ok(())
    }

    /// A picture, if there is one of this name.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub async fn get(&self, name: &MediaName) -> Result<Option<Bytes>, MediaError> {
        let Some(bytes) = self.files.get(name).await? else { return Ok(None) };
        // One that was kept before it was done when it was taken may still have metadata.
        let without = without_metadata(&bytes, name.format()).filter(|without| *without != bytes);
        Ok(Some(without.map_or(bytes, Bytes::from)))
    }

    /// Removes pictures that nobody has referred to for an hour, from time to time, until the task is
    /// aborted.
    pub(crate) async fn keep_tidy(self) {
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "unused pictures cannot be removed yet");
            }
            self.clock.sleep(SWEEP_EVERY_MS).await;
        }
    }

    /// Removes pictures that nobody has referred to for an hour; how many. Done by itself every ten
    /// minutes.
    ///
    /// # Errors
    /// If the database or the files fail. The rest is removed next time.
    pub async fn sweep(&self) -> Result<usize, MediaError> {
        let before: Timestamp = self.clock.now().plus_ms(-UNUSED_KEPT_MS);
        let mut removed = 0;
        loop {
            let unused = self.store.mark_unused_media(before, SWEEP_CHUNK).await?;
            for name in &unused {
                self.files.remove(name).await?;
                self.store.forget_media(name).await?;
            }
            removed += unused.len();
            if unused.len() < SWEEP_CHUNK {
                return Ok(removed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written_and_nothing_else_is_one() {
        let name = MediaName::of(b"x", ImageFormat::Jpeg);
        let text = name.to_string();
        assert_eq!(text, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.jpg");
        assert_eq!(text.parse::<MediaName>().unwrap(), name);
        let digits = &text[..64];
        for other in [
            "",
            ".",
            "..",
            "../onsale.db",
            "..%2fonsale.db",
            "signing.key",
            digits,
            &text.to_uppercase(),
            &format!("{digits}.svg"),
            &format!("{digits}.jpeg"),
            &format!("{digits}.jpg.html"),
            &format!("{digits}."),
            &format!("/{text}"),
            &format!("{}.jpg", &digits[1..]),
            &format!("{}/.jpg", &digits[1..]),
            &format!("+{}.jpg", &digits[1..]),
            &format!("{}é.jpg", &digits[2..]),
        ] {
            assert!(other.parse::<MediaName>().is_err(), "{other}");
        }
    }
}
