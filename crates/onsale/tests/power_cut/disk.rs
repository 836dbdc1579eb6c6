//! The disk as far as a log tells: what is certainly on it, and what was on its way.
//!
//! Strict as POSIX is: the bytes of a file are on disk when it has been synced, its name when its folder has
//! been, and of what has not been synced any part may be there, page by page.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::{OsStr, OsString},
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rand::{Rng, rngs::StdRng};

use crate::log::Event;

/// The bytes that a disk writes whole.
const PAGE: usize = 4_096;

/// The writes under way that a cut leaves.
pub(crate) enum Leaves<'a> {
    /// Nothing.
    Nothing,
    /// Any part: pages and changes of length by chance, names up to one of them.
    AnyPart(&'a mut StdRng),
}

/// The disk at a point of the log.
pub(crate) struct Disk {
    root: PathBuf,
    folders: BTreeMap<PathBuf, Folder>,
    files: Vec<File>,
    /// Syncs that have begun: the oldest of a path ends first.
    syncing: HashMap<PathBuf, Vec<u64>>,
    /// Events so far.
    now: u64,
}

#[derive(Clone, Copy)]
enum Node {
    Folder,
    File(usize),
}

#[derive(Default)]
struct Folder {
    now: BTreeMap<OsString, Node>,
    on_disk: BTreeMap<OsString, Node>,
    /// When each change was made, and what each name stands for after it.
    pending: Vec<(u64, Vec<Named>)>,
}

type Named = (OsString, Option<Node>);

#[derive(Default)]
struct File {
    on_disk: Vec<u8>,
    pending: Vec<(u64, Change)>,
}

enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { length: usize },
}

impl Disk {
    /// An empty folder that is there already.
    pub(crate) fn new(root: &Path) -> Self {
        let folders = BTreeMap::from([(root.to_owned(), Folder::default())]);
        Self { root: root.to_owned(), folders, files: Vec::new(), syncing: HashMap::new(), now: 0 }
    }

    /// How many events there were.
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// All processes have ended, and with them their syncs.
    pub(crate) fn forget_syncs(&mut self) {
        self.syncing.clear();
    }

    /// Does what an event tells.
    pub(crate) fn apply(&mut self, event: &Event) {
        self.now += 1;
        match event {
            Event::Write { path, offset, bytes } => {
                self.change(path, Change::Write { offset: *offset, bytes: bytes.clone() });
            }
            Event::Truncate { path, length } => self.change(path, Change::Truncate { length: *length }),
            Event::SyncBegin(path) => self.syncing.entry(path.clone()).or_default().push(self.now),
            Event::SyncEnd(path) => {
                // One whose beginning a control has left out covers nothing.
                if let Some(begun) = self.syncing.get_mut(path).filter(|begun| !begun.is_empty()) {
                    let begun = begun.remove(0);
                    self.settle(path, begun);
                }
            }
            Event::Create(path) => {
                if self.file(path).is_none() {
                    self.files.push(File::default());
                    self.name(path, vec![(name(path), Some(Node::File(self.files.len() - 1)))]);
                }
            }
            Event::Rename { from, to } => {
                assert_eq!(from.parent(), to.parent(), "files stay in their folders");
                let file = self.file(from).map(Node::File);
                self.name(to, vec![(name(from), None), (name(to), file)]);
            }
            Event::Link { from, to } => {
                let file = self.file(from).map(Node::File);
                self.name(to, vec![(name(to), file)]);
            }
            Event::Unlink(path) => self.name(path, vec![(name(path), None)]),
            Event::MakeFolder(path) => {
                self.folders.insert(path.clone(), Folder::default());
                self.name(path, vec![(name(path), Some(Node::Folder))]);
            }
            Event::Send(_) | Event::Say(_) => {}
        }
    }

    fn file(&self, path: &Path) -> Option<usize> {
        match self.folders.get(path.parent()?)?.now.get(path.file_name()?)? {
            Node::File(file) => Some(*file),
            Node::Folder => None,
        }
    }

    /// A file whose name is gone is of no more interest.
    fn change(&mut self, path: &Path, change: Change) {
        if let Some(file) = self.file(path) {
            self.files[file].pending.push((self.now, change));
        }
    }

    fn name(&mut self, path: &Path, named: Vec<Named>) {
        let parent = path.parent().expect("a file is in a folder");
        let folder = self.folders.get_mut(parent).expect("a file is in a folder that was made");
        give(&mut folder.now, &named);
        folder.pending.push((self.now, named));
    }

