//! The load: many connections, each with one request under way, driven by few threads.
//!
//! Plain non-blocking sockets, prepared request bytes and hardly any parsing, so that the loader
//! takes as little of the machine as it can; what it does take is measured.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};

use crate::{cpu, http};

/// The longest that a counted round may take.
const COUNTED_MAX: Duration = Duration::from_secs(300);

/// Writes the n-th request.
pub(crate) type Requests = Arc<dyn Fn(u64, &mut Vec<u8>) + Send + Sync>;

/// How a round is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Connections in all.
    pub(crate) connections: usize,
    /// Threads that drive them.
    pub(crate) threads: usize,
    /// When it begins, if everything is connected by then; `None`: as soon as everything is.
    pub(crate) begins_at: Option<Instant>,
    /// How long the load is on before it is measured.
    pub(crate) warm_up: Duration,
    /// When the measuring ends.
    pub(crate) until: Until,
    /// The status that every answer should have.
    pub(crate) status: u16,
    /// The first process of the database's server, to be told apart.
    pub(crate) database_pid: Option<u32>,
}

/// When a round ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// After this time.
    Elapsed(Duration),
    /// After this many requests; there is no warm-up then.
    Requests(u64),
}

/// What a round measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    /// Answers with the expected status.
    pub(crate) answers: u64,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// How long each answer took, in microseconds, ascending.
    pub(crate) latencies_us: Vec<u32>,
    /// Processor time of the loader.
    pub(crate) loader_cpu: Duration,
    /// Processor time of everything else in the process: the server.
    pub(crate) server_cpu: Duration,
    /// Processor time of the database's server, if it is one and on this machine.
    pub(crate) database_cpu: Option<Duration>,
    /// Time that processors of the machine were idle, if the system tells.
    pub(crate) idle: Option<Duration>,
    /// Answers with another status: how many, and the first such body.
    pub(crate) unexpected: BTreeMap<u16, (u64, String)>,
}

impl Measured {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.answers as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// What so many in a hundred answers took no longer than, in milliseconds; NaN if there were none.
    pub(crate) fn percentile_ms(&self, percent: usize) -> f64 {
        percentile(&self.latencies_us, percent).map_or(f64::NAN, |us| f64::from(us) / 1_000.0)
    }

    fn add(&mut self, part: Self) {
        self.answers += part.answers;
        self.elapsed = self.elapsed.max(part.elapsed);
        self.latencies_us.extend(part.latencies_us);
        self.loader_cpu += part.loader_cpu;
        for (status, (count, body)) in part.unexpected {
            self.unexpected.entry(status).or_insert((0, body)).0 += count;
        }
    }
}

/// Of values in ascending order the one that so many in a hundred do not exceed.
pub(crate) fn percentile<T: Copy>(ascending: &[T], percent: usize) -> Option<T> {
    ascending.get(ascending.len().saturating_sub(1) * percent / 100).copied()
}

/// Loads a server. `count` numbers the requests and goes on from round to round.
///
/// # Errors
/// If a connection fails or an answer cannot be understood.
pub(crate) fn run(
    address: SocketAddr,
    plan: Plan,
    requests: &Requests,
    count: &AtomicU64,
) -> io::Result<Measured> {
    let database_cpu = || plan.database_pid.and_then(cpu::family);
    let before = Mutex::new((Duration::ZERO, None, None));
    let limit = match plan.until {
        Until::Elapsed(_) => u64::MAX,
        Until::Requests(requests) => count.load(Ordering::Relaxed) + requests,
    };
    let parts: Vec<io::Result<Measured>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.threads.max(1))
            .map(|index| {
                let connections = share(plan.connections, plan.threads.max(1), index);
                let (before, database_cpu) = (&before, &database_cpu);
                let driver = move || {
                    let mut driver = Driver::connect(address, connections, plan, requests, count, limit)?;
                    let now = cpu::now();
                    let begin = plan.begins_at.unwrap_or(now).max(now);
                    thread::sleep(begin - now);
                    driver.run(begin, || {
                        if index == 0 {
                            *before.lock().expect("nobody panics with it") =
                                (cpu::process(), cpu::idle(), database_cpu());
                        }
                    })
                };
                thread::Builder::new().name(format!("loader-{index}")).spawn_scoped(scope, driver)
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread?.join().unwrap_or_else(|_| Err(io::Error::other("a loader panicked"))))
            .collect()
    });
    let (process_before, idle_before, database_before) = *before.lock().expect("nobody panics with it");
    let process = cpu::process().saturating_sub(process_before);
    let since = |(after, before): (Duration, Duration)| after.saturating_sub(before);
    let idle = cpu::idle().zip(idle_before).map(since);
    let database = database_cpu().zip(database_before).map(since);
    let mut measured = Measured::default();
    for part in parts {
        measured.add(part?);
    }
    measured.latencies_us.sort_unstable();
    measured.server_cpu = process.saturating_sub(measured.loader_cpu);
    measured.idle = idle;
    measured.database_cpu = database;
    Ok(measured)
}

