//! The queue in front of the hasher: fair by address and by kind.
//!
//! Addresses of one kind take turns, whoever of them has how many waiting. Log-ins go before sign-ups,
//! but never more than [`LOG_INS_IN_A_ROW`] while a sign-up waits. Each kind has room of its own, of which
//! an address may fill half; if there is none left, the newest of the address that has most waiting makes
//! room for one that has fewer.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// How many log-ins may go before a sign-up that waits.
const LOG_INS_IN_A_ROW: u32 = 4;

/// Why a password is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::accounts) enum Purpose {
    /// Somebody shows that an account is theirs.
    LogIn,
    /// A new account.
    SignUp,
}

/// Jobs that wait, `T`, by the address that they come from, `K`.
pub(super) struct FairQueue<K, T> {
    log_ins: Turns<K, T>,
    sign_ups: Turns<K, T>,
    log_ins_in_a_row: u32,
}

/// There is no room for the job.
#[derive(Debug)]
pub(super) struct Refused<T>(pub(super) T);

impl<K: Copy + Eq + Hash, T> FairQueue<K, T> {
    /// An empty queue in which so many jobs of each purpose may wait.
    pub(super) fn new(waiting_max: usize) -> Self {
        Self { log_ins: Turns::new(waiting_max), sign_ups: Turns::new(waiting_max), log_ins_in_a_row: 0 }
    }

    /// Adds a job. Returns one that had to make room for it.
    pub(super) fn push(&mut self, purpose: Purpose, from: K, job: T) -> Result<Option<T>, Refused<T>> {
        match purpose {
            Purpose::LogIn => self.log_ins.push(from, job),
            Purpose::SignUp => self.sign_ups.push(from, job),
        }
    }

    /// Takes out the job whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        let is_sign_ups_turn = self.log_ins_in_a_row >= LOG_INS_IN_A_ROW || self.log_ins.waiting == 0;
        if is_sign_ups_turn && let Some(job) = self.sign_ups.pop() {
            self.log_ins_in_a_row = 0;
            return Some(job);
        }
        let job = self.log_ins.pop()?;
        self.log_ins_in_a_row = self.log_ins_in_a_row.saturating_add(1);
        Some(job)
    }
}

/// Addresses that take turns.
struct Turns<K, T> {
    lines: HashMap<K, VecDeque<T>>,
    /// The addresses with somebody waiting, each once, the next one first.
    order: VecDeque<K>,
    waiting: usize,
    waiting_max: usize,
}

impl<K: Copy + Eq + Hash, T> Turns<K, T> {
    fn new(waiting_max: usize) -> Self {
        Self { lines: HashMap::new(), order: VecDeque::new(), waiting: 0, waiting_max: waiting_max.max(1) }
    }

    fn push(&mut self, from: K, job: T) -> Result<Option<T>, Refused<T>> {
        let own = self.lines.get(&from).map_or(0, VecDeque::len);
        if own >= self.waiting_max.div_ceil(2) {
            return Err(Refused(job));
        }
        let displaced = if self.waiting < self.waiting_max {
            None
        } else {
            // Whoever would have as many afterwards as the one that makes room gains nothing by it.
            match self.take_newest_of_the_longest(own + 2) {
                None => return Err(Refused(job)),
                displaced => displaced,
            }
        };
        let line = self.lines.entry(from).or_default();
        if line.is_empty() {
            self.order.push_back(from);
        }
        line.push_back(job);
        self.waiting += 1;
        Ok(displaced)
    }

    fn pop(&mut self) -> Option<T> {
        let from = self.order.pop_front()?;
        let line = self.lines.get_mut(&from)?;
        let job = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&from);
        } else {
            self.order.push_back(from);
        }
        self.waiting -= 1;
        job
    }

    /// Looks at all addresses, which are as few as jobs may wait, and only when there is no room.
    fn take_newest_of_the_longest(&mut self, at_least: usize) -> Option<T> {
        let longest = self.lines.values_mut().max_by_key(|line| line.len())?;
        if longest.len() < at_least {
            return None;
        }
        self.waiting -= 1;
        longest.pop_back()
    }
}

#[cfg(test)]
mod tests {
    use super::{Purpose::*, *};

    fn all<T>(queue: &mut FairQueue<u8, T>) -> Vec<T> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn addresses_take_turns_however_many_one_has_waiting() {
        let mut queue = FairQueue::new(100);
        for job in 0..40 {
            queue.push(LogIn, 1, job).unwrap();
        }
        queue.push(LogIn, 2, 100).unwrap();
        queue.push(LogIn, 3, 200).unwrap();
        queue.push(LogIn, 3, 201).unwrap();
        assert_eq!(all(&mut queue)[..6], [0, 100, 200, 1, 201, 2]);
    }

    /// The negative control: without addresses, the one who came late waits for all before it.
    #[test]
    fn without_addresses_the_last_one_waits_for_all() {
        let mut queue = FairQueue::new(100);
        for job in 0..40 {
            queue.push(LogIn, 1, job).unwrap();
        }
        queue.push(LogIn, 1, 100).unwrap();
        assert_eq!(all(&mut queue).last(), Some(&100));
    }

    #[test]
    fn log_ins_go_before_sign_ups_which_do_not_starve() {
        let mut queue = FairQueue::new(100);
        for job in 0..10 {
            queue.push(SignUp, 1, 100 + job).unwrap();
            queue.push(LogIn, 2, job).unwrap();
        }
        let order = all(&mut queue);
        assert_eq!(order[..11], [0, 1, 2, 3, 100, 4, 5, 6, 7, 101, 8]);
        assert_eq!(order[11..], [9, 102, 103, 104, 105, 106, 107, 108, 109]);
    }

    #[test]
    fn an_address_fills_half_of_the_room_and_leaves_none_of_the_other_kind_less() {
        let mut queue = FairQueue::new(10);
        for job in 0..5 {
            assert!(matches!(queue.push(SignUp, 1, job), Ok(None)));
        }
        assert!(queue.push(SignUp, 1, 5).is_err());
        for job in 6..11 {
            assert!(matches!(queue.push(LogIn, 1, job), Ok(None)), "{job}");
        }
        assert!(queue.push(LogIn, 1, 11).is_err());
    }

    #[test]
    fn whoever_has_most_waiting_makes_room_for_whoever_has_fewer() {
        let mut queue = FairQueue::new(6);
        for (from, job) in [(1, 10), (1, 11), (1, 12), (2, 20), (2, 21), (2, 22)] {
            queue.push(SignUp, from, job).unwrap();
        }
        let displaced = queue.push(SignUp, 3, 30).unwrap().unwrap();
        assert!([12, 22].contains(&displaced), "{displaced} is the newest of those with most");
        assert!(queue.push(SignUp, 3, 31).unwrap().is_some());
        // Now all have two.
        assert!(queue.push(SignUp, 3, 32).is_err());
        assert!(queue.push(SignUp, 4, 40).unwrap().is_some(), "one of two goes for one of none");
        for from in [5, 6] {
            queue.push(SignUp, from, 50).unwrap();
        }
        assert!(queue.push(SignUp, 7, 70).is_err(), "each has one");
        assert_eq!(all(&mut queue).len(), 6);
        assert!(queue.sign_ups.lines.is_empty() && queue.sign_ups.order.is_empty());
    }
}
