//! Which nodes there are: each says so a few times a second, and remembers who did.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::LazyLock,
};

use parking_lot::Mutex;
use redis::Script;
use siphasher::sip::SipHasher13;

use super::link::{Away, Link};

static BEAT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("node_beat.lua")));

/// How long a node that is silent is still listed, in milliseconds.
const SILENT_MAX_MS: u64 = 3_000;

/// For how many beats of one's own a node is still counted that is not listed any more: a Redis that
/// has forgotten everything lists only those who have said so since.
const BEATS_COUNTED: u32 = 20;

/// The nodes, as one of them last knew them.
pub(super) struct Nodes {
    name: String,
    /// How many beats each still counts.
    counted: Mutex<HashMap<String, u32>>,
}

/// What a beat was answered.
pub(super) struct Beat {
    /// A number that changes when Redis has forgotten what it knew.
    pub(super) memory: String,
    /// Whether all nodes that are counted have told it what they let through before.
    pub(super) all_settled: bool,
}

impl Nodes {
    /// A node that knows of no other.
    pub(super) fn new() -> Self {
        let name = format!("{:016x}", rand::random::<u64>());
        let counted = Mutex::new(HashMap::from([(name.clone(), BEATS_COUNTED)]));
        Self { name, counted }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.counted.lock().len()
    }

    /// This node's share of a number of requests. The shares of nodes that know the same nodes make up
    /// the whole; what cannot be divided goes to nodes that the key chooses, as in rendezvous hashing
    /// (Thaler and Ravishankar, 1998).
    pub(super) fn share(&self, requests: u32, key: &str) -> u32 {
        let counted = self.counted.lock();
        let nodes = u32::try_from(counted.len()).unwrap_or(u32::MAX);
        let (each, rest) = (requests / nodes, requests % nodes);
        if rest == 0 {
            return each;
        }
        let weight = |name: &str| {
            // The same on all nodes, whatever they were built with.
            let mut hasher = SipHasher13::new();
            (name, key).hash(&mut hasher);
            hasher.finish()
        };
        let mine = (weight(&self.name), &self.name);
        let before_me = counted.keys().filter(|name| (weight(name), *name) > mine).count();
        each + u32::from(before_me < rest as usize)
    }

    /// Says that this node is there, and which memory it is settled in; learns who else is.
    pub(super) async fn beat(&self, link: &Link, prefix: &str, settled: &str) -> Result<Beat, Away> {
        let mut call = BEAT.key(format!("{prefix}:nodes"));
        call.arg(&self.name).arg(settled).arg(rand::random::<u64>()).arg(SILENT_MAX_MS);
        let answer: Vec<String> = link.script(&call).await?;
        let (memory, listed) = answer.split_first().ok_or_else(|| Away::odd("a beat"))?;
        let listed: HashMap<&str, &str> =
            listed.chunks_exact(2).map(|node| (node[0].as_str(), node[1].as_str())).collect();
        Ok(Beat { memory: memory.clone(), all_settled: self.note(memory, &listed) })
    }

    fn note(&self, memory: &str, listed: &HashMap<&str, &str>) -> bool {
        let mut counted = self.counted.lock();
        counted.retain(|name, beats| {
            *beats -= u32::from(*name != self.name);
            *beats > 0
        });
        for name in listed.keys() {
            counted.insert((*name).to_owned(), BEATS_COUNTED);
        }
        counted.keys().all(|name| listed.get(name.as_str()) == Some(&memory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(size: usize) -> Vec<Nodes> {
        let nodes: Vec<_> = (0..size).map(|_| Nodes::new()).collect();
        let listed = nodes.iter().map(|node| (node.name.as_str(), "")).collect();
        for node in &nodes {
            node.note("7", &listed);
        }
        nodes
    }

    #[test]
    fn shares_make_up_the_whole_and_go_to_all_alike() {
        for (size, requests) in [(1, 50), (3, 50), (3, 1), (7, 3), (4, 8), (5, 0)] {
            let nodes = fleet(size);
            let mut least_and_most = (u32::MAX, 0);
            let mut chosen = vec![0; size];
            for key in 0..400 {
                let shares: Vec<_> =
                    nodes.iter().map(|node| node.share(requests, &format!("key {key}"))).collect();
                assert_eq!(shares.iter().sum::<u32>(), requests);
                for (node, share) in shares.into_iter().enumerate() {
                    least_and_most = (least_and_most.0.min(share), least_and_most.1.max(share));
                    chosen[node] += share;
                }
            }
            assert!(least_and_most.1 - least_and_most.0 <= 1, "{size} nodes: {least_and_most:?}");
            let mean = 400 * requests as usize / size;
            for chosen in chosen {
                assert!(
                    (mean * 6 / 10..=mean * 14 / 10).contains(&(chosen as usize)),
                    "{chosen}, not {mean}"
                );
            }
        }
    }

    #[test]
    fn a_node_that_is_not_listed_is_counted_for_a_while_and_not_settled() {
        let node = Nodes::new();
        let both = HashMap::from([(node.name.as_str(), "7"), ("other", "7")]);
        assert!(node.note("7", &both));
        assert_eq!(node.count(), 2);
        assert!(!node.note("8", &both), "nobody is settled in the new memory");
        let alone = HashMap::from([(node.name.as_str(), "8")]);
        for _ in 1..BEATS_COUNTED {
            assert!(!node.note("8", &alone), "the other one has not told");
            assert_eq!(node.count(), 2);
        }
        assert!(node.note("8", &alone));
        assert_eq!((node.count(), node.share(50, "key")), (1, 50));
    }
}