fn share(all: usize, parts: usize, index: usize) -> usize {
    all / parts + usize::from(index < all % parts)
}

/// A thread's connections.
struct Driver<'a> {
    poll: Poll,
    connections: Vec<Connection>,
    plan: Plan,
    requests: &'a Requests,
    count: &'a AtomicU64,
    limit: u64,
    under_way: usize,
    measured: Measured,
}

struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    written: usize,
    received: Vec<u8>,
    asked_at: Instant,
    busy: bool,
}

impl<'a> Driver<'a> {
    fn connect(
        address: SocketAddr,
        connections: usize,
        plan: Plan,
        requests: &'a Requests,
        count: &'a AtomicU64,
        limit: u64,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let asked_at = cpu::now();
        let connections = (0..connections).map(|index| {
            let stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            let (out, received) = (Vec::with_capacity(1_024), Vec::with_capacity(32_768));
            Ok(Connection { stream, out, written: 0, received, asked_at, busy: false })
        });
        let connections = connections.collect::<io::Result<_>>()?;
        Ok(Self {
            poll,
            connections,
            plan,
            requests,
            count,
            limit,
            under_way: 0,
            measured: Measured::default(),
        })
    }

    /// Runs the round; calls `measuring` when the warm-up is over. The last answers that are under
    /// way at the end are waited for, and not counted.
    fn run(&mut self, begin: Instant, measuring: impl FnOnce()) -> io::Result<Measured> {
        let (warm_up, length) = match self.plan.until {
            Until::Elapsed(length) => (self.plan.warm_up, length),
            Until::Requests(_) => (Duration::ZERO, COUNTED_MAX),
        };
        // Moved back if the warm-up is found to be over late, so that a round is never cut short.
        let mut end = begin + warm_up + length;
        let mut measuring = Some(measuring);
        let (mut started, mut cpu_before) = (begin, cpu::thread());
        let mut finished = None;
        let mut chunk = vec![0; 65_536];
        let mut events = Events::with_capacity(1_024);
        for index in 0..self.connections.len() {
            self.ask(index)?;
        }
        while self.under_way > 0 {
            self.poll.poll(&mut events, Some(Duration::from_millis(10)))?;
            let now = cpu::now();
            if now >= begin + warm_up
                && let Some(measuring) = measuring.take()
            {
                measuring();
                (started, end, cpu_before) = (now, now + length, cpu::thread());
                self.measured = Measured::default();
            }
            if finished.is_none() && now >= end {
                finished = Some(self.finish(started, now, cpu_before));
                self.limit = 0;
            }
            if now >= end + Duration::from_secs(10) {
                return Err(io::Error::other("answers are outstanding for 10 seconds"));
            }
            for event in &events {
                self.go_on(event.token().0, &mut chunk)?;
            }
        }
        Ok(finished.unwrap_or_else(|| self.finish(started, cpu::now(), cpu_before)))
    }

    fn finish(&mut self, started: Instant, now: Instant, cpu_before: Duration) -> Measured {
        let mut measured = std::mem::take(&mut self.measured);
        measured.elapsed = now.duration_since(started);
        measured.loader_cpu = cpu::thread().saturating_sub(cpu_before);
        measured
    }

