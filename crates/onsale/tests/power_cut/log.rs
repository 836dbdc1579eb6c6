//! The log that `shim.c` writes: what processes did to their files, in order.

use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// The bytes of a record before its paths and data.
const HEAD: usize = 32;

/// An entry of the log: something done to a file or folder, or sent.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// Bytes were written.
    Write { path: PathBuf, offset: usize, bytes: Vec<u8> },
    /// A file was cut or extended to a length.
    Truncate { path: PathBuf, length: usize },
    /// A sync began, of a file or a folder.
    SyncBegin(PathBuf),
    /// A sync returned: what was done before it began is on disk.
    SyncEnd(PathBuf),
    /// A file was made.
    Create(PathBuf),
    /// A file got another name.
    Rename { from: PathBuf, to: PathBuf },
    /// A file got a second name.
    Link { from: PathBuf, to: PathBuf },
    /// A name was removed.
    Unlink(PathBuf),
    /// A folder was made.
    MakeFolder(PathBuf),
    /// This is about to be sent to somebody.
    Send(Vec<u8>),
    /// This is about to be printed.
    Say(String),
}

/// Reads a log. The last record of a process that was killed may be half a one, which is left out: what
/// it tells of was under way.
pub(crate) fn read(log: &Path) -> Vec<Event> {
    let bytes = fs::read(log).expect("the shim was loaded and has written a log");
    let (mut events, mut rest) = (Vec::new(), &bytes[..]);
    while let Some((event, after)) = next(rest) {
        events.push(event);
        rest = after;
    }
    events
}

fn next(bytes: &[u8]) -> Option<(Event, &[u8])> {
    let short = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    let long = |at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?) as usize);
    let (kind, first, second, offset, length) = (short(0)?, short(8)?, short(12)?, long(16)?, long(24)?);
    let mut rest = bytes.get(HEAD..)?;
    let mut take = |count: usize| {
        let (taken, left) = rest.split_at_checked(count)?;
        rest = left;
        Some(taken.to_vec())
    };
    let mut path = |bytes: usize| Some(PathBuf::from(OsString::from_vec(take(bytes)?)));
    let (path, second) = (path(first)?, path(second)?);
    let data = take(length)?;
    assert!(second != Path::new("unseen"), "{data:?} changes files in a way that the shim does not follow");
    let event = match kind {
        1 => Event::Write { path, offset, bytes: data },
        2 => Event::Truncate { path, length: offset },
        3 => Event::SyncBegin(path),
        4 => Event::SyncEnd(path),
        5 => Event::Create(path),
        6 => Event::Rename { from: path, to: second },
        7 => Event::Link { from: path, to: second },
        8 => Event::Unlink(path),
        9 => Event::MakeFolder(path),
        10 => Event::Send(data),
        11 => Event::Say(String::from_utf8_lossy(&data).into_owned()),
        other => panic!("a record of kind {other}"),
    };
    Some((event, rest))
}
