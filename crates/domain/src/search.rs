//! Finding titles: how texts are folded, and the grams by which parts of them are found.
//!
//! Texts are folded here and nowhere else, so that a query finds the same on every database. Folding is
//! compatibility decomposition (NFKD), full case folding, and composition again: `ＡＫＩＲＡ` is found as
//! `akira`, `Amélie` as `amelie`, `ΟΔΟΣ` as `οδός`, Hangul however it was typed. Accents go where they only
//! colour a letter (Latin, Greek, Cyrillic, vowel points of Hebrew and Arabic) and stay where they make another
//! letter of it (kana, Thai, Indic scripts). Changing any of it raises [`FOLD_VERSION`].

use std::collections::BTreeSet;

use unicode_normalization::{UnicodeNormalization, char::canonical_combining_class};

use crate::text::is_invisible;

/// Names the rules of [`fold`]. What was folded by a lower one is folded again when a store is opened.
pub const FOLD_VERSION: i32 = 1;

/// The longest gram that is indexed, in characters.
const GRAM_CHARS_MAX: usize = 3;

/// The most grams a query is looked up by; the substring test does the rest.
const QUERY_GRAMS_MAX: usize = 16;

/// The most characters of a folded title that are searched. Folding may lengthen a text 18 times.
pub const TITLE_CHARS_MAX: usize = 1_000;

/// The most characters of a folded genre that are compared, which every database can index.
pub const GENRE_CHARS_MAX: usize = 191;

/// A text as it is compared: without case, width, accents and what cannot be seen; outer blanks gone, inner
/// blanks single. Folding twice changes nothing.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return single_spaced(&text.to_ascii_lowercase());
    }
    // Changing case may bring decomposed characters about, so it is decomposed again.
    let plain: String = text.nfkd().filter(|c| !is_left_out(*c)).flat_map(plain_letters).collect();
    // `ẞ` becomes `ss` by way of `ß` and `SS`, a final sigma a common one by way of `Σ`.
    let cased = plain.chars().flat_map(char::to_lowercase).flat_map(char::to_uppercase);
    let cased = cased.flat_map(char::to_lowercase);
    let folded: String = cased.nfkd().filter(|c| !is_left_out(*c)).flat_map(plain_letters).nfc().collect();
    single_spaced(&folded)
}

/// A title as it is searched.
#[must_use]
pub fn title_key(title: &str) -> String {
    bounded(fold(title), TITLE_CHARS_MAX)
}

/// A genre as it is compared.
#[must_use]
pub fn genre_key(genre: &str) -> String {
    bounded(fold(genre), GENRE_CHARS_MAX)
}

/// Whether a query is in no text whatever: nothing is left of it that could be compared, or it is longer
/// than anything that is searched. A blank query is no query.
#[must_use]
pub fn is_in_nothing(query: &str) -> bool {
    let folded = fold(query);
    (folded.is_empty() && !query.trim().is_empty()) || folded.chars().nth(TITLE_CHARS_MAX).is_some()
}

