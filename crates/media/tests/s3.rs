//! Pictures in a bucket, on a real server that speaks S3 and checks signatures.
#![cfg(feature = "s3")]

mod s3 {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering::Relaxed},
        },
        time::Duration,
    };

    use bytes::Bytes;
    use onsale_engine::{
        media::{ImageFormat, MediaName},
        ports::MediaFiles,
    };
    use onsale_media::{BucketError, MediaBucket};
    use onsale_testbed::{S3Server, s3};
    use tokio::task::spawn_blocking;

    type Variables = Vec<(String, String)>;

    async fn running() -> &'static S3Server {
        spawn_blocking(s3).await.expect("the store starts")
    }

    async fn fresh() -> (Arc<dyn MediaFiles>, ()) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = running().await;
        let url = server.url(&format!("test-{}/media", NUMBER.fetch_add(1, Relaxed)));
        (Arc::new(MediaBucket::open(&url, server.variables()).await.unwrap()), ())
    }

    onsale_contract::media_contract!(fresh);

    fn picture() -> (MediaName, Bytes) {
        let bytes = Bytes::from_static(b"a picture");
        (MediaName::of(&bytes, ImageFormat::Png), bytes)
    }

    fn with(mut variables: Variables, name: &str, value: &str) -> Variables {
        variables.retain(|(known, _)| known != name);
        variables.push((name.to_owned(), value.to_owned()));
        variables
    }

    #[tokio::test]
    async fn parts_of_a_bucket_know_nothing_of_one_another() {
        let server = running().await;
        let open = async |prefix| MediaBucket::open(&server.url(prefix), server.variables()).await.unwrap();
        let (one, same) = (open("parts/one").await, open("parts/one/").await);
        let (inner, other, whole) = (open("parts").await, open("parts/on").await, open("").await);
        let (name, bytes) = picture();
        one.put(&name, bytes.clone()).await.unwrap();
        assert_eq!(same.get(&name).await.unwrap(), Some(bytes));
        for part in [&inner, &other, &whole] {
            assert_eq!(part.get(&name).await.unwrap(), None);
            part.remove(&name).await.unwrap();
        }
        assert!(same.get(&name).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn what_is_set_wrong_is_said_at_once() {
        let server = running().await;
        let (good, url) = (server.variables(), server.url("x"));
        let refused = async |url: &str, variables: Variables| match MediaBucket::open(url, variables).await {
            Err(BucketError::Refused(why)) => why,
            other => panic!("{other:?}"),
        };
        let secret = with(good.clone(), "AWS_SECRET_ACCESS_KEY", "wrong");
        assert!(refused(&url, secret).await.contains("SignatureDoesNotMatch"));
        let nobody = with(good.clone(), "AWS_ACCESS_KEY_ID", "AKIANOBODY0000000000");
        assert!(refused(&url, nobody).await.contains("InvalidAccessKeyId"));
        assert!(refused("s3://no-such-bucket/x", good.clone()).await.contains("NoSuchBucket"));

        for bad in
            ["s3:", "s3://", "s3:///x", "http://x/y", "s3://a?b=c", "s3://user:secret@a/x", "s3://a/../b"]
        {
            let error = MediaBucket::open(bad, good.clone()).await.unwrap_err();
            assert!(matches!(error, BucketError::Settings(_)), "{bad}: {error}");
        }
        let half: Variables = good.into_iter().filter(|(name, _)| name != "AWS_SECRET_ACCESS_KEY").collect();
        let error = MediaBucket::open(&url, half).await.unwrap_err();
        assert!(matches!(error, BucketError::Settings(_)), "{error}");
    }

    #[tokio::test]
    async fn a_store_that_is_away_is_an_error_and_no_answer() {
        let server = Arc::new(spawn_blocking(S3Server::new).await.unwrap());
        let files = MediaBucket::open(&server.url("x"), server.variables()).await.unwrap();
        let (name, bytes) = picture();
        files.put(&name, bytes.clone()).await.unwrap();

        server.freeze();
        let asked = tokio::time::timeout(Duration::from_secs(60), files.get(&name)).await;
        let error = asked.expect("it is not waited for for ever").unwrap_err();
        assert!(error.to_string().contains(&name.to_string()), "{error}");
        server.thaw();
        assert_eq!(files.get(&name).await.unwrap(), Some(bytes.clone()), "it goes on");

        let killed = server.clone();
        spawn_blocking(move || killed.kill()).await.unwrap();
        assert!(files.get(&name).await.is_err(), "that is not: there is none");
        assert!(files.put(&name, bytes).await.is_err());
        assert!(files.remove(&name).await.is_err());
        let late = MediaBucket::open(&server.url("x"), server.variables()).await;
        assert!(late.is_ok(), "a node starts, also without its pictures: {late:?}");
    }
}
