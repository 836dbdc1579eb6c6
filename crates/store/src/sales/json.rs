//! Writes the JSON texts in which batches travel. By hand, because it is done for every row of
//! a rush, straight into one text.

use std::fmt::{Display, Write};

use sea_orm::Value;
use uuid::Uuid;

/// A JSON text that grows row by row.
pub(crate) struct Json {
    text: String,
}

impl Json {
    /// An array of rows, each written by `row`.
    pub(crate) fn rows<T>(rows: impl IntoIterator<Item = T>, row: impl Fn(&mut Row<'_>, T)) -> Self {
        Self::list(rows, |text, item| {
            text.push('[');
            row(&mut Row { text, first: true }, item);
            text.push(']');
        })
    }

    /// An array of integers.
    pub(crate) fn integers(values: impl IntoIterator<Item = i64>) -> Self {
        Self::list(values, push)
    }

    /// An array of UUIDs in hex.
    pub(crate) fn uuids(values: impl IntoIterator<Item = Uuid>) -> Self {
        Self::list(values, push_uuid)
    }

    /// An array of texts.
    pub(crate) fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        Self::list(values, push_text)
    }

    /// An array whose items are written by `item`.
    pub(crate) fn list<T>(items: impl IntoIterator<Item = T>, item: impl Fn(&mut String, T)) -> Self {
        let mut text = String::with_capacity(4_096);
        text.push('[');
        for (index, value) in items.into_iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            item(&mut text, value);
        }
        text.push(']');
        Self { text }
    }

    /// An array of groups, each `[group, [member, ...]]`: `pairs` of (group, member), sorted by group.
    pub(crate) fn groups(pairs: impl IntoIterator<Item = (i64, i64)>) -> Self {
        let mut text = String::with_capacity(4_096);
        let mut group = None;
        for (next, member) in pairs {
            if group == Some(next) {
                text.push(',');
            } else {
                text.push_str(if group.is_none() { "[[" } else { "]],[" });
                push(&mut text, next);
                text.push_str(",[");
                group = Some(next);
            }
            push(&mut text, member);
        }
        text.push_str(if group.is_none() { "[]" } else { "]]]" });
        Self { text }
    }
}

impl From<Json> for Value {
    fn from(json: Json) -> Self {
        json.text.into()
    }
}

/// One row of an array of rows.
pub(crate) struct Row<'a> {
    text: &'a mut String,
    first: bool,
}

impl Row<'_> {
    pub(crate) fn integer(&mut self, value: i64) {
        push(self.next(), value);
    }

    pub(crate) fn optional_integer(&mut self, value: Option<i64>) {
        match value {
            Some(value) => self.integer(value),
            None => self.raw("null"),
        }
    }

    pub(crate) fn uuid(&mut self, value: Uuid) {
        push_uuid(self.next(), value);
    }

    pub(crate) fn optional_uuid(&mut self, value: Option<Uuid>) {
        match value {
            Some(value) => self.uuid(value),
            None => self.raw("null"),
        }
    }

    /// A text that may hold anything.
    pub(crate) fn text(&mut self, value: &str) {
        push_text(self.next(), value);
    }

    pub(crate) fn optional_text(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.raw("null"),
        }
    }

    /// A number that JSON knows: finite. Others become null.
    pub(crate) fn number(&mut self, value: f64) {
        if value.is_finite() {
            push(self.next(), value);
        } else {
            self.raw("null");
        }
    }

    /// A text that is JSON already.
    pub(crate) fn raw(&mut self, json: &str) {
        self.next().push_str(json);
    }

    /// The text, ready for the row's next value.
    pub(crate) fn next(&mut self) -> &mut String {
        if !self.first {
            self.text.push(',');
        }
        self.first = false;
        self.text
    }
}

/// Appends a number.
pub(crate) fn push(text: &mut String, value: impl Display) {
    write!(text, "{value}").expect("a String takes any text");
}

/// Appends a UUID as 32 hex digits in quotes.
pub(crate) fn push_uuid(text: &mut String, value: Uuid) {
    text.push('"');
    text.push_str(value.simple().encode_lower(&mut Uuid::encode_buffer()));
    text.push('"');
}

/// Appends a text in quotes.
pub(crate) fn push_text(text: &mut String, value: &str) {
    text.push_str(&serde_json::Value::from(value).to_string());
}
