//! Settings that nobody may read who reads what the program says. A secret is let out by `expose` alone:
//! it is hidden where it is printed, logged, shown for debugging and written as TOML.

use std::{fmt, ops::Deref};

use onsale_engine::secret::{HIDDEN, without_secrets};
use serde::{Deserialize, Serialize, Serializer};

/// An address that may have a password in it, of which the rest may be seen.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct SecretUrl(String);

/// A text of which nothing may be seen.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct SecretText(String);

/// `key=value`, of which the key may be seen.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct SecretProperty(String);

impl SecretUrl {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn shown(&self) -> String {
        without_secrets(&self.0)
    }
}

impl SecretText {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn shown(&self) -> String {
        if self.0.is_empty() { String::new() } else { HIDDEN.to_owned() }
    }
}

impl SecretProperty {
    fn shown(&self) -> String {
        match self.0.split_once('=') {
            Some((key, _)) => format!("{key}={HIDDEN}"),
            None => HIDDEN.to_owned(),
        }
    }
}

macro_rules! secret {
    ($($name:ident),*) => {$(
        impl $name {
            /// The secret itself, for whoever it is meant for.
            pub(crate) fn expose(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.shown())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.shown())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.shown())
            }
        }
    )*};
}

secret!(SecretUrl, SecretText, SecretProperty);

/// Addresses of the same kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SecretUrls(Vec<SecretUrl>);

impl SecretUrls {
    /// The secrets themselves.
    pub(crate) fn expose(&self) -> Vec<String> {
        self.0.iter().map(|url| url.expose().to_owned()).collect()
    }
}

impl Deref for SecretUrls {
    type Target = [SecretUrl];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl FromIterator<SecretUrl> for SecretUrls {
    fn from_iter<I: IntoIterator<Item = SecretUrl>>(urls: I) -> Self {
        Self(urls.into_iter().collect())
    }
}

/// The fault of a file or a value in TOML, without the line in question, which may hold a secret: where
/// it is, and what is the matter.
pub(super) fn toml_error(error: &toml::de::Error, text: &str) -> String {
    let place = error.span().map(|span| {
        let before = &text[..span.start.min(text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("line {line}, column {column}: ")
    });
    format!("{}{}", place.unwrap_or_default(), without_values(error.message()))
}

/// A message of the reader of TOML without the text that was there instead of what should have been.
fn without_values(message: &str) -> String {
    for kind in ["invalid type: string \"", "invalid value: string \""] {
        if let Some(rest) = message.strip_prefix(kind)
            && let Some(end) = rest.rfind("\", expected")
        {
            return format!("{kind}...{}", &rest[end..]);
        }
    }
    message.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_however_they_are_shown() {
        let url = SecretUrl::from("speaks://ann:hunter2@db/x");
        let text = SecretText::from("hunter2");
        let property = SecretProperty::from("sasl.password=hunter2=");
        let bare = SecretProperty::from("hunter2");
        let urls = SecretUrls::from_iter([url.clone()]);
        let shown = format!("{url} {url:?} {text} {text:?} {property} {property:?} {bare} {bare:?} {urls:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("speaks://ann:(hidden)@db/x") && shown.contains("sasl.password=(hidden)"));
        assert_eq!(url.expose(), "speaks://ann:hunter2@db/x");
        assert_eq!(SecretText::default().to_string(), "");
    }
}
