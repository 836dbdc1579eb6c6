//! Where the files of pictures are kept: in a folder, or in a bucket on S3 or alike.

#[cfg(feature = "s3")]
mod bucket;
mod folder;
#[cfg(feature = "s3")]
mod http;

#[cfg(feature = "s3")]
pub use bucket::{BucketError, MediaBucket};
pub use folder::MediaFolder;
