//! A crowd at one address does not shut others out of their accounts.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use onsale_domain::user::Role;
use onsale_engine::accounts::{AccountError, AccountSettings};
use tokio::{task::JoinSet, time::Instant};

use crate::{Nodes, PASSWORD};

const CROWD: u32 = 150;
const BUYERS: u8 = 20;

/// Where the crowd is.
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A node whose hashes take some milliseconds.
async fn started() -> Arc<Nodes> {
    let nodes = Nodes::start_with(|settings| AccountSettings {
        argon2_memory_kib: 4_096,
        hashing_queue_max: 64,
        ..settings
    })
    .await;
    for buyer in 0..BUYERS {
        nodes.accounts().register(&email(buyer), PASSWORD, "Buyer", Role::User).await.unwrap();
    }
    Arc::new(nodes)
}

fn email(buyer: u8) -> String {
    format!("buyer{buyer}@example.com")
}

/// Signs up and tries passwords, again and again, from one address, while buyers log in; how many of them
/// were let in, and the longest time that one waited.
async fn let_in(nodes: &Arc<Nodes>, from: impl Fn(u8) -> IpAddr) -> (usize, Duration) {
    let (over, number) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        for signs_up in [true, false] {
            let (nodes, over, number) = (nodes.clone(), over.clone(), number.clone());
            crowd.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let number = number.fetch_add(1, Ordering::Relaxed);
                    let email = format!("crowd{number}@example.com");
                    let done = if signs_up {
                        nodes.accounts().sign_up(&email, PASSWORD, "Crowd", THERE).await.map(drop)
                    } else {
                        nodes.accounts().log_in(&email, PASSWORD, THERE).await.map(drop)
                    };
                    if matches!(done, Err(AccountError::Overloaded)) {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
            });
        }
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let log_ins = (0..BUYERS).map(|buyer| {
        let (nodes, from) = (nodes.clone(), from(buyer));
        async move {
            let since = Instant::now();
            let done = nodes.accounts().log_in(&email(buyer), PASSWORD, from).await;
            assert!(matches!(done, Ok(_) | Err(AccountError::Overloaded)), "{done:?}");
            (done.is_ok(), since.elapsed())
        }
    });
    let all = futures_util::future::join_all(log_ins).await;
    over.store(true, Ordering::Relaxed);
    crowd.join_all().await;
    let longest = all.iter().map(|(_, took)| *took).max().unwrap();
    (all.iter().filter(|(done, _)| *done).count(), longest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buyers_log_in_while_a_crowd_at_one_address_signs_up_and_tries_passwords() {
    let nodes = started().await;
    let (let_in, longest) = let_in(&nodes, |buyer| Ipv4Addr::new(198, 51, 100, buyer).into()).await;
    assert_eq!(let_in, usize::from(BUYERS));
    assert!(longest < Duration::from_secs(20), "{longest:?}");
}

/// The negative control: in one queue with the crowd, buyers are refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_addresses_the_crowd_shuts_buyers_out() {
    let nodes = started().await;
    let (let_in, _) = let_in(&nodes, |_| THERE).await;
    assert!(let_in < usize::from(BUYERS) / 2, "{let_in}");
}
