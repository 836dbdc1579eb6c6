//! Passwords: which are taken, and how they are compared.
//!
//! A password is hashed in NFC, so that it does not matter how a keyboard composes. Accounts from before
//! that have the hash of what was typed; so that is tried, too, composed and decomposed.
//!
//! Refused are those that are guessed first: well-known words with a few digits around them, rows of the
//! keyboard and of the alphabet, repetitions, one's own e-mail address, our name.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization as _;

use super::AccountError;

/// Characters of a password.
const CHARS: std::ops::RangeInclusive<usize> = 8..=128;

/// The longest text that is looked at: the longest password decomposed, each character in four bytes.
const TYPED_BYTES_MAX: usize = *CHARS.end() * 4 * 4;

/// The least weight of a password without runs along a row, or around a word; see [`weight`].
const WEIGHT_MIN: usize = 6;

/// The least weight around the name in one's e-mail address.
const WEIGHT_AROUND_NAME_MIN: usize = 5;

/// As few different characters, and it is guessed however long it is.
const DIFFERENT_CHARS_MIN: usize = 4;

/// The shortest part of an address that is looked for in a password.
const NAME_CHARS_MIN: usize = 3;

/// Rows of the keyboard and of the alphabet.
const ROWS: [&str; 7] = [
    "01234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "azertyuiop",
    "qwertzuiop",
];

/// Words that are guessed first, whatever stands around them; folded as [`folded`] does.
const WORDS: &str = "\
    password passwort passwords passwd passw pass passe passord motdepasse contraseña contrasena contrasenya senha \
    parola heslo haslo wachtwoord salasana losenord jelszo sifre 비밀번호 암호 密码 密碼 パスワード пароль \
    qlalfqjsgh dkagh xptmxm dkssud tkfkd tkfkdgo sarang saranghae woaini aishiteru \
    admin administrator root user guest login logon test testing tester temp default public master secret \
    changeme change letmein welcome welkom bienvenue willkommen trustno access unlock open hello hola hallo \
    qwerty qwertz azerty asdf zxcv qwer qazwsx qazwsxedc qweasd qweasdzxc zaqxsw wsxedc \
    qwaszx adgjmp poiuy lkjhg mnbvc \
    love loveme iloveyou iloveu lovely loveyou teamo jetaime mylove forever family friend friends angel \
    baby babygirl princess prince queen king sunshine flower butterfly rainbow star chocolate cookie cheese \
    summer winter spring autumn fall january february march april may june july august september october \
    november december monday tuesday wednesday thursday friday saturday sunday \
    football soccer baseball basketball hockey tennis golf liverpool chelsea arsenal barcelona realmadrid \
    yankees lakers cowboys eagles steelers \
    monkey dragon tiger lion shadow killer hunter ranger ninja pokemon pikachu starwars batman superman \
    spiderman matrix phoenix thunder silver golden diamond freedom whatever nothing computer internet \
    samsung iphone android google facebook youtube twitter instagram naver kakao daum \
    michael michelle jennifer jessica ashley daniel thomas andrew joshua matthew anthony robert charlie \
    jordan george alexander nicole hannah samantha amanda maggie ginger pepper buster bailey \
    mustang ferrari porsche mercedes harley corvette yamaha \
    onsale ticket tickets ticketing concert cinema movie movies seat seats reservation booking \
    korea seoul london paris berlin newyork america canada australia india china japan";

/// Patterns of the keyboard that are no row.
const PATTERNS: &str = "\
    1q2w3e4r 1q2w3e4r5t 1q2w3e 1qaz2wsx 1qaz2wsx3edc 1qazxsw2 2wsx3edc zaq12wsx zaq1zaq1 q1w2e3r4 q1w2e3r4t5 \
    qwe123qwe 123qweasd qwe123asd abc123abc 1a2b3c4d a1b2c3d4 a1s2d3f4 asd123asd 123abc123 \
    147258369 159357 159753 741852963 963852741 789456123 123654789 18atcskd2w 3rjs1la7qe";

/// A new password as it is hashed, if it is acceptable.
pub(super) fn checked_password(password: &str, email: &str) -> Result<String, AccountError> {
    let invalid = |reason| Err(AccountError::Invalid { field: "password", reason });
    // Counting the characters of megabytes is not needed.
    if password.len() > TYPED_BYTES_MAX {
        return invalid(BOUNDS);
    }
    let password: String = password.nfc().collect();
    if !CHARS.contains(&password.chars().count()) {
        return invalid(BOUNDS);
    }
    match is_guessed_first(&password, email) {
        Some(reason) => invalid(reason),
        None => Ok(password),
    }
}

