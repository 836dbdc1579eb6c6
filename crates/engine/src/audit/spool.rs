//! Sorting more than fits into memory.
//!
//! Records gather in memory, and go sorted into a temporary file whenever there are too many. At the end the
//! files are merged. However many records there are, memory holds one part of them and a buffer for each file;
//! the files have no name, so the operating system removes them with the process.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufReader, BufWriter, ErrorKind, Read, Seek, Write},
    iter, vec,
};

use crate::ports::StoreError;

/// Of records in memory.
const MEMORY_BYTES: usize = 4 << 20;

/// Files merged at once.
const FILES_MAX: usize = 32;

/// Of one file's buffer.
const BUFFER_BYTES: usize = 16 << 10;

/// A record, compared number by number.
pub(super) type Record<const N: usize> = [u64; N];

/// A signed number, so that records compare as it does.
pub(super) const fn signed(number: i64) -> u64 {
    number.cast_unsigned() ^ (1 << 63)
}

/// The opposite of [`signed`].
pub(super) const fn from_signed(word: u64) -> i64 {
    (word ^ (1 << 63)).cast_signed()
}

/// The two halves of a UUID or a digest.
#[expect(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
pub(super) const fn halves(number: u128) -> [u64; 2] {
    [(number >> 64) as u64, number as u64]
}

/// The opposite of [`halves`].
pub(super) const fn from_halves(high: u64, low: u64) -> u128 {
    ((high as u128) << 64) | low as u128
}

/// Takes records in any order.
pub(super) struct Spool<const N: usize> {
    fresh: Vec<Record<N>>,
    /// Sorted files; those of a level hold [`FILES_MAX`] times what those of the level below hold.
    levels: Vec<Vec<File>>,
    memory_max: usize,
}

impl<const N: usize> Default for Spool<N> {
    fn default() -> Self {
        Self::with_memory(MEMORY_BYTES / (8 * N))
    }
}

impl<const N: usize> Spool<N> {
    fn with_memory(records: usize) -> Self {
        Self { fresh: Vec::new(), levels: Vec::new(), memory_max: records }
    }

    pub(super) fn push(&mut self, record: Record<N>) -> Result<(), StoreError> {
        self.fresh.push(record);
        if self.fresh.len() >= self.memory_max { self.put_aside().map_err(failed) } else { Ok(()) }
    }

    /// All records in order.
    pub(super) fn sorted(mut self) -> Result<Sorted<N>, StoreError> {
        self.fresh.sort_unstable();
        let files = std::mem::take(&mut self.levels).into_iter().flatten().collect();
        Sorted::merge(self.fresh, files).map_err(failed)
    }

    fn put_aside(&mut self) -> io::Result<()> {
        self.fresh.sort_unstable();
        let mut file = file_of::<N>(self.fresh.drain(..).map(Ok))?;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(file);
            if self.levels[level].len() < FILES_MAX {
                break;
            }
            let files = std::mem::take(&mut self.levels[level]);
            let mut merged = Sorted::<N>::merge(Vec::new(), files)?;
            file = file_of::<N>(iter::from_fn(|| merged.next_record().transpose()))?;
        }
        Ok(())
    }
}

/// Gives records in order.
pub(super) struct Sorted<const N: usize> {
    memory: vec::IntoIter<Record<N>>,
    files: Vec<BufReader<File>>,
    /// The next record of each source; the last source is the memory.
    next: BinaryHeap<Reverse<(Record<N>, usize)>>,
}

impl<const N: usize> Sorted<N> {
    fn merge(memory: Vec<Record<N>>, files: Vec<File>) -> io::Result<Self> {
        let files = files.into_iter().map(|file| BufReader::with_capacity(BUFFER_BYTES, file)).collect();
        let mut sorted = Self { memory: memory.into_iter(), files, next: BinaryHeap::new() };
        for source in 0..=sorted.files.len() {
            sorted.refill(source)?;
        }
        Ok(sorted)
    }

    /// The next record, without taking it.
    pub(super) fn peek(&self) -> Option<&Record<N>> {
        self.next.peek().map(|Reverse((record, _))| record)
    }

    /// Takes the next record.
    pub(super) fn pop(&mut self) -> Result<Option<Record<N>>, StoreError> {
        self.next_record().map_err(failed)
    }

    /// Takes the next record if it is one of those meant.
    pub(super) fn pop_if(
        &mut self,
        meant: impl FnOnce(&Record<N>) -> bool,
    ) -> Result<Option<Record<N>>, StoreError> {
        if self.peek().is_some_and(meant) { self.pop() } else { Ok(None) }
    }

    fn next_record(&mut self) -> io::Result<Option<Record<N>>> {
        let Some(Reverse((record, source))) = self.next.pop() else { return Ok(None) };
        self.refill(source)?;
        Ok(Some(record))
    }

    fn refill(&mut self, source: usize) -> io::Result<()> {
        let record = match self.files.get_mut(source) {
            Some(file) => read(file)?,
            None => self.memory.next(),
        };
        self.next.extend(record.map(|record| Reverse((record, source))));
        Ok(())
    }
}

fn file_of<const N: usize>(records: impl Iterator<Item = io::Result<Record<N>>>) -> io::Result<File> {
    let mut file = BufWriter::with_capacity(BUFFER_BYTES, tempfile::tempfile()?);
    for record in records {
        for word in record? {
            file.write_all(&word.to_le_bytes())?;
        }
    }
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    Ok(file)
}

fn read<const N: usize>(file: &mut impl Read) -> io::Result<Option<Record<N>>> {
    let mut record = [0; N];
    for word in &mut record {
        let mut bytes = [0; 8];
        match file.read_exact(&mut bytes) {
            Ok(()) => *word = u64::from_le_bytes(bytes),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(record))
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn failed(error: io::Error) -> StoreError {
    StoreError::Rejected(format!(
        "the audit sorts in temporary files, in the folder that TMPDIR names, and that failed: {error}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_in_order_however_many_there_are() {
        // More files than are merged at once, twice over.
        for count in [0, 1, 7, 8, 9, 64, 8 * 33, 8 * 32 * 33 + 5] {
            let mut spool = Spool::<2>::with_memory(8);
            for number in 0..count {
                // Every number once, in an order that is not theirs.
                spool.push([(number * 7_919) % count, number]).unwrap();
                assert!(spool.fresh.len() < 8, "what is in memory is bounded");
                assert!(spool.levels.iter().all(|level| level.len() < FILES_MAX), "so are the files");
            }
            let mut sorted = spool.sorted().unwrap();
            let mut all = Vec::new();
            while let Some(record) = sorted.pop().unwrap() {
                all.push(record);
            }
            assert_eq!(all.len() as u64, count);
            assert!(all.windows(2).all(|pair| pair[0] <= pair[1]), "{count}");
        }
    }

    #[test]
    fn numbers_compare_as_they_did() {
        let numbers = [i64::MIN, -2, -1, 0, 1, i64::MAX];
        assert!(numbers.windows(2).all(|pair| signed(pair[0]) < signed(pair[1])));
        assert!(numbers.iter().all(|number| from_signed(signed(*number)) == *number));
        let id = u128::MAX - 5;
        assert_eq!(from_halves(halves(id)[0], halves(id)[1]), id);
    }
}
