//! E-mail addresses: which are taken, how they are kept and compared, and how they travel.
//!
//! An address is kept as people write it, in one of its spellings: NFC, in small letters, the host in
//! Unicode. So `Kim@BÜCHER.example`, `kim@bücher.example` and `kim@xn--bcher-kva.example` are one.

use idna::domain_to_unicode;
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

use super::AccountError;
use crate::ports::{Store, StoreError, User};

/// The longest address, as SMTP has it, on its way and as it is kept.
const BYTES_MAX: usize = 254;

/// The longest part before the @, as SMTP has it.
const NAME_BYTES_MAX: usize = 64;

/// Signs that may stand before the @ beside letters and digits (RFC 5322, `atext`, and dots between).
const NAME_SIGNS: &str = "!#$%&'*+-/=?^_`{|}~.";

/// An address as it is kept. Whether it exists only a message could tell.
pub(super) fn checked_email(email: &str) -> Result<String, AccountError> {
    checked(email).map_err(|reason| AccountError::Invalid { field: "email", reason })
}

fn checked(email: &str) -> Result<String, &'static str> {
    // Folding what is megabytes long is not needed to see that.
    if email.len() > 4 * BYTES_MAX {
        return Err(TOO_LONG);
    }
    if email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("must not contain blanks or control characters");
    }
    let email = folded(email);
    let (name, host) = match email.split_once('@') {
        Some((name, host)) if !name.is_empty() && !host.is_empty() && !host.contains('@') => (name, host),
        _ => return Err("must have one @ with something on both sides"),
    };
    if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return Err("must not have a dot first, last, or next to another one before the @");
    }
    if !name.chars().all(may_be_in_name) {
        return Err("has a character before the @ that e-mail addresses do not have");
    }
    let ascii = ascii_host(host).ok_or("must have the name of a host after the @, such as example.com")?;
    let (host, _) = domain_to_unicode(&ascii);
    let longest = name.len() + 1 + host.len().max(ascii.len());
    if name.len() > NAME_BYTES_MAX || longest > BYTES_MAX {
        return Err(TOO_LONG);
    }
    Ok(format!("{name}@{host}"))
}

const TOO_LONG: &str = "must not be longer than 254 bytes, of which 64 before the @";

fn may_be_in_name(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c) || NAME_SIGNS.contains(c)
}

/// A host's name as it travels, if it can be that of a host that takes e-mail.
fn ascii_host(host: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii_strict(host).ok()?;
    let (_, last) = ascii.rsplit_once('.').or_else(|| (ascii == "localhost").then_some(("", "localhost")))?;
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    (!is_number).then_some(ascii)
}

/// A text in the spelling in which addresses are compared: NFC, in small letters.
pub(super) fn folded(text: &str) -> String {
    // By characters: the small letter of a sigma does not depend on where it stands.
    let small = text.nfc().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c });
    small.nfc().collect()
}

/// An address that is kept as it travels: the host in ASCII (RFC 5891). What is none stays as it is.
#[must_use]
pub fn on_the_way(email: &str) -> String {
    let ascii = email.rsplit_once('@').and_then(|(name, host)| Some((name, ascii_host(host)?)));
    ascii.map_or_else(|| email.to_owned(), |(name, host)| format!("{name}@{host}"))
}

/// The person with an address, in whatever spelling. Addresses from before today's rules are found as
/// they were written.
pub(crate) async fn user_by_email(store: &dyn Store, email: &str) -> Result<Option<User>, StoreError> {
    let kept = checked(email).ok();
    if let Some(kept) = &kept
        && let Some(user) = store.user_by_email(kept).await?
    {
        return Ok(Some(user));
    }
    let before = email.to_lowercase();
    if kept.as_ref() == Some(&before) || before.len() > 4 * BYTES_MAX || before.contains('\0') {
        return Ok(None);
    }
    store.user_by_email(&before).await
}

/// The same text for all spellings of an address, and for what is none.
pub(super) fn name_of(email: &str) -> String {
    let email = email.trim();
    checked(email).unwrap_or_else(|_| email.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_an_address_are_one() {
        assert_eq!(checked("Kim@Example.COM").unwrap(), "kim@example.com");
        for spelling in [
            "kim@bücher.example",
            "KIM@BÜCHER.example",
            "kim@xn--bcher-kva.example",
            "kim@bu\u{308}cher。example",
        ] {
            assert_eq!(checked(spelling).unwrap(), "kim@bücher.example", "{spelling}");
        }
        assert_eq!(
            checked("김민준@예시.한국").unwrap(),
            checked(&"김민준@예시.한국".nfd().to_string()).unwrap()
        );
        assert_eq!(checked("ΟΔΥΣΣΕΥΣ@example.com").unwrap(), checked("οδυσσευς@example.com").unwrap());
        assert_eq!(checked("kim+sale@mail.example.com").unwrap(), "kim+sale@mail.example.com");
        assert_eq!(checked("o'hara@localhost").unwrap(), "o'hara@localhost");
    }

    #[test]
    fn what_no_mail_goes_to_is_refused() {
        let long_name = format!("{}@example.com", "a".repeat(65));
        let long_host = format!("kim@{}.com", vec!["a".repeat(50); 5].join("."));
        let long_label = format!("kim@{}.com", "a".repeat(64));
        // Two bytes become three.
        let grows = format!("{}@example.com", "Ⱥ".repeat(32));
        for bad in [
            "",
            "kim",
            "@",
            "kim@",
            "@example.com",
            "a@b@example.com",
            "kim lee@example.com",
            "kim@example.com\n",
            "kim@\u{7f}example.com",
            "kim\u{0}@example.com",
            "kim@example,com",
            "kim,lee@example.com",
            "a..b@example.com",
            ".a@example.com",
            "a.@example.com",
            "kim@example..com",
            "kim@.example.com",
            "kim@-example.com",
            "kim@example-.com",
            "kim@exa_mple.com",
            "kim@example",
            "kim@127.0.0.1",
            "kim@[127.0.0.1]",
            "kim@example.com;lee@example.com",
            "<kim@example.com>",
            "\"kim lee\"@example.com",
            "kim(x)@example.com",
            "kim\\@example.com",
            "kim@xn--a.example",
            "ki\u{200b}m@example.com",
            "\u{202e}kim@example.com",
            &long_name,
            &long_host,
            &long_label,
            &grows,
            &"a".repeat(1_000_000),
        ] {
            assert!(checked(bad).is_err(), "{bad}");
        }
        assert!(checked(&format!("{}@example.com", "Ⱥ".repeat(21))).is_ok());
    }

    #[test]
    fn a_host_travels_in_ascii() {
        assert_eq!(on_the_way("kim@bücher.example"), "kim@xn--bcher-kva.example");
        assert_eq!(on_the_way("kim@예시.한국"), "kim@xn--vv4b11d.xn--3e0b707e");
        for same in ["kim@example.com", "kim", "", "kim@x", "a..b@example.com"] {
            assert_eq!(on_the_way(same), same);
        }
    }
}