const BOUNDS: &str = "must have 8 to 128 characters";

/// The ways in which a password that somebody shows may have been hashed.
pub(super) fn ways_to_write(password: &str) -> Vec<String> {
    let mut ways: Vec<String> = Vec::new();
    if password.len() > TYPED_BYTES_MAX {
        return ways;
    }
    for way in [password.nfc().collect::<String>(), password.to_owned(), password.nfd().collect()] {
        let is_bounded = CHARS.contains(&way.chars().count());
        if is_bounded && !ways.contains(&way) {
            ways.push(way);
        }
    }
    ways
}

/// Why a password is one of those that are guessed first, if it is.
fn is_guessed_first(password: &str, email: &str) -> Option<&'static str> {
    let text = folded(password);
    let different: HashSet<char> = text.chars().collect();
    if different.len() < DIFFERENT_CHARS_MIN {
        return Some("repeats a few characters, so it is soon guessed; choose another one");
    }
    let email = folded(email);
    if has_address(&text, &email) {
        return Some("is made of the e-mail address, so it is soon guessed; choose another one");
    }
    let text = once(&text);
    if weight(&text) < WEIGHT_MIN {
        return Some("follows the alphabet or the keyboard, so it is soon guessed; choose another one");
    }
    let is_pattern = PATTERNS.split_whitespace().any(|pattern| pattern == text);
    (is_pattern || has_word(&text))
        .then_some("is one of the passwords that are guessed first; choose another one")
}

/// Full width, other forms and capitals do not make a password another one.
fn folded(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect::<String>().nfkc().collect()
}

fn has_address(text: &str, email: &str) -> bool {
    let name = email.split_once('@').map_or(email, |(name, _)| name);
    let found = name.chars().count() >= NAME_CHARS_MIN
        && text
            .split_once(name)
            .is_some_and(|(before, after)| weight(before) + weight(after) < WEIGHT_AROUND_NAME_MIN);
    text == email || found
}

/// The part that is repeated if the whole text is a repetition; otherwise the text.
fn once(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let period = (1..=chars.len() / 2)
        .find(|period| chars.iter().enumerate().all(|(index, c)| *c == chars[index % period]));
    chars[..period.unwrap_or(chars.len())].iter().collect()
}

/// How much there is to guess: each character is one, a run of three or more is two.
fn weight(text: &str) -> usize {
    let chars: Vec<char> = text.chars().collect();
    let (mut weight, mut index) = (0, 0);
    while index < chars.len() {
        let run = ROWS.iter().map(|row| run_along(row, &chars[index..])).max().unwrap_or(1);
        weight += if run >= 3 { 2 } else { 1 };
        index += if run >= 3 { run } else { 1 };
    }
    weight
}

/// How many characters at the beginning are one character, or go along a row in one direction.
fn run_along(row: &str, chars: &[char]) -> usize {
    let place = |c: &char| row.chars().position(|other| other == *c);
    let steps = |step: isize| {
        let follows = |pair: &&[char]| match step {
            0 => pair[0] == pair[1],
            _ => place(&pair[0]).is_some_and(|at| {
                at.checked_add_signed(step).and_then(|at| row.chars().nth(at)) == Some(pair[1])
            }),
        };
        1 + chars.windows(2).take_while(follows).count()
    };
    steps(0).max(steps(1)).max(steps(-1))
}

/// Whether little stands around one of the words, also with signs that look like its letters.
fn has_word(text: &str) -> bool {
    let is_other = |c: char| !c.is_alphabetic();
    let cores = [
        text,
        text.trim_matches(is_other),
        text.trim_start_matches(is_other),
        text.trim_end_matches(is_other),
    ];
    cores.into_iter().any(|core| {
        let around = text.replacen(core, "", 1);
        let core = once(core);
        weight(&around) < WEIGHT_MIN
            && [like_letters(&core, '1', 'i'), like_letters(&core, '1', 'l'), core]
                .iter()
                .any(|core| WORDS.split_whitespace().any(|word| word == core))
    })
}

