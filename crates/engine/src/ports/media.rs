//! The ports under pictures: the files, and who refers to them.

use async_trait::async_trait;
use bytes::Bytes;
use onsale_domain::{
    ids::{ItemId, ShowId, UserId},
    time::Timestamp,
};

use super::error::StoreError;
use crate::media::MediaName;

/// Keeps the files of pictures. A name says what is in its file, so a file never changes.
#[async_trait]
pub trait MediaFiles: Send + Sync + 'static {
    /// Keeps a file; after `Ok` all of it is there. Otherwise nothing of it is seen. The same file
    /// again is no failure.
    async fn put(&self, name: &MediaName, bytes: Bytes) -> Result<(), MediaFilesError>;

    /// A file, if there is one.
    async fn get(&self, name: &MediaName) -> Result<Option<Bytes>, MediaFilesError>;

    /// Removes a file. One that is not there is no failure.
    async fn remove(&self, name: &MediaName) -> Result<(), MediaFilesError>;
}

/// The files cannot be reached, or written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct MediaFilesError(pub String);

/// Who has a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pictured {
    /// A show.
    Show(ShowId),
    /// An item.
    Item(ItemId),
}

impl From<ShowId> for Pictured {
    fn from(show: ShowId) -> Self {
        Self::Show(show)
    }
}

impl From<ItemId> for Pictured {
    fn from(item: ItemId) -> Self {
        Self::Item(item)
    }
}

/// Keeps which pictures there are, and which one a show or an item has.
///
/// A picture that nobody refers to is removed: first it is marked, then its file goes, then its row.
/// While it is marked nobody can refer to it, so nobody is left with a picture that is gone.
#[async_trait]
pub trait MediaStore: Send + Sync + 'static {
    /// Notes a picture whose file is about to be kept, used `now`. `false` if it is being removed.
    async fn note_media(&self, name: &MediaName, now: Timestamp) -> Result<bool, StoreError>;

    /// Notes whose a picture is that nobody's was, and how large.
    async fn own_media(&self, name: &MediaName, owner: UserId, bytes: u64) -> Result<(), StoreError>;

    /// An account's pictures and how many bytes each has, those that nobody refers to any more included
    /// until they are removed.
    async fn media_of(&self, owner: UserId) -> Result<Vec<(MediaName, u64)>, StoreError>;

    /// Gives a show or an item its picture, or none; `false` if the picture is not there or being
    /// removed. Fails with [`StoreError::Missing`] if there is no such show or item.
    async fn set_image(
        &self,
        of: Pictured,
        image: Option<&MediaName>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Marks pictures that nobody refers to, and that were last used before a time, as being removed.
    /// All that are marked, at most `limit`.
    async fn mark_unused_media(&self, before: Timestamp, limit: usize) -> Result<Vec<MediaName>, StoreError>;

    /// Forgets a picture that was marked and whose file is gone.
    async fn forget_media(&self, name: &MediaName) -> Result<(), StoreError>;
}
