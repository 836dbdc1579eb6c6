//! Hashing passwords: argon2id on threads of its own, so that log-ins never stall the sale.
//!
//! Whoever asks for it waits in a fair queue, so a crowd from one address shuts nobody else out.

mod queue;

use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc, thread};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::{Error, phc::PasswordHash},
};
use onsale_domain::limits::Subject;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

pub(super) use self::queue::Purpose;
use self::queue::{FairQueue, Refused};
use super::{AccountError, AccountSettings};
use crate::{ports::StoreError, vitals::Vitals};

/// Hashes and checks passwords. Its threads end when it is dropped.
pub(super) struct Passwords {
    shared: Arc<Shared>,
    /// Checked for addresses without an account, so that these take as long as the others.
    nobodys_hash: String,
}

struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

struct Waiting {
    queue: FairQueue<Subject, Job>,
    is_over: bool,
}

struct Job {
    work: Work,
    answer: oneshot::Sender<Result<Done, Failed>>,
}

enum Work {
    Hash(String),
    /// Whether one of several texts is the one behind the hash.
    Verify {
        texts: Vec<String>,
        hash: String,
    },
}

enum Done {
    Hash(String),
    Verified(bool),
}

enum Failed {
    /// Others came who had fewer waiting.
    Displaced,
    Argon2(Error),
}

impl Drop for Passwords {
    fn drop(&mut self) {
        self.shared.waiting.lock().is_over = true;
        self.shared.changed.notify_all();
    }
}

impl Passwords {
    /// Starts the threads. Takes as long as one hash.
    pub(super) fn start(settings: &AccountSettings, vitals: &Vitals) -> Result<Self, StoreError> {
        let rejected = |error| StoreError::Rejected(format!("the argon2 settings: {error}"));
        let params = Params::new(settings.argon2_memory_kib, settings.argon2_passes, 1, None)
            .map_err(|error| rejected(error.to_string()))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobodys_hash =
            argon2.hash_password(b"nobody's password").map_err(|error| rejected(error.to_string()))?;
        let queue = FairQueue::new(settings.hashing_queue_max);
        let shared = Arc::new(Shared {
            waiting: Mutex::new(Waiting { queue, is_over: false }),
            changed: Condvar::new(),
        });
        // Ends those that were started if one cannot be.
        let passwords = Self { shared, nobodys_hash: nobodys_hash.to_string() };
        for index in 0..settings.hashing_threads.max(1) {
            let (shared, argon2, vitals) = (passwords.shared.clone(), argon2.clone(), vitals.clone());
            thread::Builder::new()
                .name(format!("hash-{index}"))
                .spawn(move || {
                    let name = format!("thread {index} that hashes passwords");
                    vitals.supervise_thread(name, || work(&shared, &argon2));
                })
                .map_err(|error| {
                    let threads = settings.hashing_threads;
                    StoreError::Rejected(format!("cannot start {threads} threads that hash: {error}"))
                })?;
        }
        Ok(passwords)
    }

    /// The hash of a password, in PHC string format.
    pub(super) async fn hash(
        &self,
        purpose: Purpose,
        from: IpAddr,
        password: String,
    ) -> Result<String, AccountError> {
        match self.done(purpose, from, Work::Hash(password)).await? {
            Done::Hash(hash) => Ok(hash),
            Done::Verified(_) => Err(thread_lost()),
        }
    }

    /// Whether one of several ways to write a password is the one behind a hash. Without a hash none is,
    /// after the same time.
    pub(super) async fn verify(
        &self,
        from: IpAddr,
        texts: Vec<String>,
        hash: Option<&str>,
    ) -> Result<bool, AccountError> {
        let against = hash.unwrap_or(&self.nobodys_hash).to_owned();
        match self.done(Purpose::LogIn, from, Work::Verify { texts, hash: against }).await? {
            Done::Verified(right) => Ok(right && hash.is_some()),
            Done::Hash(_) => Err(thread_lost()),
        }
    }

    async fn done(&self, purpose: Purpose, from: IpAddr, work: Work) -> Result<Done, AccountError> {
        let (answer, result) = oneshot::channel();
        let job = Job { work, answer };
        let displaced = self.shared.waiting.lock().queue.push(purpose, Subject::ip(from), job);
        match displaced {
            Err(Refused(_)) => return Err(AccountError::Overloaded),
            Ok(Some(displaced)) => drop(displaced.answer.send(Err(Failed::Displaced))),
            Ok(None) => {}
        }
        self.shared.changed.notify_one();
        result.await.map_err(|_| thread_lost())?.map_err(|failed| match failed {
            Failed::Displaced => AccountError::Overloaded,
            Failed::Argon2(error) => StoreError::Broken(format!("a password's hash: {error}")).into(),
        })
    }
}

