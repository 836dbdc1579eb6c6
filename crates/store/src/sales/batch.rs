//! The batches in which rows travel to the database: whatever their number, a statement's text
//! stays the same. Encoded by hand, because it is done for every row of a rush.

use std::fmt::{Display, Write};

use sea_orm::{Value, sea_query::ArrayType};
use uuid::Uuid;

/// How a dialect takes a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// One parameter: a JSON text.
    Json,
    /// One parameter for each column: an array. Its members cannot be null: instead of null stands
    /// [`NO_INTEGER`], the nil UUID or the empty text.
    Arrays,
}

/// Stands for null in an array of integers.
const NO_INTEGER: i64 = i64::MIN;

/// Rows, or values, encoded.
pub(crate) struct Batch {
    /// A parameter that comes before the batch.
    before: Option<i64>,
    encoded: Encoded,
}

impl From<Encoded> for Batch {
    fn from(encoded: Encoded) -> Self {
        Self { before: None, encoded }
    }
}

enum Encoded {
    Json(String),
    Arrays(Vec<Column>),
}

enum Column {
    Integers(Vec<i64>),
    Numbers(Vec<f64>),
    Uuids(Vec<Uuid>),
    Texts(Vec<String>),
}

impl Batch {
    /// Rows, each written by `row`. JSON: `[[value, ...], ...]`.
    pub(crate) fn rows<T>(
        encoding: Encoding,
        rows: impl IntoIterator<Item = T>,
        row: impl Fn(&mut Row<'_>, T),
    ) -> Self {
        match encoding {
            Encoding::Json => Self::json(rows, |text, item| {
                text.push('[');
                row(&mut Row(Target::Json { text, first: true }), item);
                text.push(']');
            }),
            Encoding::Arrays => {
                let mut columns = Vec::new();
                for item in rows {
                    row(&mut Row(Target::Arrays { columns: &mut columns, next: 0 }), item);
                }
                Encoded::Arrays(columns).into()
            }
        }
    }

    /// An integer that all rows have in common, and rows. A parameter of its own, and the rows.
    pub(crate) fn integer_and_rows<T>(
        encoding: Encoding,
        first: i64,
        rows: impl IntoIterator<Item = T>,
        row: impl Fn(&mut Row<'_>, T),
    ) -> Self {
        Self { before: Some(first), ..Self::rows(encoding, rows, row) }
    }

    /// Integers. JSON: `[integer, ...]`.
    pub(crate) fn integers(encoding: Encoding, values: impl IntoIterator<Item = i64>) -> Self {
        match encoding {
            Encoding::Json => Self::json(values, push),
            Encoding::Arrays => Encoded::Arrays(vec![Column::Integers(values.into_iter().collect())]).into(),
        }
    }

    /// UUIDs. JSON: `["hex", ...]`.
    pub(crate) fn uuids(encoding: Encoding, values: impl IntoIterator<Item = Uuid>) -> Self {
        match encoding {
            Encoding::Json => Self::json(values, push_uuid),
            Encoding::Arrays => Encoded::Arrays(vec![Column::Uuids(values.into_iter().collect())]).into(),
        }
    }

    /// Texts. JSON: `["text", ...]`.
    pub(crate) fn texts<'a>(encoding: Encoding, values: impl IntoIterator<Item = &'a str>) -> Self {
        match encoding {
            Encoding::Json => Self::json(values, push_text),
            Encoding::Arrays => {
                Encoded::Arrays(vec![Column::Texts(values.into_iter().map(str::to_owned).collect())]).into()
            }
        }
    }

    /// An integer, and then integers. A parameter of its own and `[integer, ...]`.
    pub(crate) fn integer_and_integers(
        encoding: Encoding,
        first: i64,
        values: impl IntoIterator<Item = i64>,
    ) -> Self {
        let Self { before, encoded } = Self::integers(encoding, values);
        debug_assert!(before.is_none());
        Self { before: Some(first), encoded }
    }

    /// Pairs of a UUID and an integer. JSON: `["hex, then integer", ...]`.
    pub(crate) fn keys(encoding: Encoding, values: impl IntoIterator<Item = (Uuid, i64)>) -> Self {
        match encoding {
            Encoding::Json => Self::json(values, |text, (uuid, integer)| {
                text.push('"');
                text.push_str(uuid.simple().encode_lower(&mut Uuid::encode_buffer()));
                push(text, integer);
                text.push('"');
            }),
            Encoding::Arrays => Self::rows(encoding, values, |row, (uuid, integer)| {
                row.uuid(uuid);
                row.integer(integer);
            }),
        }
    }

    /// Pairs of (group, member), sorted by group. JSON: `[[group, [member, ...]], ...]`.
    pub(crate) fn groups(encoding: Encoding, pairs: impl IntoIterator<Item = (i64, i64)>) -> Self {
        match encoding {
            Encoding::Json => Encoded::Json(grouped(pairs)).into(),
            Encoding::Arrays => Self::rows(encoding, pairs, |row, (group, member)| {
                row.integer(group);
                row.integer(member);
            }),
        }
    }

    fn json<T>(items: impl IntoIterator<Item = T>, item: impl Fn(&mut String, T)) -> Self {
        let mut text = String::with_capacity(4_096);
        push_array(&mut text, items, item);
        Encoded::Json(text).into()
    }

    /// About how many bytes it takes on the way to the database.
    pub(crate) fn bytes(&self) -> usize {
        match &self.encoded {
            Encoded::Json(text) => text.len(),
            Encoded::Arrays(columns) => columns.iter().map(Column::bytes).sum(),
        }
    }

    /// The parameters.
    pub(crate) fn into_values(self) -> Vec<Value> {
        let before = self.before.map(Value::from).into_iter();
        match self.encoded {
            Encoded::Json(text) => before.chain([text.into()]).collect(),
            Encoded::Arrays(columns) => before.chain(columns.into_iter().map(Value::from)).collect(),
        }
    }
}

impl Column {
    fn bytes(&self) -> usize {
        const LENGTH: usize = 4;
        match self {
            Self::Integers(values) => values.len() * (LENGTH + 8),
            Self::Numbers(values) => values.len() * (LENGTH + 8),
            Self::Uuids(values) => values.len() * (LENGTH + 16),
            Self::Texts(values) => values.iter().map(|text| LENGTH + text.len()).sum(),
        }
    }
}

impl From<Column> for Value {
    fn from(column: Column) -> Self {
        fn array<T: Into<Value>>(of: ArrayType, values: Vec<T>) -> Value {
            Value::Array(of, Some(Box::new(values.into_iter().map(Into::into).collect())))
        }
        match column {
            Column::Integers(values) => array(ArrayType::BigInt, values),
            Column::Numbers(values) => array(ArrayType::Double, values),
            Column::Uuids(values) => array(ArrayType::Uuid, values),
            Column::Texts(values) => array(ArrayType::String, values),
        }
    }
}

/// One row of a batch; its values are given in the order of the columns.
pub(crate) struct Row<'a>(Target<'a>);

