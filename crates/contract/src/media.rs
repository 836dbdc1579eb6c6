//! The contract of [`MediaFiles`](onsale_engine::ports::MediaFiles), wherever they are kept.
#![allow(missing_docs, reason = "a case's name says what it demands")]

pub mod files {
    use std::sync::Arc;

    use bytes::Bytes;
    use onsale_engine::{
        media::{IMAGE_BYTES_MAX, ImageFormat, MediaName},
        ports::MediaFiles,
    };

    fn picture(byte: u8, length: usize) -> (MediaName, Bytes) {
        let bytes = Bytes::from(vec![byte; length]);
        (MediaName::of(&bytes, ImageFormat::Png), bytes)
    }

    pub async fn what_was_kept_is_read_back(files: Arc<dyn MediaFiles>) {
        for length in [0, 1, 100_000, IMAGE_BYTES_MAX] {
            let (name, bytes) = picture(7, length);
            assert_eq!(files.get(&name).await.unwrap(), None);
            files.put(&name, bytes.clone()).await.unwrap();
            assert_eq!(files.get(&name).await.unwrap(), Some(bytes.clone()), "{length} bytes");
            files.put(&name, bytes.clone()).await.expect("again is no failure");
            assert_eq!(files.get(&name).await.unwrap(), Some(bytes));
        }
    }

    pub async fn what_was_removed_is_gone(files: Arc<dyn MediaFiles>) {
        let ((one, bytes), (other, other_bytes)) = (picture(1, 10), picture(2, 10));
        files.remove(&one).await.expect("what is not there need not be removed");
        files.put(&one, bytes.clone()).await.unwrap();
        files.put(&other, other_bytes.clone()).await.unwrap();
        files.remove(&one).await.unwrap();
        files.remove(&one).await.unwrap();
        assert_eq!(files.get(&one).await.unwrap(), None);
        assert_eq!(files.get(&other).await.unwrap(), Some(other_bytes), "the other one stays");
        files.put(&one, bytes.clone()).await.unwrap();
        assert_eq!(files.get(&one).await.unwrap(), Some(bytes));
    }

    /// Readers see all of a file or nothing of it, also while many write it.
    pub async fn a_file_is_there_whole_or_not_at_all(files: Arc<dyn MediaFiles>) {
        let (name, bytes) = picture(9, 2_000_000);
        let writers = (0..4).map(|_| {
            let (files, bytes) = (files.clone(), bytes.clone());
            tokio::spawn(async move { files.put(&name, bytes).await.unwrap() })
        });
        let writers: Vec<_> = writers.collect();
        let mut seen = 0;
        while seen < 20 {
            if let Some(found) = files.get(&name).await.unwrap() {
                assert_eq!(found.len(), bytes.len());
                seen += 1;
            }
        }
        for writer in writers {
            writer.await.unwrap();
        }
    }
}
