//! Nodes speak to each other through lists in Redis, one inbox a node. What is sent to a node while
//! a message to it is under way gathers into the next one, so a rush costs few commands.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use onsale_domain::ids::RoomId;
use onsale_engine::vitals::{Supervised, Vitals};
use parking_lot::Mutex;
use redis::Script;
use tokio::sync::{mpsc, oneshot};

use super::{
    keys::Keys,
    link::{Away, Link},
    wire::{Answer, Failure, Item, Message, Request},
};

static SEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("send.lua")));

/// How many items one message has at most.
const ITEMS_MAX: usize = 512;

/// How many items may wait for being sent; more are refused.
const WAITING_MAX: usize = 20_000;

/// How many messages an inbox holds; more are refused.
const MESSAGES_MAX: usize = 1_000;

/// How long a message waits to be collected, in milliseconds.
const MESSAGE_KEPT_MS: u64 = 5_000;

/// How long an answer is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// How long one look into the inbox lasts, and how many messages it brings.
pub(super) const LOOK: Duration = Duration::from_secs(1);
const MESSAGES_PER_LOOK: usize = 64;

/// How long to wait before looking again when Redis is away.
const RETRY: Duration = Duration::from_millis(100);

/// A node's way to the others.
pub(super) struct Mailbox {
    pub(super) node: String,
    outgoing: mpsc::Sender<(String, Item)>,
    expected: Arc<Expected>,
    _parts: [Supervised; 2],
}

/// Answers that somebody waits for.
#[derive(Default)]
struct Expected {
    numbers: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Result<Answer, Failure>>>>,
}

/// Takes itself off the list when nobody waits any more.
struct Waiting<'a> {
    expected: &'a Expected,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.expected.waiting.lock().remove(&self.number);
    }
}

/// A request that came in, and whom to answer.
pub(super) struct Incoming {
    pub(super) from: String,
    pub(super) requests: Vec<(u64, RoomId, Request)>,
}

impl Mailbox {
    /// The mailbox of a node; what comes in goes to `incoming`. It works until the latter's receiver
    /// and this are dropped.
    pub(super) fn open(
        vitals: &Vitals,
        node: String,
        link: Link,
        inbox: Link,
        keys: Keys,
        incoming: mpsc::Sender<Incoming>,
    ) -> Self {
        let (outgoing, to_send) = mpsc::channel(WAITING_MAX);
        let expected = Arc::new(Expected::default());
        let to_send = Arc::new(tokio::sync::Mutex::new(to_send));
        let send = vitals.supervise("the sender to other nodes", {
            let (node, keys, expected) = (node.clone(), keys.clone(), expected.clone());
            move || send(node.clone(), link.clone(), keys.clone(), to_send.clone(), expected.clone())
        });
        let collect = vitals.supervise("the inbox of other nodes' messages", {
            let (address, expected) = (keys.inbox(&node), expected.clone());
            move || collect(address.clone(), inbox.clone(), incoming.clone(), expected.clone())
        });
        Self { node, outgoing, expected, _parts: [send, collect] }
    }

    /// Asks another node.
    pub(super) async fn ask(&self, node: &str, room: RoomId, request: Request) -> Result<Answer, Failure> {
        let number = self.expected.numbers.fetch_add(1, Ordering::Relaxed);
        let (answered, answer) = oneshot::channel();
        self.expected.waiting.lock().insert(number, answered);
        let _waiting = Waiting { expected: &self.expected, number };
        self.send(node, Item::Request { number, room: room.0, request })?;
        match tokio::time::timeout(ANSWER_MAX, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Failure::Unavailable("Redis does not answer".to_owned())),
            Err(_) => Err(Failure::Unavailable(format!("the node that runs the room {room} is silent"))),
        }
    }

    /// Answers another node. Nothing can be done if that fails: it asks again.
    pub(super) fn answer(&self, node: &str, number: u64, answer: Result<Answer, Failure>) {
        let _ = self.send(node, Item::Answer { number, answer });
    }

    fn send(&self, node: &str, item: Item) -> Result<(), Failure> {
        let sent = self.outgoing.try_send((node.to_owned(), item));
        sent.map_err(|_| Failure::Unavailable("too much is waiting to be sent to other nodes".to_owned()))
    }
}