fn single_spaced(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

fn bounded(mut text: String, chars_max: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(chars_max) {
        text.truncate(end);
    }
    text
}

/// Whether a character of a decomposed text is an accent, or cannot be seen.
fn is_left_out(c: char) -> bool {
    // The classes of Latin, Greek and Cyrillic marks, strokes through a letter, and the points of Hebrew and
    // Arabic. Between them are the marks that make another letter: voiced kana, nuktas, viramas, Thai vowels.
    !c.is_ascii() && (matches!(canonical_combining_class(c), 1 | 10..=36 | 200..) || is_invisible(c))
}

/// The plain letters that people type for letters and signs without a decomposition.
fn plain_letters(c: char) -> impl Iterator<Item = char> {
    let plain = match c {
        'ø' | 'Ø' => "o",
        'ł' | 'Ł' => "l",
        'đ' | 'Đ' | 'ð' | 'Ð' => "d",
        'ħ' | 'Ħ' => "h",
        'ŧ' | 'Ŧ' => "t",
        'ı' => "i",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'þ' | 'Þ' => "th",
        '‘' | '’' | '‚' | 'ʼ' | '′' => "'",
        '“' | '”' | '„' => "\"",
        '‐' | '‒' | '–' | '—' | '―' | '−' => "-",
        _ => "",
    };
    plain.chars().chain(plain.is_empty().then_some(c))
}

/// Every gram under which a title is found. `title` is folded.
#[must_use]
pub fn title_grams(title: &str) -> BTreeSet<String> {
    let chars: Vec<char> = title.chars().collect();
    (1..=GRAM_CHARS_MAX).flat_map(|length| chars.windows(length)).map(|gram| gram.iter().collect()).collect()
}

/// The grams that every match of a query has. `query` is folded. Empty only for an
/// empty query.
#[must_use]
pub fn query_grams(query: &str) -> Vec<String> {
    let chars: Vec<char> = query.chars().collect();
    let length = chars.len().min(GRAM_CHARS_MAX);
    if length == 0 {
        return Vec::new();
    }
    let grams: BTreeSet<String> = chars.windows(length).map(|gram| gram.iter().collect()).collect();
    grams.into_iter().take(QUERY_GRAMS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_substring_shares_all_its_grams_with_the_title() {
        for title in
            ["기생충", "1776", "The  Land Girls", "千と千尋の神隠し", "Ünïted 93", "ＡＫＩＲＡ — がぎぐ"]
        {
            let folded = fold(title);
            let grams = title_grams(&folded);
            let chars: Vec<char> = folded.chars().collect();
            for from in 0..chars.len() {
                for to in from + 1..=chars.len() {
                    let query: String = chars[from..to].iter().collect();
                    assert!(query_grams(&query).iter().all(|gram| grams.contains(gram)), "{query}");
                }
            }
        }
    }

    #[test]
    fn folding_ignores_case_and_blanks() {
        assert_eq!(fold("  The\tLAND   Girls "), "the land girls");
        assert_eq!(fold("a\u{a0}\0b\u{3000}\u{85}"), "a b");
        assert!(query_grams("").is_empty());
    }

    #[test]
    fn what_people_take_for_the_same_is_the_same() {
        for (one, other) in [
            ("Amélie", "amelie"),
            ("Ame\u{301}lie", "AMÉLIE"),
            ("ＡＫＩＲＡ", "akira"),
            ("ﾐｯｸ", "ミック"),
            ("기생충", "\u{1100}\u{1175}\u{1109}\u{1162}\u{11bc}\u{110e}\u{116e}\u{11bc}"),
            ("ΟΔΟΣ", "οδός"),
            ("οδος", "οδοσ"),
            ("İstanbul", "istanbul"),
            ("ISPARTA", "ısparta"),
            ("Straße", "STRASSE"),
            ("ﬁlm", "FILM"),
            ("Łódź", "lodz"),
            ("Smørrebrød", "smorrebrod"),
            ("Cœur", "coeur"),
            ("It’s Complicated", "it's complicated"),
            ("WALL\u{2011}E — 2", "wall-e - 2"),
            ("Ёлки", "елки"),
            ("Tiếng Việt", "tieng viet"),
            ("שָׁלוֹם", "שלום"),
            ("soft\u{ad}ly \u{202e}☺\u{fe0f}", "softly ☺"),
            ("Alien³", "alien3"),
            ("Ǆ", "dž"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} and {other}");
        }
    }

    #[test]
    fn what_makes_another_letter_stays() {
        for (one, other) in [("が", "か"), ("ปี", "ปี่"), ("क़", "क"), ("기", "지"), ("ㄱ", "ㄴ")]
        {
            assert_ne!(fold(one), fold(other), "{one} and {other}");
        }
    }

    #[test]
    fn folding_twice_changes_nothing_and_leaves_no_zero_byte() {
        // Without the ideographs, which have no case.
        let letters = (0..0x3400).chain(0xA000..0xAC00).chain(0xD7A0..0x2_0000).chain(0x2_F800..0x2_FA20);
        for c in letters.chain(0xE_0000..0xE_1000).filter_map(char::from_u32) {
            let text = format!("a{c}e\u{301}{c}");
            let folded = fold(&text);
            assert_eq!(fold(&folded), folded, "U+{:04X}", u32::from(c));
            assert!(!folded.contains(char::is_control), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn some_queries_are_in_nothing() {
        for query in ["\0", "\u{200b}", "\u{301}", &"\u{fdfa}".repeat(200)] {
            assert!(is_in_nothing(query), "{query:?}");
        }
        for query in ["", " ", "a\0", "é"] {
            assert!(!is_in_nothing(query), "{query:?}");
        }
    }

    #[test]
    fn what_is_indexed_is_bounded_after_folding() {
        assert_eq!(fold("\u{fdfa}").chars().count(), 18, "the character that grows most");
        assert_eq!(title_key(&"\u{fdfa}".repeat(500)).chars().count(), TITLE_CHARS_MAX);
        assert_eq!(genre_key(&"\u{fdfa}".repeat(100)).chars().count(), GENRE_CHARS_MAX);
        assert_eq!(genre_key(&"İ".repeat(100)), "i".repeat(100));
    }
}
