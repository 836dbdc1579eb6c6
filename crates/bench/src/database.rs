//! The database that is measured: its URL, its server's processes, and how often it is asked.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use onsale_store::SqlStore;

use crate::stage::Failure;

/// Where databases are made for the measurement.
pub(crate) struct Database {
    /// A database there, which is not touched.
    pub(crate) url: String,
    pub(crate) is_server: bool,
    /// The first of the server's processes, if it is a server and on this machine.
    pub(crate) pid: Option<u32>,
}

impl Database {
    /// A file in a folder.
    pub(crate) fn embedded(folder: &Path) -> Result<Self, Failure> {
        Ok(Self { url: SqlStore::file_url(&folder.join("onsale.db"))?, is_server: false, pid: None })
    }

    /// A server. Its process is the one given, or the one that listens on the URL's port.
    pub(crate) fn server(url: &str, pid: Option<u32>) -> Self {
        let pid = pid.or_else(|| listener_on(server_address(url)?.port()));
        Self { url: url.to_owned(), is_server: true, pid }
    }
}

/// The host and port in a URL, if both are there and known.
fn server_address(url: &str) -> Option<SocketAddr> {
    authority(url)?.1.to_socket_addrs().ok()?.next()
}

/// What stands before `host:port` in a URL, `host:port`, and the rest.
fn authority(url: &str) -> Option<(&str, &str, &str)> {
    let begin = url.find("://")? + 3;
    let end = begin + url[begin..].find(['/', '?']).unwrap_or(url.len() - begin);
    let begin = url[..end].rfind('@').map_or(begin, |at| at + 1);
    Some((&url[..begin], &url[begin..end], &url[end..]))
}

/// A process of this machine that listens on a port; the oldest, if there are several.
fn listener_on(port: u16) -> Option<u32> {
    let mut sockets = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in fs::read_to_string(table).ok().iter().flat_map(|table| table.lines().skip(1)) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (Some(local), Some(&"0A"), Some(inode)) = (fields.get(1), fields.get(3), fields.get(9))
            else {
                continue;
            };
            if local.ends_with(&format!(":{port:04X}")) {
                sockets.push(format!("socket:[{inode}]"));
            }
        }
    }
    let has_socket = |pid: &u32| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
        targets.any(|target| sockets.iter().any(|socket| Path::new(socket) == target))
    };
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    pids.filter(has_socket).min()
}

/// Stands between Onsale and a database server and counts the round trips: how often something
/// is sent to the server after it has answered. For a round by itself, because it costs time.
pub(crate) struct TripCounter {
    /// The server's URL by way of this.
    pub(crate) url: String,
    trips: Arc<AtomicU64>,
}

impl TripCounter {
    /// Starts one. `None` if the URL does not say host and port.
    ///
    /// # Errors
    /// If there is no port to listen on.
    pub(crate) fn start(url: &str) -> io::Result<Option<Self>> {
        let Some((server, (before, _, after))) = server_address(url).zip(authority(url)) else {
            return Ok(None);
        };
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let url = format!("{before}{}{after}", listener.local_addr()?);
        let trips = Arc::new(AtomicU64::new(0));
        let counted = trips.clone();
        // It ends with the program, as it does nothing when nobody connects.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Who cannot be served notices that the connection is closed.
                let _ = serve(client, server, &counted);
            }
        });
        Ok(Some(Self { url, trips }))
    }

    /// Round trips so far.
    pub(crate) fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }
}

fn serve(client: TcpStream, server: SocketAddr, trips: &Arc<AtomicU64>) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let has_answered = Arc::new(AtomicBool::new(true));
    let (to_server, to_client) = ((client.try_clone()?, server.try_clone()?), (server, client));
    let (trips, asked) = (trips.clone(), has_answered.clone());
    thread::spawn(move || {
        copy(to_server, || {
            if asked.swap(false, Ordering::Relaxed) {
                trips.fetch_add(1, Ordering::Relaxed);
            }
        });
    });
    thread::spawn(move || copy(to_client, || has_answered.store(true, Ordering::Relaxed)));
    Ok(())
}

/// Hands on what comes, until either side has gone.
fn copy((mut from, mut to): (TcpStream, TcpStream), seen: impl Fn()) {
    let mut chunk = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        seen();
        if to.write_all(&chunk[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        assert_eq!(authority("db://ann:p@w@host:1/x?y"), Some(("db://ann:p@w@", "host:1", "/x?y")));
        assert_eq!(authority("db://127.0.0.1:54"), Some(("db://", "127.0.0.1:54", "")));
        assert_eq!(authority("file:x"), None);
    }

    #[test]
    fn the_process_that_listens_is_found() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        assert_eq!(listener_on(listener.local_addr().unwrap().port()), Some(std::process::id()));
    }

    #[test]
    fn a_round_trip_is_a_question_after_an_answer() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let server = listener.local_addr().unwrap();
        let echo = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut word = [0; 8];
            while stream.read_exact(&mut word).is_ok() {
                stream.write_all(b"so it is").unwrap();
            }
        });
        let counter = TripCounter::start(&format!("db://{server}/x")).unwrap().unwrap();
        let mut client = TcpStream::connect(authority(&counter.url).unwrap().1).unwrap();
        let mut word = [0; 8];
        for _ in 0..3 {
            // In two pieces, which are one question.
            client.write_all(b"is ").unwrap();
            thread::sleep(std::time::Duration::from_millis(20));
            client.write_all(b"it so").unwrap();
            client.read_exact(&mut word).unwrap();
        }
        assert_eq!(counter.trips(), 3);
        drop(client);
        echo.join().unwrap();
    }
}
