//! Titles whose encoding was misread: bytes of Windows-1252 (Latin-1 and a few more) taken for Mac
//! Roman, so that `Astérix` became `AstÈrix` and `I Love You …` became `I Love You Ö`.

use std::borrow::Cow;

use encoding_rs::{MACINTOSH, WINDOWS_1252};

/// The title as it was meant, if it was misread. Nothing if it may well be right as it is: every
/// foreign character must turn into something that stands in titles, at least one must be odd where
/// it stands now, and none may be odd afterwards.
pub(super) fn mend(title: &str) -> Option<String> {
    let (bytes, _, unmappable) = MACINTOSH.encode(title);
    if title.is_ascii() || unmappable {
        return None;
    }
    let Cow::Owned(meant) = WINDOWS_1252.decode_without_bom_handling(&bytes).0 else { return None };
    let usual = meant.chars().filter(|c| !c.is_ascii()).all(stands_in_titles);
    (usual && has_odd(title, &meant) && !has_odd(&meant, title)).then_some(meant)
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
        !c.is_ascii() && is_odd(neighbour(index.checked_sub(1)), c, neighbour(Some(index + 1)), other)
    })
}

fn is_odd(before: char, c: char, after: char, other: char) -> bool {
    let latin = matches!(c, 'À'..='ɏ');
    if c.is_alphabetic() && !latin {
        // A Greek letter glued to a Latin word or a number.
        return before.is_ascii_alphanumeric() || after.is_ascii_alphanumeric();
    }
    if c.is_uppercase() {
        // A capital inside a word, or alone where the other reading has a sign.
        let alone = !before.is_alphanumeric() && !after.is_alphanumeric();
        return before.is_lowercase()
            || (before.is_uppercase() && after.is_lowercase())
            || (alone && !other.is_alphanumeric());
    }
    if c.is_lowercase() {
        return after.is_uppercase()
            || (before.is_uppercase() && !after.is_lowercase() && after.is_alphabetic());
    }
    match c {
        '…' | '–' | '—' | '‘' | '’' | '“' | '”' | '¡' | '¿' => false,
        // `WALL·E` is right, `kr·le` is not.
        '·' => before.is_lowercase() && after.is_lowercase(),
        _ => before.is_alphabetic() || after.is_alphabetic(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misread_titles_are_mended() {
        for (written, meant) in [
            ("AstÈrix aux Jeux Olympiques", "Astérix aux Jeux Olympiques"),
            ("De battre mon coeur s'est arrÍtÈ", "De battre mon coeur s'est arrêté"),
            ("Per qualche dollaro in pi˘", "Per qualche dollaro in più"),
            ("I Love You Ö Don't Touch Me!", "I Love You … Don't Touch Me!"),
            ("The Naked Gun 2Ω: The Smell of Fear", "The Naked Gun 2½: The Smell of Fear"),
            ("Die F‰lscher", "Die Fälscher"),
            ("DÈj‡ Vu", "Déjà Vu"),
            ("Obsluhoval jsem anglickÈho kr·le", "Obsluhoval jsem anglického krále"),
            ("Joyeux NoÎl", "Joyeux Noël"),
            ("La mala educaciÛn", "La mala educación"),
        ] {
            assert_eq!(mend(written).as_deref(), Some(meant));
        }
    }

    #[test]
    fn titles_that_may_be_right_stay() {
        for title in [
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
            "",
        ] {
            assert_eq!(mend(title), None, "{title}");
        }
    }
}
