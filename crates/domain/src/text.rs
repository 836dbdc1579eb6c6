//! Texts as people type them, and the one form in which they are kept.
//!
//! Unicode can write the same text in several ways: `é` as one character or as two, `기` as a syllable or
//! as its letters. What is kept is composed (NFC), so that equal texts are equal bytes on every database.
//! Bounds count what is kept, not what was typed: composing may lengthen a text. How texts are compared
//! when somebody searches is in [`search`](crate::search).

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Why a text is not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing of it can be seen.
    #[error("must not be empty")]
    Empty,
    /// It has more than so many characters.
    #[error("must not be longer than {0} characters")]
    TooLong(usize),
    /// It has a control character, such as a zero byte.
    #[error("must not contain control characters")]
    Control,
}

/// The composed form (NFC), in which texts are kept and shown.
#[must_use]
pub fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    let composed: String = text.nfc().collect();
    if composed == text { Cow::Borrowed(text) } else { Cow::Owned(composed) }
}

/// Composes a text in place.
pub fn compose(text: &mut String) {
    if let Cow::Owned(composed) = composed(text) {
        *text = composed;
    }
}

/// Composes a text of one line, and checks it: 1 to `chars_max` characters, of which one can be seen, and no
/// control character.
///
/// # Errors
/// Why it is not acceptable.
pub fn accept_line(text: &mut String, chars_max: usize) -> Result<(), TextError> {
    accept(text, chars_max, char::is_control)
}

/// As [`accept_line`] with control characters of the caller's choice.
///
/// # Errors
/// Why it is not acceptable.
pub fn accept(
    text: &mut String,
    chars_max: usize,
    is_control: impl Fn(char) -> bool,
) -> Result<(), TextError> {
    compose(text);
    if is_blank(text) {
        return Err(TextError::Empty);
    }
    if text.chars().nth(chars_max).is_some() {
        return Err(TextError::TooLong(chars_max));
    }
    if text.chars().any(is_control) {
        return Err(TextError::Control);
    }
    Ok(())
}

/// Whether nothing of a text can be seen.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || is_invisible(c))
}

/// Whether a character is seen by its effect on others at most: joiners, variation selectors, directional
/// marks, soft hyphens, fillers (Unicode's `Default_Ignorable_Code_Point`).
#[must_use]
pub const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(text: &str, chars_max: usize) -> Result<String, TextError> {
        let mut text = text.to_owned();
        accept_line(&mut text, chars_max).map(|()| text)
    }

    #[test]
    fn a_text_is_kept_composed() {
        assert_eq!(composed("Ame\u{301}lie"), "Amélie");
        assert_eq!(composed("\u{1100}\u{1175}\u{1109}\u{1162}\u{11bc}\u{110e}\u{116e}\u{11bc}"), "기생충");
        assert!(matches!(composed("Amélie"), Cow::Borrowed("Amélie")));
        assert!(matches!(composed("Alien³ ＡＫＩＲＡ"), Cow::Borrowed(_)), "what only looks alike stays");
    }

    #[test]
    fn bounds_count_what_is_kept() {
        assert_eq!(accepted("e\u{301}", 1).unwrap(), "é", "two characters were typed");
        assert_eq!(accepted("\u{1d160}", 1), Err(TextError::TooLong(1)), "composing makes it three");
        assert_eq!(accepted(&"a".repeat(101), 100), Err(TextError::TooLong(100)));
    }

    #[test]
    fn what_cannot_be_seen_is_no_text() {
        for blank in ["", " \u{a0}", "\u{200b}", "\u{202e}\u{200d}", "\u{3164}"] {
            assert_eq!(accepted(blank, 10), Err(TextError::Empty), "{blank:?}");
        }
        for control in ["a\0", "\u{1b}[31m", "a\u{85}b", "a\nb"] {
            assert_eq!(accepted(control, 10), Err(TextError::Control), "{control:?}");
        }
        assert_eq!(
            accepted("👩\u{200d}🚀", 10).unwrap(),
            "👩\u{200d}🚀",
            "joiners stay where something is joined"
        );
    }
}
