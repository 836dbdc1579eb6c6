//! Titles whose encoding was misread: bytes of Windows-1252 (Latin-1 and a few more) taken for Mac
//! Roman, so that `Astérix` became `AstÈrix` and `I Love You …` became `I Love You Ö`.

use std::borrow::Cow;

use encoding_rs::{MACINTOSH, WINDOWS_1252};

/// So many titles that prove it make a list one whose encoding was misread.
const PROOFS_MIN: usize = 3;

/// Whether a whole list was misread: several of its titles prove that by themselves, and none the opposite.
pub(super) fn is_misread<'a>(titles: impl IntoIterator<Item = &'a str>) -> bool {
    let mut proofs = 0;
    for title in titles.into_iter().filter(|title| !title.is_ascii()) {
        if proves_right(title) {
            return false;
        }
        proofs += usize::from(proves_misread(title) && other_reading(title).is_some());
    }
    proofs >= PROOFS_MIN
}

/// The title as it was meant, if it was misread. Nothing if it may well be right as it is: it must prove itself
/// that it was misread, or be odd in a list that was (`list_is_misread`).
pub(super) fn mend(title: &str, list_is_misread: bool) -> Option<String> {
    let meant = other_reading(title)?;
    let odd = || has_odd(title, &meant) && !has_odd(&meant, title);
    (proves_misread(title) || (list_is_misread && odd())).then_some(meant)
}

/// The title read as Windows-1252, if every foreign character turns into something that stands in titles.
fn other_reading(title: &str) -> Option<String> {
    let (bytes, _, unmappable) = MACINTOSH.encode(title);
    if title.is_ascii() || unmappable {
        return None;
    }
    let Cow::Owned(meant) = WINDOWS_1252.decode_without_bom_handling(&bytes).0 else { return None };
    meant.chars().filter(|c| !c.is_ascii()).all(stands_in_titles).then_some(meant)
}

/// Whether a title has what stands in no right one: a capital of Mac Roman's after two letters of which the
/// second is small, as in `CachÈ`, or a sign without a letter glued to one, as in `F‰lscher`. A capital after one
/// small letter is right: `Tír na nÓg`.
fn proves_misread(title: &str) -> bool {
    let chars: Vec<char> = title.chars().collect();
    let at = |index: Option<usize>| index.and_then(|index| chars.get(index)).copied().unwrap_or(' ');
    chars.iter().enumerate().any(|(index, c)| {
        let (before, after) = (at(index.checked_sub(1)), at(Some(index + 1)));
        match c {
            'È' | 'Ë' | 'Í' | 'Î' | 'Â' | 'Ê' | 'Á' | 'Ï' | 'Ì' | 'Ó' | 'Ô' | 'Ò' | 'Ú' | 'Û' | 'Ù' => {
                before.is_lowercase() && at(index.checked_sub(2)).is_alphabetic()
            }
            '‡' | '˘' | '˙' | '˚' | 'ˆ' => before.is_ascii_alphabetic(),
            // A sign of its own at the end of a word: `Se7en‰`.
            '‰' => before.is_ascii_alphabetic() && after.is_ascii_alphabetic(),
            // These may open or close a quotation, or follow a letter in some scripts' names.
            '‚' | '„' | '¸' | '¯' => before.is_ascii_lowercase() && after.is_ascii_lowercase(),
            _ => false,
        }
    })
}

/// Whether a title has what no misreading brings about: a small accented letter inside a word, as in `Amélie`,
/// that does not stand for a quotation mark or a dash.
fn proves_right(title: &str) -> bool {
    let chars: Vec<char> = title.chars().collect();
    chars.windows(2).any(|pair| {
        let stands_for_a_sign = matches!(pair[1], 'ë' | 'í' | 'î' | 'ì' | 'ñ' | 'ó');
        pair[0].is_ascii_lowercase() && matches!(pair[1], 'à'..='ÿ') && pair[1] != '÷' && !stands_for_a_sign
    })
}

