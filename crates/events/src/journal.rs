//! A consumer that keeps events in a file, one JSON text a line.

use std::{
    collections::{HashSet, VecDeque},
    io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use serde_json::Value;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, SeekFrom},
    sync::Mutex,
    task::spawn_blocking,
};

use crate::{ConsumeError, Consumer, Event};

/// Ids that are remembered, to know an event that comes again. Far more than come again after a crash.
const IDS_MAX: usize = 20_000;

/// How much of the file's end is read to find them, in bytes.
const TAIL_MAX: u64 = 32 << 20;

/// Writes each event once, in the order in which they come.
#[derive(Debug)]
pub struct Journal {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// Where the whole lines end that are certainly in the file.
    written: u64,
    /// Lines on their way there.
    waiting: Vec<u8>,
    recent: Recent,
}

impl Journal {
    /// Opens a journal, or begins it, for its owner alone. A line that a crash cut off is removed; its event
    /// comes again. The other lines are on disk when this returns: their events are not asked for again.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub async fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::from_std(open(path.to_owned()).await?);
        let length = file.metadata().await?.len();
        let start = length.saturating_sub(TAIL_MAX);
        file.seek(SeekFrom::Start(start)).await?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail).await?;
        let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let written = start + whole as u64;
        file.set_len(written).await?;
        file.sync_all().await?;
        file.seek(SeekFrom::Start(written)).await?;
        let mut recent = Recent::default();
        for line in tail[..whole].split(|byte| *byte == b'\n') {
            // The first one may be half a line.
            if let Ok(Value::Object(event)) = serde_json::from_slice(line)
                && let Some(id) = event.get("id").and_then(Value::as_str)
            {
                recent.add(id);
            }
        }
        Ok(Self { state: Mutex::new(State { file, written, waiting: Vec::new(), recent }) })
    }
}

async fn open(path: PathBuf) -> io::Result<std::fs::File> {
    let opened = spawn_blocking(move || {
        match onsale_files::restrict(&path) {
            Ok(false) => {}
            Ok(true) => tracing::warn!(
                journal = %path.display(),
                "everybody on this machine could read the journal; now its owner alone can. To let a group \
                 read it, give it mode 0640"
            ),
            Err(error) => tracing::warn!(journal = %path.display(), %error, "everybody can read the journal"),
        }
        onsale_files::open_or_create(&path)
    });
    opened.await.map_err(io::Error::other)?
}

#[async_trait]
impl Consumer for Journal {
    fn name(&self) -> &'static str {
        "journal"
    }

    async fn consume(&self, event: &Event) -> Result<(), ConsumeError> {
        let mut state = self.state.lock().await;
        if state.recent.add(&event.id) {
            state.waiting.extend_from_slice(event.to_json().as_bytes());
            state.waiting.push(b'\n');
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), ConsumeError> {
        let mut state = self.state.lock().await;
        state.write().await.map_err(ConsumeError::new)
    }
}

impl State {
    async fn write(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        // Should it fail half-way, the next attempt begins where this one did.
        self.file.seek(SeekFrom::Start(self.written)).await?;
        self.file.write_all(&self.waiting).await?;
        self.file.flush().await?;
        self.file.sync_data().await?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Recent {
    order: VecDeque<String>,
    known: HashSet<String>,
}

impl Recent {
    /// Whether it is new.
    fn add(&mut self, id: &str) -> bool {
        if !self.known.insert(id.to_owned()) {
            return false;
        }
        if self.order.len() == IDS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(id.to_owned());
        true
    }
}
