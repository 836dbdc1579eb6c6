//! Title search: n-grams that find a substring in any script through an index.
//!
//! Titles are folded to lower case, then cut into every run of one, two and three
//! characters. A query is answered from its own longest grams and the few candidates
//! are checked with a plain substring test, so it is exact.

use std::collections::BTreeSet;

/// The longest gram that is indexed, in characters.
const GRAM_CHARS_MAX: usize = 3;

/// The most grams a query is looked up by; the substring test does the rest.
const QUERY_GRAMS_MAX: usize = 16;

/// A text as it is compared: lower case, outer blanks gone, inner blanks single.
#[must_use]
pub fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
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
        for title in ["기생충", "1776", "The  Land Girls", "千と千尋の神隠し", "Ünïted 93"] {
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
        assert!(query_grams("").is_empty());
    }
}