    /// Sends the next request on a connection, if there is one to send.
    fn ask(&mut self, index: usize) -> io::Result<()> {
        // Only a counted run has a limit; a timed one stops by setting it to 0.
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        if number >= self.limit {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return Ok(());
        }
        let connection = &mut self.connections[index];
        connection.out.clear();
        (self.requests)(number, &mut connection.out);
        connection.written = 0;
        connection.asked_at = cpu::now();
        connection.busy = true;
        self.under_way += 1;
        connection.write()
    }

    fn go_on(&mut self, index: usize, chunk: &mut [u8]) -> io::Result<()> {
        let connection = &mut self.connections[index];
        connection.write()?;
        if !connection.read(chunk)? {
            return Ok(());
        }
        let Some(answer) = http::parse(&connection.received)? else { return Ok(()) };
        if !connection.busy || answer.end != connection.received.len() {
            return Err(io::Error::other("the server answered what was not asked"));
        }
        if answer.status == self.plan.status {
            self.measured.answers += 1;
            let latency = connection.asked_at.elapsed().as_micros();
            self.measured.latencies_us.push(u32::try_from(latency).unwrap_or(u32::MAX));
        } else {
            let body =
                || String::from_utf8_lossy(&connection.received[answer.body_at..answer.end]).into_owned();
            self.measured.unexpected.entry(answer.status).or_insert_with(|| (0, body())).0 += 1;
        }
        connection.received.clear();
        connection.busy = false;
        self.under_way -= 1;
        self.ask(index)
    }
}

impl Connection {
    /// Writes what is left of the request, as far as the socket takes it.
    fn write(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads all that has come. Whether there was anything.
    fn read(&mut self, chunk: &mut [u8]) -> io::Result<bool> {
        let before = self.received.len();
        loop {
            match self.stream.read(chunk) {
                Ok(0) => return Err(io::Error::other("the server hung up")),
                Ok(read) => {
                    self.received.extend_from_slice(&chunk[..read]);
                    // A short read has emptied the socket; the next event comes with the next bytes.
                    if read < chunk.len() {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(self.received.len() > before);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        http::Captured,
        requests,
        server::{self, Server},
    };

    fn server(status: u16) -> Server {
        let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
        let captured = Captured { status, headers, body: vec![b'x'; 100_000] };
        Server::start(Server::runtime("test").unwrap(), server::bare_get("/", &captured)).unwrap()
    }

    fn plan(until: Until) -> Plan {
        Plan {
            connections: 16,
            threads: 2,
            begins_at: None,
            warm_up: Duration::from_millis(50),
            until,
            status: 200,
            database_pid: None,
        }
    }

    #[test]
    fn a_counted_round_sends_exactly_so_many() {
        let (server, count) = (server(200), AtomicU64::new(0));
        for round in 1..=2 {
            let measured =
                run(server.address, plan(Until::Requests(1_000)), &requests::get("/"), &count).unwrap();
            assert_eq!(measured.answers, 1_000);
            assert_eq!(measured.latencies_us.len(), 1_000);
            assert_eq!(count.load(Ordering::Relaxed), round * 1_000);
            assert!(measured.unexpected.is_empty());
        }
    }

    #[test]
    fn a_timed_round_counts_what_was_answered_in_its_time() {
        let (server, count) = (server(200), AtomicU64::new(0));
        let until = Until::Elapsed(Duration::from_millis(200));
        let measured = run(server.address, plan(until), &requests::get("/"), &count).unwrap();
        assert!(!measured.elapsed.is_zero());
        assert!(measured.answers > 0 && measured.answers < count.load(Ordering::Relaxed));
        assert!(measured.loader_cpu > Duration::ZERO && measured.server_cpu > Duration::ZERO);
    }

    #[test]
    fn another_status_is_not_counted_and_is_told() {
        let (server, count) = (server(503), AtomicU64::new(0));
        let measured = run(server.address, plan(Until::Requests(10)), &requests::get("/"), &count).unwrap();
        assert_eq!(measured.answers, 0);
        assert_eq!(measured.unexpected[&503].0, 10);
    }
}