fn thread_lost() -> AccountError {
    StoreError::Unavailable("the threads that hash passwords have ended".to_owned()).into()
}

impl Shared {
    /// Waits for the next job; none when it is over.
    fn next(&self) -> Option<Job> {
        let mut waiting = self.waiting.lock();
        loop {
            if waiting.is_over {
                return None;
            }
            match waiting.queue.pop() {
                // Nobody waits any longer: the request was given up.
                Some(job) if job.answer.is_closed() => {}
                Some(job) => return Some(job),
                None => self.changed.wait(&mut waiting),
            }
        }
    }
}

fn work(shared: &Shared, argon2: &Argon2<'_>) {
    lower_priority();
    while let Some(Job { work, answer }) = shared.next() {
        // A hash that cannot be computed must not take the thread with it; its caller is told.
        let Ok(result) = std::panic::catch_unwind(AssertUnwindSafe(|| work.carry_out(argon2))) else {
            tracing::error!("hashing a password has failed");
            continue;
        };
        let _ = answer.send(result.map_err(Failed::Argon2));
    }
}

impl Work {
    fn carry_out(self, argon2: &Argon2<'_>) -> Result<Done, Error> {
        match self {
            Self::Hash(password) => {
                argon2.hash_password(password.as_bytes()).map(|hash| Done::Hash(hash.to_string()))
            }
            Self::Verify { texts, hash } => {
                for text in texts {
                    if verify(argon2, &text, &hash)? {
                        return Ok(Done::Verified(true));
                    }
                }
                Ok(Done::Verified(false))
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
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn settings(hashing_queue_max: usize, argon2_memory_kib: u32) -> AccountSettings {
        AccountSettings {
            argon2_memory_kib,
            argon2_passes: 1,
            hashing_queue_max,
            ..AccountSettings::new(vec![0; 32])
        }
    }

    async fn hash(passwords: &Passwords, password: &str) -> Result<String, AccountError> {
        passwords.hash(Purpose::SignUp, HERE, password.to_owned()).await
    }

    #[tokio::test]
    async fn a_password_is_recognised_and_no_other() {
        let passwords = Passwords::start(&settings(8, 64), &Vitals::default()).unwrap();
        let verify = async |texts: &[&str], hash: Option<&str>| {
            passwords.verify(HERE, texts.iter().map(ToString::to_string).collect(), hash).await
        };
        let hashed = hash(&passwords, "correct horse").await.unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hashed}");
        assert_ne!(hashed, hash(&passwords, "correct horse").await.unwrap(), "each has its own salt");
        assert!(verify(&["correct horse"], Some(&hashed)).await.unwrap());
        assert!(verify(&["wrong horse", "correct horse"], Some(&hashed)).await.unwrap());
        assert!(!verify(&["correct hors", ""], Some(&hashed)).await.unwrap());
        assert!(!verify(&[], Some(&hashed)).await.unwrap());
        assert!(!verify(&["nobody's password"], None).await.unwrap());
        let broken = verify(&["correct horse"], Some("not a hash")).await;
        assert!(matches!(broken, Err(AccountError::Store(StoreError::Broken(_)))), "{broken:?}");
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_recovers() {
        let passwords = Passwords::start(&settings(1, 16_384), &Vitals::default()).unwrap();
        let all = futures_util::future::join_all((0..20).map(|_| hash(&passwords, "12345678"))).await;
        let refused = all.iter().filter(|one| matches!(one, Err(AccountError::Overloaded))).count();
        let done = all.iter().filter(|one| one.is_ok()).count();
        assert_eq!(refused + done, 20);
        assert!(refused >= 17 && done >= 1, "{refused} refused, {done} done");
        assert!(hash(&passwords, "12345678").await.is_ok());
    }

    #[tokio::test]
    async fn whoever_makes_room_is_told_so() {
        let passwords = Passwords::start(&settings(4, 16_384), &Vitals::default()).unwrap();
        let from = |last: u8| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        let hash = |last| passwords.hash(Purpose::SignUp, from(last), "12345678".to_owned());
        let crowd = [1, 1, 1, 2, 2, 2, 3, 4].map(hash);
        let all = futures_util::future::join_all(crowd).await;
        let late = &all[6..];
        assert!(late.iter().all(Result::is_ok), "those who come late and have one each: {late:?}");
        assert!(all.iter().any(|one| matches!(one, Err(AccountError::Overloaded))), "{all:?}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn only_the_hashing_threads_are_nice() {
        let before = rustix::process::getpriority_process(None).unwrap();
        let _passwords = Passwords::start(&settings(8, 64), &Vitals::default()).unwrap();
        assert_eq!(rustix::process::getpriority_process(None).unwrap(), before);
    }
}