/// Latin-1's letters and the signs of printed titles.
fn stands_in_titles(c: char) -> bool {
    matches!(c, 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ÿ' | '…' | '½' | '¼' | '¾' | '¡' | '¿' | '°' | '–' | '—' | '‘' | '’' | '“' | '”')
}

/// Whether any foreign character of `text` is odd where it stands. `other` is the other reading.
fn has_odd(text: &str, other: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let neighbour = |index: Option<usize>| index.and_then(|index| chars.get(index)).copied().unwrap_or(' ');
    other.chars().enumerate().zip(&chars).any(|((index, other), &c)| {
        let (earlier, before) = (neighbour(index.checked_sub(2)), neighbour(index.checked_sub(1)));
        !c.is_ascii() && is_odd([earlier, before], c, neighbour(Some(index + 1)), other)
    })
}

fn is_odd([earlier, before]: [char; 2], c: char, after: char, other: char) -> bool {
    let latin = matches!(c, 'À'..='ɏ');
    if c.is_alphabetic() && !latin {
        // A Greek letter glued to a Latin word or a number.
        return before.is_ascii_alphanumeric() || after.is_ascii_alphanumeric();
    }
    if c.is_uppercase() {
        // A capital inside a word, or alone where the other reading has a sign.
        let alone = !before.is_alphanumeric() && !after.is_alphanumeric();
        return (before.is_lowercase() && earlier.is_alphabetic())
            || (before.is_uppercase() && after.is_lowercase())
            || (alone && !other.is_alphanumeric());
    }
    if c.is_lowercase() {
        return after.is_uppercase()
            || (before.is_uppercase() && !after.is_lowercase() && after.is_alphabetic());
    }
    match c {
        // `n°1` and `40 °C` are right.
        '…' | '–' | '—' | '‘' | '’' | '“' | '”' | '¡' | '¿' | '°' => false,
        // `WALL·E` and `pel·lícula` are right, `kr·le` is not.
        '·' => before.is_lowercase() && after.is_lowercase() && (before, after) != ('l', 'l'),
        '‰' => before.is_alphabetic() && after.is_alphabetic(),
        _ => before.is_alphabetic() || after.is_alphabetic(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MISREAD: [(&str, &str); 8] = [
        ("AstÈrix aux Jeux Olympiques", "Astérix aux Jeux Olympiques"),
        ("De battre mon coeur s'est arrÍtÈ", "De battre mon coeur s'est arrêté"),
        ("Per qualche dollaro in pi˘", "Per qualche dollaro in più"),
        ("Die F‰lscher", "Die Fälscher"),
        ("DÈj‡ Vu", "Déjà Vu"),
        ("Obsluhoval jsem anglickÈho kr·le", "Obsluhoval jsem anglického krále"),
        ("Joyeux NoÎl", "Joyeux Noël"),
        ("La mala educaciÛn", "La mala educación"),
    ];

    /// Odd, but not wrong in themselves.
    const ODD: [(&str, &str); 4] = [
        ("I Love You Ö Don't Touch Me!", "I Love You … Don't Touch Me!"),
        ("The Naked Gun 2Ω: The Smell of Fear", "The Naked Gun 2½: The Smell of Fear"),
        ("LÈon", "Léon"),
        ("La MÙme", "La Môme"),
    ];

    const RIGHT: [&str; 22] = [
        "The Land Girls",
        "Alien³",
        "Ri¢hie Ri¢h",
        "Déjà Vu",
        "Astérix aux Jeux Olympiques",
        "WALL·E",
        "È stata la mano di Dio",
        "Öde",
        "Élève libre",
        "It’s Complicated",
        "Ω",
        "기생충",
        "Amélie… encore",
        "Ça commence aujourd'hui",
        "La pel·lícula",
        "Minus 40 °C",
        "Les 400 coups n°1",
        "Tír na nÓg",
        "„Wir können auch anders …“",
        "Se7en‰",
        "MÖTLEY CRÜE",
        "",
    ];

    #[test]
    fn a_title_that_proves_it_is_mended_in_any_list() {
        for (written, meant) in MISREAD {
            assert_eq!(mend(written, false).as_deref(), Some(meant));
        }
    }

    #[test]
    fn what_is_odd_is_mended_in_a_misread_list_only() {
        for (written, meant) in ODD {
            assert_eq!(mend(written, false), None, "{written}");
            assert_eq!(mend(written, true).as_deref(), Some(meant));
        }
    }

    #[test]
    fn titles_that_may_be_right_stay() {
        for (title, misread) in RIGHT.into_iter().flat_map(|title| [(title, false), (title, true)]) {
            assert_eq!(mend(title, misread), None, "{title} in a list that was misread: {misread}");
        }
    }

    #[test]
    fn a_list_is_misread_if_several_titles_prove_it_and_none_the_opposite() {
        let misread = MISREAD.map(|(written, _)| written);
        assert!(is_misread(misread.into_iter().chain(["1776", "Alien³", "LÈon"])));
        assert!(!is_misread(misread.into_iter().take(2)), "two may be accidents");
        assert!(!is_misread(misread.into_iter().chain(["Amélie"])), "one is right as it is");
        assert!(!is_misread(RIGHT));
    }
}