    /// Puts on disk everything done to a file or folder before a time.
    fn settle(&mut self, path: &Path, before: u64) {
        if let Some(folder) = self.folders.get_mut(path) {
            let count = folder.pending.partition_point(|(at, _)| *at < before);
            for (_, named) in folder.pending.drain(..count) {
                give(&mut folder.on_disk, &named);
            }
        } else if let Some(file) = self.file(path) {
            let file = &mut self.files[file];
            let count = file.pending.partition_point(|(at, _)| *at < before);
            for (_, change) in file.pending.drain(..count) {
                change.carry_out(&mut file.on_disk);
            }
        }
    }

    /// The names that were made or removed before a time and are not on disk.
    pub(crate) fn names_under_way(&self, before: u64) -> Vec<String> {
        let under_way = self.folders.iter().flat_map(|(path, folder)| {
            let pending = folder.pending.iter().filter(move |(at, _)| *at < before);
            pending.flat_map(|(_, named)| named.iter().map(|(name, _)| path.join(name).display().to_string()))
        });
        under_way.collect()
    }

    /// The files that were written before a time and are not on disk.
    pub(crate) fn bytes_under_way(&self, before: u64) -> Vec<String> {
        let files = self.folders.iter().flat_map(|(path, folder)| {
            folder.now.iter().filter_map(move |(name, node)| Some((path.join(name), file_of(*node)?)))
        });
        let under_way = files.filter(|(path, file)| {
            // SQLite makes it anew after a crash.
            let is_index = path.to_string_lossy().ends_with("-shm");
            !is_index && self.files[*file].pending.first().is_some_and(|(at, _)| *at < before)
        });
        under_way.map(|(path, _)| path.display().to_string()).collect()
    }

    /// The bytes of a file if all goes well.
    pub(crate) fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let file = &self.files[self.file(path)?];
        let mut bytes = file.on_disk.clone();
        file.pending.iter().for_each(|(_, change)| change.carry_out(&mut bytes));
        Some(bytes)
    }

    /// Writes to the folder `to` what a power cut now may leave.
    pub(crate) fn rebuild(&self, to: &Path, mut leaves: Leaves<'_>) {
        self.rebuild_folder(&self.root, to, &mut leaves);
    }

    fn rebuild_folder(&self, folder: &Path, to: &Path, leaves: &mut Leaves<'_>) {
        fs::create_dir_all(to).expect("a folder can be made");
        let names = self.folders[folder].after_cut(leaves);
        for (name, node) in names {
            match node {
                Node::Folder => self.rebuild_folder(&folder.join(&name), &to.join(&name), leaves),
                Node::File(file) => {
                    let bytes = self.files[file].after_cut(leaves);
                    let file =
                        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to.join(&name));
                    file.and_then(|mut file| file.write_all(&bytes)).expect("a file can be written");
                }
            }
        }
    }
}

impl Folder {
    fn after_cut(&self, leaves: &mut Leaves<'_>) -> BTreeMap<OsString, Node> {
        let mut names = self.on_disk.clone();
        if let Leaves::AnyPart(random) = leaves {
            let count = random.random_range(0..=self.pending.len());
            self.pending[..count].iter().for_each(|(_, named)| give(&mut names, named));
        }
        names
    }
}

impl File {
    fn after_cut(&self, leaves: &mut Leaves<'_>) -> Vec<u8> {
        let mut after = self.on_disk.clone();
        let Leaves::AnyPart(random) = leaves else { return after };
        let share = [0.1, 0.5, 0.9][random.random_range(0..3)];
        for (_, change) in &self.pending {
            match change {
                Change::Truncate { .. } if random.random_bool(share) => change.carry_out(&mut after),
                Change::Truncate { .. } => {}
                Change::Write { offset, bytes } => {
                    let mut at = 0;
                    while at < bytes.len() {
                        let until = bytes.len().min(at + PAGE - (offset + at) % PAGE);
                        if random.random_bool(share) {
                            write(&mut after, offset + at, &bytes[at..until]);
                        }
                        at = until;
                    }
                }
            }
        }
        after
    }
}

impl Change {
    fn carry_out(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => write(file, *offset, bytes),
            Self::Truncate { length } => file.resize(*length, 0),
        }
    }
}

fn write(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    file.resize(file.len().max(end), 0);
    file[offset..end].copy_from_slice(bytes);
}

fn give(names: &mut BTreeMap<OsString, Node>, named: &[Named]) {
    for (name, node) in named {
        match node {
            Some(node) => names.insert(name.clone(), *node),
            None => names.remove(name),
        };
    }
}

fn name(path: &Path) -> OsString {
    path.file_name().map(OsStr::to_owned).expect("a file has a name")
}

fn file_of(node: Node) -> Option<usize> {
    match node {
        Node::File(file) => Some(file),
        Node::Folder => None,
    }
}
