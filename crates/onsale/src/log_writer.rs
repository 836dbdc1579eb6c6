//! Where log lines go: to standard error, by way of a thread of their own.
//!
//! Nobody who logs ever waits for whoever reads the log, or learns that it cannot be written: a reader
//! that has left, one that stands still, a full disk. Lines are lost then, and nothing else; how many is
//! said as soon as lines can be written again.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use metrics::counter;
use tracing_subscriber::fmt::MakeWriter;

/// The most bytes of lines that wait to be written.
const WAITING_MAX: usize = 4 * 1_024 * 1_024;

/// How long the end of the process waits for lines to be written.
const FLUSH_MAX: Duration = Duration::from_secs(1);

enum Message {
    Line(Vec<u8>),
    Flush(Sender<()>),
}

/// Takes log lines, at any time and at once. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LogWriter {
    shared: Arc<Shared>,
    lines: Sender<Message>,
}

#[derive(Default)]
struct Shared {
    /// Bytes that wait.
    waiting: AtomicUsize,
    /// Lines that were lost and not counted yet.
    lost: AtomicU64,
}

impl LogWriter {
    /// Begins to write lines to `out`.
    pub(crate) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, to_write) = channel();
        let shared = Arc::new(Shared::default());
        let writing = shared.clone();
        thread::Builder::new()
            .name("onsale-log".to_owned())
            .spawn(move || write(&to_write, &writing, out))?;
        Ok(Self { shared, lines })
    }

    /// Waits until what has been logged so far is written, but not for long.
    pub(crate) fn flush(&self) {
        let (written, all_written) = channel();
        if self.lines.send(Message::Flush(written)).is_ok() {
            let _ = all_written.recv_timeout(FLUSH_MAX);
        }
    }

    fn take(&self, line: Vec<u8>) {
        let bytes = line.len();
        if self.shared.waiting.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > WAITING_MAX
            || self.lines.send(Message::Line(line)).is_err()
        {
            self.shared.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes until nobody can log any more. Whatever fails, it goes on.
fn write(lines: &Receiver<Message>, shared: &Shared, mut out: impl Write) {
    while let Ok(message) = lines.recv() {
        match message {
            Message::Line(line) => {
                shared.waiting.fetch_sub(line.len(), Ordering::Relaxed);
                say_what_is_lost(shared, &mut out);
                if out.write_all(&line).is_err() {
                    shared.lost.fetch_add(1, Ordering::Relaxed);
                }
            }
            Message::Flush(written) => {
                let _ = out.flush();
                let _ = written.send(());
            }
        }
    }
}

fn say_what_is_lost(shared: &Shared, out: &mut impl Write) {
    let lost = shared.lost.swap(0, Ordering::Relaxed);
    if lost == 0 {
        return;
    }
    counter!("onsale_log_lines_lost_total").increment(lost);
    if writeln!(out, "{{\"level\":\"WARN\",\"lines_lost\":{lost}}}").is_err() {
        shared.lost.fetch_add(lost, Ordering::Relaxed);
    }
}

impl MakeWriter<'_> for LogWriter {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line { writer: self.clone(), bytes: Vec::new() }
    }
}

/// A line in the making, which goes on its way when it is dropped.
pub(crate) struct Line {
    writer: LogWriter,
    bytes: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            self.writer.take(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, atomic::AtomicBool, mpsc};

    use super::*;

    /// A disk that is full for a while.
    #[derive(Clone, Default)]
    struct Disk {
        full: Arc<AtomicBool>,
        text: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.full.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.text.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(writer: &LogWriter, line: &str) {
        writer.make_writer().write_all(line.as_bytes()).unwrap();
    }

    #[test]
    fn what_cannot_be_written_is_lost_and_counted_and_nothing_else() {
        let disk = Disk::default();
        let writer = LogWriter::start(disk.clone()).unwrap();
        log(&writer, "one\n");
        writer.flush();
        disk.full.store(true, Ordering::Relaxed);
        (0..10).for_each(|_| log(&writer, "lost\n"));
        writer.flush();
        disk.full.store(false, Ordering::Relaxed);
        log(&writer, "two\n");
        writer.flush();
        let text = String::from_utf8(disk.text.lock().unwrap().clone()).unwrap();
        assert_eq!(text, "one\n{\"level\":\"WARN\",\"lines_lost\":10}\ntwo\n");
    }

    /// A reader that stands still.
    struct Stuck(mpsc::Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_reader_that_stands_still() {
        let (_reads_on, stuck) = mpsc::channel();
        let writer = LogWriter::start(Stuck(stuck)).unwrap();
        let line = "x".repeat(1_024);
        (0..10_000).for_each(|_| log(&writer, &line));
        assert!(writer.shared.waiting.load(Ordering::Relaxed) <= WAITING_MAX);
        assert!(writer.shared.lost.load(Ordering::Relaxed) >= 5_000);
        writer.flush();
    }
}
