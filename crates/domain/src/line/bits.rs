//! A bit for each place, in pages, so that growing neither copies nor doubles.

/// Words in a page: 4 KiB, 32,768 places.
const PAGE_WORDS: usize = 512;

/// How many bits a word has.
pub(super) const WORD_BITS: u32 = u64::BITS;

/// The words that hold the bits from `from` up to, without, `to`, each with a mask of those bits.
pub(super) fn words(from: u32, to: u32) -> impl Iterator<Item = (u32, u64)> {
    (from / WORD_BITS..to.div_ceil(WORD_BITS)).map(move |word| {
        let first = word * WORD_BITS;
        let below = from.saturating_sub(first).min(WORD_BITS - 1);
        let beyond = (WORD_BITS - 1) - (to - 1 - first).min(WORD_BITS - 1);
        (word, u64::MAX << below & u64::MAX >> beyond)
    })
}

/// Bits that are 0 until they are set.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits {
    pages: Vec<Box<[u64; PAGE_WORDS]>>,
}

impl Bits {
    pub(super) fn get(&self, index: u32) -> bool {
        self.word(index / WORD_BITS) >> (index % WORD_BITS) & 1 == 1
    }

    pub(super) fn set(&mut self, index: u32) {
        *self.word_mut(index / WORD_BITS) |= 1 << (index % WORD_BITS);
    }

    pub(super) fn clear(&mut self, index: u32) {
        if self.get(index) {
            *self.word_mut(index / WORD_BITS) &= !(1 << (index % WORD_BITS));
        }
    }

    /// Sets the bits from `from` up to, without, `to`.
    pub(super) fn set_range(&mut self, from: u32, to: u32) {
        let mut index = from;
        while index < to {
            if index.is_multiple_of(WORD_BITS) && to - index >= WORD_BITS {
                *self.word_mut(index / WORD_BITS) = u64::MAX;
                index += WORD_BITS;
            } else {
                self.set(index);
                index += 1;
            }
        }
    }

    pub(super) fn clear_all(&mut self) {
        for page in &mut self.pages {
            page.fill(0);
        }
    }

    /// The word with the bits `64 * word` and following.
    pub(super) fn word(&self, word: u32) -> u64 {
        let (page, word) = split(word);
        self.pages.get(page).map_or(0, |page| page[word])
    }

    fn word_mut(&mut self, word: u32) -> &mut u64 {
        let (page, word) = split(word);
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || Box::new([0; PAGE_WORDS]));
        }
        &mut self.pages[page][word]
    }

    /// Adds the bits of another set to this one.
    pub(super) fn union(&mut self, other: &Self) {
        if self.pages.len() < other.pages.len() {
            self.pages.resize_with(other.pages.len(), || Box::new([0; PAGE_WORDS]));
        }
        for (page, others) in self.pages.iter_mut().zip(&other.pages) {
            for (word, other) in page.iter_mut().zip(others.iter()) {
                *word |= other;
            }
        }
    }

    /// Bytes that the bits take.
    pub(super) fn bytes(&self) -> usize {
        self.pages.len() * size_of::<[u64; PAGE_WORDS]>()
            + self.pages.capacity() * size_of::<Box<[u64; PAGE_WORDS]>>()
    }
}

fn split(word: u32) -> (usize, usize) {
    let word = word as usize;
    (word / PAGE_WORDS, word % PAGE_WORDS)
}
