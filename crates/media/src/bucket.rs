//! Pictures in a bucket on S3, or on what speaks S3.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::{
    Attribute, Attributes, BackoffConfig, Error, ObjectStore, ObjectStoreExt as _, PutOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
    path::Path,
};
use onsale_engine::{
    media::MediaName,
    ports::{MediaFiles, MediaFilesError},
    secret::without_secrets,
};

use crate::http::Http;

/// An object that is written and removed to see whether that can be done.
const TRIED_OUT: &str = "onsale-was-here";

/// How often a request is repeated that failed for no fault of ours.
const RETRIES_MAX: usize = 2;

/// After this long nothing is repeated any more: somebody waits for the picture.
const RETRY_FOR: Duration = Duration::from_secs(5);

/// A part of a bucket with an object for each picture.
#[derive(Debug)]
pub struct MediaBucket {
    url: String,
    store: AmazonS3,
    prefix: Path,
}

/// Why a bucket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// What was set is not understood; the text says what would be.
    #[error("{0}")]
    Settings(String),
    /// There is no such bucket, or we may not use it.
    #[error("{0}")]
    Refused(String),
}

impl MediaBucket {
    /// The part of a bucket that `s3://BUCKET/PREFIX` names. `variables` are the usual ones, such as
    /// `AWS_REGION` and `AWS_ENDPOINT_URL`; others are passed over. Without keys among them the role of
    /// the machine is used. Whoever it is must be allowed `s3:PutObject`, `s3:GetObject`,
    /// `s3:DeleteObject`, and `s3:ListBucket`, without which S3 does not say that there is no object.
    ///
    /// A store that does not answer is no reason to fail: it may do so later.
    ///
    /// # Errors
    /// If the URL or a variable is not understood, or the store says that we may not use the bucket, or
    /// that there is none.
    pub async fn open(
        url: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, BucketError> {
        let not_understood = || BucketError::Settings(format!("`{url}` is not `s3://BUCKET/PREFIX`"));
        let (bucket, prefix) = match url.strip_prefix("s3://").ok_or_else(not_understood)?.split_once('/') {
            Some((bucket, prefix)) => (bucket, prefix),
            None => (&url["s3://".len()..], ""),
        };
        if bucket.is_empty() || bucket.contains(['?', '#', '@', ':']) || prefix.contains(['?', '#']) {
            return Err(not_understood());
        }
        let retry = RetryConfig {
            max_retries: RETRIES_MAX,
            retry_timeout: RETRY_FOR,
            backoff: BackoffConfig::default(),
        };
        let mut builder = AmazonS3Builder::new();
        for (name, value) in variables {
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>()
                && name.starts_with("AWS_")
            {
                builder = builder.with_config(key, value);
            }
        }
        let http = Http::new().map_err(|error| BucketError::Settings(error.to_string()))?;
        let store = builder
            .with_bucket_name(bucket)
            .with_retry(retry)
            .with_http_connector(http)
            .build()
            .map_err(|error| BucketError::Settings(error.to_string()))?;
        let prefix = Path::parse(prefix.trim_end_matches('/')).map_err(|_| not_understood())?;
        let bucket = Self { url: url.trim_end_matches('/').to_owned(), store, prefix };
        bucket.try_out().await?;
        Ok(bucket)
    }

    /// Sees whether the bucket is there and may be written to.
    async fn try_out(&self) -> Result<(), BucketError> {
        let object = self.prefix.clone().join(TRIED_OUT);
        let tried = match self.store.put(&object, Bytes::new().into()).await {
            Ok(_) => self.store.delete(&object).await,
            Err(error) => Err(error),
        };
        match tried {
            Ok(()) => Ok(()),
            Err(
                error @ (Error::NotFound { .. }
                | Error::PermissionDenied { .. }
                | Error::Unauthenticated { .. }),
            ) => Err(BucketError::Refused(format!("{}: {error}", self.url))),
            Err(error) => {
                tracing::warn!(%error, url = without_secrets(&self.url), "the bucket of pictures cannot be used yet");
                Ok(())
            }
        }
    }

    fn object(&self, name: &MediaName) -> Path {
        self.prefix.clone().join(name.to_string())
    }

    fn failed(&self, name: &MediaName) -> impl Fn(Error) -> MediaFilesError {
        let object = format!("{}/{name}", self.url);
        move |error| MediaFilesError(format!("{object}: {error}"))
    }
}

#[async_trait]
impl MediaFiles for MediaBucket {
    async fn put(&self, name: &MediaName, bytes: Bytes) -> Result<(), MediaFilesError> {
        // For whoever looks into the bucket; we know it from the name.
        let media_type = name.format().media_type();
        let attributes = Attributes::from_iter([(Attribute::ContentType, media_type)]);
        let options = PutOptions { attributes, ..PutOptions::default() };
        let put = self.store.put_opts(&self.object(name), bytes.into(), options).await;
        put.map(drop).map_err(self.failed(name))
    }

    async fn get(&self, name: &MediaName) -> Result<Option<Bytes>, MediaFilesError> {
        let found = match self.store.get(&self.object(name)).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        match found {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(name)(error)),
        }
    }

    async fn remove(&self, name: &MediaName) -> Result<(), MediaFilesError> {
        match self.store.delete(&self.object(name)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(name)(error)),
        }
    }
}