/// A text with letters in the place of the signs that look like them.
fn like_letters(text: &str, sign: char, letter: char) -> String {
    let like = |c| match c {
        c if c == sign => letter,
        '@' | '4' => 'a',
        '3' => 'e',
        '!' => 'i',
        '0' => 'o',
        '$' | '5' => 's',
        '7' | '+' => 't',
        c => c,
    };
    text.chars().map(like).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(password: &str) -> bool {
        checked_password(password, "mina@example.com").is_err()
    }

    #[test]
    fn a_password_has_bounds_in_characters_however_it_is_typed() {
        let hangul = "새벽바다고양이춤";
        assert_eq!(checked_password(hangul, "").unwrap(), hangul);
        assert_eq!(checked_password(&hangul.nfd().to_string(), "").unwrap(), hangul);
        let long: String = (0..128).map(|index| char::from_u32(0xac00 + index * 31).unwrap()).collect();
        assert_eq!(checked_password(&long.nfd().to_string(), "").unwrap(), long);
        for bad in ["", "x7%kq2p", &format!("{long}x"), &"ㅎㅏㄴ".repeat(50), &"aB3$".repeat(300_000)] {
            assert!(checked_password(bad, "").is_err(), "{} bytes", bad.len());
        }
    }

    #[test]
    fn all_ways_to_type_a_password_are_tried_once() {
        assert_eq!(ways_to_write("correct horse"), ["correct horse"]);
        let (composed, decomposed) = ("crème brûlée", "crème brûlée".nfd().to_string());
        assert_eq!(ways_to_write(composed), [composed, &decomposed]);
        assert_eq!(ways_to_write(&decomposed), [composed, &decomposed]);
        // Neither NFC nor NFD.
        let mixed = format!("{composed}{decomposed}");
        assert_eq!(ways_to_write(&mixed).len(), 3);
        assert_eq!(ways_to_write("short"), [] as [&str; 0]);
        assert_eq!(ways_to_write(&"x".repeat(1_000_000)), [] as [&str; 0]);
        // Six characters, nine as they were typed before that was settled.
        assert_eq!(ways_to_write("e\u{301}e\u{301}e\u{301}abc"), ["e\u{301}e\u{301}e\u{301}abc"]);
    }

    #[test]
    fn passwords_that_are_guessed_first_are_refused() {
        for common in [
            "password",
            "Password",
            "PASSWORD1",
            "password123",
            "P@ssw0rd",
            "P@$$w0rd!",
            "passw0rd2024",
            "ｐａｓｓｗｏｒｄ",
            "passwordpassword",
            "12password34",
            "password12345678",
            "password!!!!!",
            "12345678",
            "123456789",
            "0987654321",
            "11111111",
            "aaaaaaaaaaaa",
            "abababab",
            "aabbccaa",
            "12341234",
            "abcabcabc",
            "19871987",
            "abcdefgh",
            "qwertyuiop",
            "asdfghjkl",
            "zxcvbnm123",
            "qwerty12",
            "Qwer1234",
            "1234qwer",
            "abcd1234!",
            "aaaa1234",
            "1q2w3e4r",
            "1qaz2wsx",
            "qazwsxedc",
            "iloveyou",
            "iloveyou2",
            "letmein1",
            "welcome1",
            "Welcome123!",
            "admin123",
            "@dmin123",
            "administrator",
            "summer2024",
            "Winter2026!",
            "monkey12",
            "onsale2026",
            "OnSale!!",
            "tickets1",
            "비밀번호1234",
            "비밀번호비밀번호",
            "dkssud12",
            "saranghae",
            "contraseña1",
            "trustno1",
            "mina1234",
            "minamina",
            "mina@example.com",
            "1234mina!",
            "Mina2026",
        ] {
            assert!(refused(common), "{common}");
        }
        for good in [
            "correct horse",
            "wrong horse",
            "another horse",
            "correct horse battery",
            "mina likes tea",
            "demo-organiser",
            "demo-admin",
            "demo-buyer",
            "examination",
            "x7%kq2pL",
            "tr0ub4dor&3",
            "passionfruit tree",
            "20 red balloons",
            "새벽바다고양이춤",
            "ppqqrrssttuuvv1",
        ] {
            assert!(!refused(good), "{good}");
        }
        assert!(checked_password("organiser77", "organiser@demo.example").is_err());
        assert!(checked_password("demo-organiser", "organiser@demo.example").is_ok());
        assert!(checked_password("al lives here", "al@example.com").is_ok());
    }
}