impl Expected {
    fn answered(&self, number: u64, answer: Result<Answer, Failure>) {
        if let Some(waiting) = self.waiting.lock().remove(&number) {
            // Whoever asked may have gone.
            let _ = waiting.send(answer);
        }
    }

    /// Whoever waits is told at once that no answer will come.
    fn give_up(&self) {
        self.waiting.lock().clear();
    }
}

async fn send(
    node: String,
    link: Link,
    keys: Keys,
    to_send: Arc<tokio::sync::Mutex<mpsc::Receiver<(String, Item)>>>,
    expected: Arc<Expected>,
) {
    let mut to_send = to_send.lock().await;
    let mut waiting = Vec::with_capacity(ITEMS_MAX);
    while to_send.recv_many(&mut waiting, ITEMS_MAX).await > 0 {
        let mut messages: HashMap<String, Vec<Item>> = HashMap::new();
        for (receiver, item) in waiting.drain(..) {
            messages.entry(receiver).or_default().push(item);
        }
        join_all(messages.into_iter().map(async |(receiver, items)| {
            let numbers = asked(&items);
            let message = Message { from: node.clone(), items };
            if let Err(why) = deliver(&link, &keys.inbox(&receiver), &message).await {
                for number in numbers {
                    expected.answered(number, Err(Failure::Unavailable(why.clone())));
                }
            }
        }))
        .await;
    }
}

fn asked(items: &[Item]) -> Vec<u64> {
    let numbers = items.iter().map(|item| match item {
        Item::Request { number, .. } => Some(*number),
        Item::Answer { .. } => None,
    });
    numbers.flatten().collect()
}

async fn deliver(link: &Link, inbox: &str, message: &Message) -> Result<(), String> {
    let message = serde_json::to_vec(message).expect("a message is plain values");
    let mut call = SEND.prepare_invoke();
    call.key(inbox).arg(message).arg(MESSAGES_MAX).arg(MESSAGE_KEPT_MS);
    match link.script::<String>(&call).await {
        Ok(done) if done == "ok" => Ok(()),
        Ok(_) => Err("the node that runs the room has too much to do".to_owned()),
        Err(away) => Err(away.to_string()),
    }
}

async fn collect(inbox: String, link: Link, incoming: mpsc::Sender<Incoming>, expected: Arc<Expected>) {
    while !incoming.is_closed() {
        match look(&inbox, &link).await {
            Ok(messages) => {
                for message in messages {
                    if let Some(incoming_requests) = sort(message, &expected)
                        && incoming.send(incoming_requests).await.is_err()
                    {
                        return;
                    }
                }
            }
            Err(away) => {
                tracing::debug!(%away, "cannot look into the inbox");
                expected.give_up();
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn look(inbox: &str, link: &Link) -> Result<Vec<Vec<u8>>, Away> {
    let mut command = redis::cmd("BLMPOP");
    command.arg(LOOK.as_secs_f64()).arg(1).arg(inbox).arg("LEFT").arg("COUNT").arg(MESSAGES_PER_LOOK);
    let found: Option<(String, Vec<Vec<u8>>)> = link.command_within(LOOK * 2, &command).await?;
    Ok(found.map(|(_, messages)| messages).unwrap_or_default())
}

/// Hands answers to those who wait for them; what is left are requests.
fn sort(message: Vec<u8>, expected: &Expected) -> Option<Incoming> {
    let Ok(Message { from, items }) = serde_json::from_slice(&message) else {
        // A node of another version; whoever asked is told so when its time is up.
        tracing::warn!("a message from another node is not understood");
        return None;
    };
    let mut requests = Vec::new();
    for item in items {
        match item {
            Item::Request { number, room, request } => requests.push((number, RoomId(room), request)),
            Item::Answer { number, answer } => expected.answered(number, answer),
        }
    }
    (!requests.is_empty()).then_some(Incoming { from, requests })
}
