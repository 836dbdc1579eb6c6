//! Passwords: argon2id on threads of its own, so that log-ins never stall the sale.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::{Error, phc::PasswordHash},
};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{AccountError, AccountSettings};
use crate::ports::StoreError;

/// Hashes and checks passwords. Its threads end when it is dropped.
pub(super) struct Passwords {
    jobs: SyncSender<Job>,
    /// Checked for addresses without an account, so that these take as long as the others.
    nobodys_hash: String,
}

enum Job {
    Hash { password: String, answer: oneshot::Sender<Result<String, Error>> },
    Verify { password: String, hash: String, answer: oneshot::Sender<Result<bool, Error>> },
}

impl Passwords {
    /// Starts the threads. Takes as long as one hash.
    pub(super) fn start(settings: &AccountSettings) -> Result<Self, StoreError> {
        let rejected = |error| StoreError::Rejected(format!("the argon2 settings: {error}"));
        let params = Params::new(settings.argon2_memory_kib, settings.argon2_passes, 1, None)
            .map_err(|error| rejected(error.to_string()))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobodys_hash =
            argon2.hash_password(b"nobody's password").map_err(|error| rejected(error.to_string()))?;
        let (jobs, queue) = sync_channel(settings.hashing_queue_max);
        let queue = Arc::new(Mutex::new(queue));
        for index in 0..settings.hashing_threads.max(1) {
            let (queue, argon2) = (queue.clone(), argon2.clone());
            thread::Builder::new()
                .name(format!("hash-{index}"))
                .spawn(move || work(&queue, &argon2))
                .map_err(|error| StoreError::Rejected(format!("cannot start a thread: {error}")))?;
        }
        Ok(Self { jobs, nobodys_hash: nobodys_hash.to_string() })
    }

    /// The hash of a password, in PHC string format.
    pub(super) async fn hash(&self, password: &str) -> Result<String, AccountError> {
        let (answer, result) = oneshot::channel();
        self.submit(Job::Hash { password: password.to_owned(), answer })?;
        received(result.await)
    }

    /// Whether a password is the one behind a hash. Without a hash it is not, after the same time.
    pub(super) async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool, AccountError> {
        let (answer, result) = oneshot::channel();
        let against = hash.unwrap_or(&self.nobodys_hash).to_owned();
        self.submit(Job::Verify { password: password.to_owned(), hash: against, answer })?;
        Ok(received(result.await)? && hash.is_some())
    }

    fn submit(&self, job: Job) -> Result<(), AccountError> {
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => AccountError::Overloaded,
            TrySendError::Disconnected(_) => thread_lost(),
        })
    }
}

fn received<T>(result: Result<Result<T, Error>, oneshot::error::RecvError>) -> Result<T, AccountError> {
    result
        .map_err(|_| thread_lost())?
        .map_err(|error| StoreError::Broken(format!("a password's hash: {error}")).into())
}

fn thread_lost() -> AccountError {
    StoreError::Unavailable("the threads that hash passwords have ended".to_owned()).into()
}

fn work(queue: &Mutex<Receiver<Job>>, argon2: &Argon2<'_>) {
    lower_priority();
    loop {
        // The lock is held while waiting, so exactly one idle thread waits for the next job.
        let Ok(job) = queue.lock().recv() else { return };
        match job {
            // Nobody waits any longer: the request was given up.
            Job::Hash { answer, .. } if answer.is_closed() => {}
            Job::Verify { answer, .. } if answer.is_closed() => {}
            Job::Hash { password, answer } => {
                let hash = argon2.hash_password(password.as_bytes()).map(|hash| hash.to_string());
                let _ = answer.send(hash);
            }
            Job::Verify { password, hash, answer } => {
                let _ = answer.send(verify(argon2, &password, &hash));
            }
        }
    }
}

fn verify(argon2: &Argon2<'_>, password: &str, hash: &str) -> Result<bool, Error> {
    match argon2.verify_password(password.as_bytes(), &PasswordHash::new(hash)?) {
        Ok(()) => Ok(true),
        Err(Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Lets every other thread go first. Only on Linux does a thread have a niceness of its own;
/// elsewhere this would slow the whole process.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(10) {
        tracing::debug!(%error, "password hashing keeps the ordinary priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(hashing_queue_max: usize, argon2_memory_kib: u32) -> AccountSettings {
        AccountSettings {
            signing_key: vec![0; 32],
            access_s: 3_600,
            refresh_s: 604_800,
            argon2_memory_kib,
            argon2_passes: 1,
            hashing_threads: 1,
            hashing_queue_max,
        }
    }

    #[tokio::test]
    async fn a_password_is_recognised_and_no_other() {
        let passwords = Passwords::start(&settings(8, 64)).unwrap();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash("correct horse").await.unwrap(), "each has its own salt");
        assert!(passwords.verify("correct horse", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct hors", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("nobody's password", None).await.unwrap());
        let broken = passwords.verify("correct horse", Some("not a hash")).await;
        assert!(matches!(broken, Err(AccountError::Store(StoreError::Broken(_)))), "{broken:?}");
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_recovers() {
        let passwords = Passwords::start(&settings(1, 16_384)).unwrap();
        let all = futures_util::future::join_all((0..20).map(|_| passwords.hash("12345678"))).await;
        let refused = all.iter().filter(|one| matches!(one, Err(AccountError::Overloaded))).count();
        let done = all.iter().filter(|one| one.is_ok()).count();
        assert_eq!(refused + done, 20);
        assert!(refused >= 17 && done >= 1, "{refused} refused, {done} done");
        assert!(passwords.hash("12345678").await.is_ok());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn only_the_hashing_threads_are_nice() {
        let before = rustix::process::getpriority_process(None).unwrap();
        let _passwords = Passwords::start(&settings(8, 64)).unwrap();
        assert_eq!(rustix::process::getpriority_process(None).unwrap(), before);
    }
}
