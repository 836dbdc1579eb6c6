//! Power cuts. A server sells under a shim that logs every write, sync and name, and each moment before
//! something is sent; it is killed in the middle of syncs, and goes on. From the log follow the disks that a
//! power cut could have left at any moment: with nothing but what had been synced, or with any part of what
//! had not. On each of them everything must be that had been answered by then, and the audit be clean.
//! Two rules are checked on the log alone, see `rules.rs`.
//!
//! Killing a process loses nothing, synced or not, since the system keeps what was written; only this shows
//! whether the syncs are where they must be. The controls leave syncs out and must find losses.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod answers;
mod disk;
mod log;
mod rules;
mod sale;
mod shim;

use std::{fs, path::Path, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use reqwest::Client;

use crate::{
    answers::Answers,
    disk::{Disk, Leaves},
    log::Event,
    rules::{names_not_kept, sent_too_early, without_syncs},
    sale::Sale,
    shim::{Machine, Server, onsale},
};

/// How often the server is killed in the middle of a sync.
const KILLS: usize = 2;

/// Long enough to be killed in, and for answers to come too early if they do.
const SYNC: Duration = Duration::from_millis(40);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_answered_is_lost_to_a_power_cut() {
    survive_cuts(30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes ten minutes; `cargo test -p onsale --test power_cut -- --ignored`"]
async fn nothing_answered_is_lost_to_a_thousand_power_cuts() {
    survive_cuts(500).await;
}

/// Checks the rules, and two disks for each of so many cuts.
async fn survive_cuts(cuts: usize) {
    let mut machine = Machine::new();
    let answered = sell(&mut machine).await;
    let (root, data, lives) = (machine.root(), machine.data(), machine.lives());

    assert_eq!(names_not_kept(&root, &lives), [""; 0], "names that a cut may take away after the start");
    assert_eq!(sent_too_early(&root, &lives), [""; 0], "not on disk when the next process answered");
    // Controls: the same log without syncs, and without those of a start after a crash.
    let deaf = without_syncs(&lives, |_, _| true);
    assert!(names_not_kept(&root, &deaf).iter().any(|name| name.ends_with("signing.key")));
    let careless = without_syncs(&lives, |life, listens| life > 0 && !listens);
    let early = sent_too_early(&root, &careless);
    assert!(early.iter().any(|name| name.ends_with("onsale.db-wal")), "no kill left anything unsynced");

    let mut random = StdRng::seed_from_u64(14);
    let events: Vec<&Event> = lives.iter().flatten().collect();
    let told = events.iter().filter(|event| matches!(event, Event::Send(_))).count();
    assert!(told > answered, "{answered} answers were received, {told} were seen to be sent");
    let mut at: Vec<usize> = sends(&events);
    at.shuffle(&mut random);
    at.truncate(cuts * 2 / 3);
    at.extend((at.len()..cuts).map(|_| random.random_range(0..events.len())));
    at.sort_unstable();
    let last = at.len() - 1;
    let mut had = 0;
    for (number, cut) in at.into_iter().enumerate() {
        let (disk, answers) = play(&root, &lives, cut);
        had += answers.orders.len();
        for leaves in [Leaves::Nothing, Leaves::AnyPart(&mut random)] {
            let after = tempfile::tempdir().expect("a temporary folder");
            disk.rebuild(after.path(), leaves);
            let folder = after.path().join("data");
            let lost = answers.lost(&folder, &disk, &data).await;
            assert_eq!(lost, [""; 0], "lost in a cut after event {cut} of {}", events.len());
            if folder.join("onsale.db").exists() {
                audit(&folder);
            }
            if number == last {
                goes_on(&folder, &answers).await;
            }
        }
    }
    assert!(had > 0, "nothing had been answered yet");

    // Control: had the syncs not been there, the same cuts would have lost orders.
    let (disk, answers) = play(&root, &deaf, usize::MAX);
    let after = tempfile::tempdir().expect("a temporary folder");
    disk.rebuild(after.path(), Leaves::Nothing);
    let lost = answers.lost(&after.path().join("data"), &disk, &data).await;
    assert!(lost.len() > answers.orders.len(), "{lost:?}");
}

/// Sells through several lives of a server, of which each but the last ends in the middle of a sync; how
/// many orders were answered.
async fn sell(machine: &mut Machine) -> usize {
    let mut server = machine.serve(SYNC, &[]);
    let sale = Sale::set_up(machine, &server.url).await;
    let mut answered = 0;
    for _ in 0..KILLS {
        let rush = sale.rush(&server.url).await;
        machine.kill_in_a_sync(server);
        answered += rush.over().await;
        server = machine.serve(SYNC, &[]);
        // At once: whatever the new process shows must be on disk.
        sale.ask(&server.url).await;
    }
    server.stop();
    answered
}

/// The moments at which something has just been sent.
fn sends(events: &[&Event]) -> Vec<usize> {
    let sends = events.iter().enumerate().filter(|(_, event)| matches!(event, Event::Send(_)));
    sends.map(|(at, _)| at + 1).collect()
}

/// The disk after so many events, and what had been answered by then.
fn play(root: &Path, lives: &[Vec<Event>], cut: usize) -> (Disk, Answers) {
    let (mut disk, mut answers, mut left) = (Disk::new(root), Answers::default(), cut);
    for life in lives {
        disk.forget_syncs();
        for event in life.iter().take(left) {
            disk.apply(event);
            if let Event::Send(sent) = event {
                answers.hear(sent);
            }
        }
        left = left.saturating_sub(life.len());
    }
    (disk, answers)
}

fn audit(data: &Path) {
    let output = onsale(data).arg("audit").output().expect("the audit runs");
    let (said, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the audit found:\n{said}{log}");
}

/// A server goes on from what is left: it shows every order, and tells of it.
async fn goes_on(data: &Path, answers: &Answers) {
    let server = Server::start(onsale(data));
    for name in &answers.pictures {
        let picture = Client::new().get(format!("{}/media/{name}", server.url)).send().await;
        assert!(picture.expect("an answer").status().is_success(), "{name}");
    }
    let missing = || {
        let journal = fs::read_to_string(data.join("events.jsonl")).unwrap_or_default();
        answers.orders.keys().filter(|order| !journal.contains(*order)).count()
    };
    for _ in 0..1_000 {
        if missing() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(missing(), 0, "orders of which nobody was told");
    server.stop();
}

mod postgres {
    //! The database is elsewhere; the signing key, pictures and the journal are in the data folder.
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn names_in_the_data_folder_are_kept_beside_a_server() {
        let url = onsale_testbed::postgres().fresh_database().await;
        let mut machine = Machine::new();
        machine.serve(Duration::ZERO, &[("ONSALE_DATABASE_URL", &url)]).stop();
        let (root, lives) = (machine.root(), machine.lives());
        assert_eq!(names_not_kept(&root, &lives), [""; 0]);
        let deaf = names_not_kept(&root, &without_syncs(&lives, |_, _| true));
        assert!(deaf.iter().any(|name| name.ends_with("signing.key")), "{deaf:?}");
    }
}