enum Target<'a> {
    Json { text: &'a mut String, first: bool },
    Arrays { columns: &'a mut Vec<Column>, next: usize },
}

/// Adds a value to the next column of arrays, which the first row makes.
macro_rules! add {
    ($columns:expr, $next:expr, $kind:ident, $value:expr) => {{
        if $columns.len() == *$next {
            $columns.push(Column::$kind(Vec::new()));
        }
        match &mut $columns[*$next] {
            Column::$kind(values) => values.push($value),
            _ => unreachable!("a column has values of one type"),
        }
        *$next += 1;
    }};
}

impl Row<'_> {
    pub(crate) fn integer(&mut self, value: i64) {
        match &mut self.0 {
            Target::Json { text, first } => push(next(text, first), value),
            Target::Arrays { columns, next } => add!(columns, next, Integers, value),
        }
    }

    pub(crate) fn optional_integer(&mut self, value: Option<i64>) {
        match (value, &mut self.0) {
            (None, Target::Json { text, first }) => next(text, first).push_str("null"),
            (value, _) => self.integer(value.unwrap_or(NO_INTEGER)),
        }
    }

    pub(crate) fn uuid(&mut self, value: Uuid) {
        match &mut self.0 {
            Target::Json { text, first } => push_uuid(next(text, first), value),
            Target::Arrays { columns, next } => add!(columns, next, Uuids, value),
        }
    }

    pub(crate) fn optional_uuid(&mut self, value: Option<Uuid>) {
        match (value, &mut self.0) {
            (None, Target::Json { text, first }) => next(text, first).push_str("null"),
            (value, _) => self.uuid(value.unwrap_or_default()),
        }
    }

    /// A text that may hold anything.
    pub(crate) fn text(&mut self, value: &str) {
        match &mut self.0 {
            Target::Json { text, first } => push_text(next(text, first), value),
            Target::Arrays { columns, next } => add!(columns, next, Texts, value.to_owned()),
        }
    }

    /// A text, or none; in an array the empty text is none.
    pub(crate) fn optional_text(&mut self, value: Option<&str>) {
        match (value, &mut self.0) {
            (None, Target::Json { text, first }) => next(text, first).push_str("null"),
            (value, _) => self.text(value.unwrap_or_default()),
        }
    }

    /// A number that JSON knows: finite.
    pub(crate) fn number(&mut self, value: f64) {
        match &mut self.0 {
            Target::Json { text, first } => push(next(text, first), value),
            Target::Arrays { columns, next } => add!(columns, next, Numbers, value),
        }
    }

    /// A value that is JSON itself, written by `json`.
    pub(crate) fn json(&mut self, json: impl FnOnce(&mut String)) {
        match &mut self.0 {
            Target::Json { text, first } => json(next(text, first)),
            Target::Arrays { columns, next } => {
                let mut text = String::new();
                json(&mut text);
                add!(columns, next, Texts, text);
            }
        }
    }
}

/// The text, ready for the row's next value.
fn next<'a>(text: &'a mut String, first: &mut bool) -> &'a mut String {
    if !*first {
        text.push(',');
    }
    *first = false;
    text
}

fn grouped(pairs: impl IntoIterator<Item = (i64, i64)>) -> String {
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
    text
}

/// Appends an array, each member written by `item`.
pub(super) fn push_array<T>(
    text: &mut String,
    items: impl IntoIterator<Item = T>,
    item: impl Fn(&mut String, T),
) {
    text.push('[');
    for (index, value) in items.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        item(text, value);
    }
    text.push(']');
}

/// Appends a number.
pub(crate) fn push(text: &mut String, value: impl Display) {
    write!(text, "{value}").expect("a String takes any text");
}

/// Appends a UUID as 32 hex digits in quotes.
fn push_uuid(text: &mut String, value: Uuid) {
    text.push('"');
    text.push_str(value.simple().encode_lower(&mut Uuid::encode_buffer()));
    text.push('"');
}

/// Appends a text in quotes.
fn push_text(text: &mut String, value: &str) {
    text.push_str(&serde_json::Value::from(value).to_string());
}
