//! The batches in which rows travel to the database. Encoded by hand, because it is done for every
//! row of a rush.

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
    /// No parameter: the rows' values as they stand in an `INSERT ... VALUES`.
    Literals,
}

/// What stands around a row among literals takes no more, in bytes.
const AROUND_ROW: usize = 10;

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

/// One column, which is there also if it is empty.
impl From<Column> for Batch {
    fn from(column: Column) -> Self {
        Encoded::Arrays(vec![column]).into()
    }
}

enum Encoded {
    Json(String),
    Arrays(Vec<Column>),
    /// The rows one after the other, and where each ends.
    Literals(String, Vec<usize>),
}

/// A parameter of a statement.
#[derive(PartialEq)]
pub(crate) enum Parameter {
    Integer(i64),
    Text(String),
    Column(Column),
}

/// A parameter that is an array.
#[derive(PartialEq)]
pub(crate) enum Column {
    Integers(Vec<i64>),
    Numbers(Vec<f64>),
    Uuids(Vec<Uuid>),
    Texts(Vec<String>),
}

impl Batch {
    /// Rows, each written by `row`. JSON: `[[value, ...], ...]`. There must be some where they travel as arrays:
    /// without rows nobody knows how many columns there are.
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
            Encoding::Literals => {
                let (mut text, mut ends) = (String::with_capacity(4_096), Vec::new());
                for item in rows {
                    row(&mut Row(Target::Literals { text: &mut text, first: true }), item);
                    ends.push(text.len());
                }
                Encoded::Literals(text, ends).into()
            }
        }
    }

    /// An integer that all rows have in common, and rows. A parameter of its own, and the rows; among
    /// literals it is each row's first.
    pub(crate) fn integer_and_rows<T>(
        encoding: Encoding,
        first: i64,
        rows: impl IntoIterator<Item = T>,
        row: impl Fn(&mut Row<'_>, T),
    ) -> Self {
        match encoding {
            Encoding::Json | Encoding::Arrays => {
                Self { before: Some(first), ..Self::rows(encoding, rows, row) }
            }
            Encoding::Literals => Self::rows(encoding, rows, |to, item| {
                to.integer(first);
                row(to, item);
            }),
        }
    }

    /// Integers. JSON: `[integer, ...]`.
    pub(crate) fn integers(encoding: Encoding, values: impl IntoIterator<Item = i64>) -> Self {
        match encoding {
            Encoding::Json => Self::json(values, push),
            Encoding::Arrays => Column::Integers(values.into_iter().collect()).into(),
            Encoding::Literals => Self::rows(encoding, values, |row, value| row.integer(value)),
        }
    }

    /// UUIDs. JSON: `["hex", ...]`.
    pub(crate) fn uuids(encoding: Encoding, values: impl IntoIterator<Item = Uuid>) -> Self {
        match encoding {
            Encoding::Json => Self::json(values, push_uuid),
            Encoding::Arrays => Column::Uuids(values.into_iter().collect()).into(),
            Encoding::Literals => Self::rows(encoding, values, |row, value| row.uuid(value)),
        }
    }

    /// Texts. JSON: `["text", ...]`.
    pub(crate) fn texts<'a>(encoding: Encoding, values: impl IntoIterator<Item = &'a str>) -> Self {
        match encoding {
            Encoding::Json => Self::json(values, push_text),
            Encoding::Arrays => Column::Texts(values.into_iter().map(str::to_owned).collect()).into(),
            Encoding::Literals => Self::rows(encoding, values, |row, value| row.text(value)),
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
            _ => Self::rows(encoding, values, |row, (uuid, integer)| {
                row.uuid(uuid);
                row.integer(integer);
            }),
        }
    }

    /// Pairs of (group, member), sorted by group. JSON: `[[group, [member, ...]], ...]`.
    pub(crate) fn groups(encoding: Encoding, pairs: impl IntoIterator<Item = (i64, i64)>) -> Self {
        match encoding {
            Encoding::Json => Encoded::Json(grouped(pairs)).into(),
            _ => Self::rows(encoding, pairs, |row, (group, member)| {
                row.integer(group);
                row.integer(member);
            }),
        }
    }

    /// In arrays, has what is the same in all rows travel once: a shorter array's only member is every row's.
    /// For statements that take it so, and rows of which no two are the same.
    pub(crate) fn repeating_nothing(mut self) -> Self {
        if let Encoded::Arrays(columns) = &mut self.encoded {
            columns.iter_mut().for_each(Column::once_if_equal);
        }
        self
    }

    fn json<T>(items: impl IntoIterator<Item = T>, item: impl Fn(&mut String, T)) -> Self {
        let mut text = String::with_capacity(4_096);
        push_array(&mut text, items, item);
        Encoded::Json(text).into()
    }

    /// About how many bytes it takes on the way to the database, and rather too many.
    pub(crate) fn bytes(&self) -> usize {
        match &self.encoded {
            Encoded::Json(text) => text.len(),
            Encoded::Arrays(columns) => columns.iter().map(Column::bytes).sum(),
            Encoded::Literals(text, ends) => text.len() + ends.len() * AROUND_ROW,
        }
    }

    /// In pieces of at most so many bytes, or of one row. A JSON text stays whole.
    pub(crate) fn pieces(self, bytes_max: usize) -> Vec<Self> {
        let bytes = self.bytes();
        if bytes <= bytes_max {
            return vec![self];
        }
        let (pieces, before) = (bytes.div_ceil(bytes_max), self.before);
        let pieces = match self.encoded {
            json @ Encoded::Json(_) => vec![json],
            Encoded::Arrays(columns) => pieces_of_arrays(&columns, pieces),
            Encoded::Literals(text, ends) => pieces_of_literals(&text, &ends, pieces),
        };
        pieces.into_iter().map(|encoded| Self { before, encoded }).collect()
    }

    /// How many parameters it is.
    pub(crate) fn parameters(&self) -> usize {
        let encoded = match &self.encoded {
            Encoded::Json(_) => 1,
            Encoded::Arrays(columns) => columns.len(),
            Encoded::Literals(..) => 0,
        };
        usize::from(self.before.is_some()) + encoded
    }

    /// The parameters.
    pub(crate) fn into_parameters(self) -> Vec<Parameter> {
        let before = self.before.map(Parameter::Integer).into_iter();
        match self.encoded {
            Encoded::Json(text) => before.chain([Parameter::Text(text)]).collect(),
            Encoded::Arrays(columns) => before.chain(columns.into_iter().map(Parameter::Column)).collect(),
            Encoded::Literals(..) => unreachable!("a statement with literals has no parameters"),
        }
    }

    /// The parameters, for [`sea_orm`].
    pub(crate) fn into_values(self) -> Vec<Value> {
        self.into_parameters().into_iter().map(Value::from).collect()
    }

    /// The statement with the batch in it: in place of each `?` a parameter, or, of a batch of literals, in
    /// place of the one group with a `?` a group for each row.
    pub(crate) fn written_into(&self, sql: &str, text: &mut String) {
        match &self.encoded {
            Encoded::Literals(rows, ends) => push_groups(text, sql, rows, ends),
            Encoded::Json(json) => {
                let mut parts = sql.split('?');
                text.push_str(parts.next().unwrap_or_default());
                if let (Some(before), Some(part)) = (self.before, self.before.and_then(|_| parts.next())) {
                    push(text, before);
                    text.push_str(part);
                }
                if let Some(part) = parts.next() {
                    push_literal(text, json);
                    text.push_str(part);
                }
                debug_assert!(parts.next().is_none(), "a parameter is missing: {sql}");
            }
            Encoded::Arrays(_) => unreachable!("arrays are parameters"),
        }
    }
}

/// About as many pieces, of the same number of rows.
fn pieces_of_arrays(columns: &[Column], pieces: usize) -> Vec<Encoded> {
    let rows = columns.iter().map(Column::len).max().unwrap_or_default();
    let step = rows.div_ceil(pieces).max(1);
    let piece = |start: usize| {
        let part = |column: &Column| match column.len() {
            length if length == rows => column.slice(start, rows.min(start + step)),
            // What is the same in all rows is so in each piece.
            length => column.slice(0, length),
        };
        Encoded::Arrays(columns.iter().map(part).collect())
    };
    (0..rows).step_by(step).map(piece).collect()
}

/// The same of literals.
fn pieces_of_literals(text: &str, ends: &[usize], pieces: usize) -> Vec<Encoded> {
    let mut begin = 0;
    let piece = |ends: &[usize]| {
        let start = begin;
        begin = ends.last().copied().unwrap_or(start);
        Encoded::Literals(text[start..begin].to_owned(), ends.iter().map(|end| end - start).collect())
    };
    ends.chunks(ends.len().div_ceil(pieces).max(1)).map(piece).collect()
}

impl Column {
    /// How many members it has.
    fn len(&self) -> usize {
        match self {
            Self::Integers(values) => values.len(),
            Self::Numbers(values) => values.len(),
            Self::Uuids(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }

    fn slice(&self, start: usize, end: usize) -> Self {
        match self {
            Self::Integers(values) => Self::Integers(values[start..end].to_vec()),
            Self::Numbers(values) => Self::Numbers(values[start..end].to_vec()),
            Self::Uuids(values) => Self::Uuids(values[start..end].to_vec()),
            Self::Texts(values) => Self::Texts(values[start..end].to_vec()),
        }
    }

    fn once_if_equal(&mut self) {
        fn once<T: PartialEq>(values: &mut Vec<T>) {
            if values.iter().all(|value| *value == values[0]) {
                values.truncate(1);
            }
        }
        match self {
            Self::Integers(values) => once(values),
            Self::Numbers(values) => once(values),
            Self::Uuids(values) => once(values),
            Self::Texts(values) => once(values),
        }
    }

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

impl From<Parameter> for Value {
    fn from(parameter: Parameter) -> Self {
        fn array<T: Into<Value>>(of: ArrayType, values: Vec<T>) -> Value {
            Value::Array(of, Some(Box::new(values.into_iter().map(Into::into).collect())))
        }
        match parameter {
            Parameter::Integer(value) => value.into(),
            Parameter::Text(value) => value.into(),
            Parameter::Column(Column::Integers(values)) => array(ArrayType::BigInt, values),
            Parameter::Column(Column::Numbers(values)) => array(ArrayType::Double, values),
            Parameter::Column(Column::Uuids(values)) => array(ArrayType::Uuid, values),
            Parameter::Column(Column::Texts(values)) => array(ArrayType::String, values),
        }
    }
}

/// One row of a batch; its values are given in the order of the columns.
pub(crate) struct Row<'a>(Target<'a>);

enum Target<'a> {
    Json { text: &'a mut String, first: bool },
    Literals { text: &'a mut String, first: bool },
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
            Target::Json { text, first } | Target::Literals { text, first } => push(next(text, first), value),
            Target::Arrays { columns, next } => add!(columns, next, Integers, value),
        }
    }

    pub(crate) fn optional_integer(&mut self, value: Option<i64>) {
        match (value, &mut self.0) {
            (None, Target::Json { text, first } | Target::Literals { text, first }) => {
                next(text, first).push_str("null");
            }
            (value, _) => self.integer(value.unwrap_or(NO_INTEGER)),
        }
    }

    pub(crate) fn uuid(&mut self, value: Uuid) {
        match &mut self.0 {
            Target::Json { text, first } => push_uuid(next(text, first), value),
            Target::Literals { text, first } => push_bytes(next(text, first), value.as_bytes()),
            Target::Arrays { columns, next } => add!(columns, next, Uuids, value),
        }
    }

    pub(crate) fn optional_uuid(&mut self, value: Option<Uuid>) {
        match (value, &mut self.0) {
            (None, Target::Json { text, first } | Target::Literals { text, first }) => {
                next(text, first).push_str("null");
            }
            (value, _) => self.uuid(value.unwrap_or_default()),
        }
    }

    /// A text that may hold anything.
    pub(crate) fn text(&mut self, value: &str) {
        match &mut self.0 {
            Target::Json { text, first } => push_text(next(text, first), value),
            Target::Literals { text, first } => push_literal(next(text, first), value),
            Target::Arrays { columns, next } => add!(columns, next, Texts, value.to_owned()),
        }
    }

    /// A text, or none; in an array the empty text is none.
    pub(crate) fn optional_text(&mut self, value: Option<&str>) {
        match (value, &mut self.0) {
            (None, Target::Json { text, first } | Target::Literals { text, first }) => {
                next(text, first).push_str("null");
            }
            (value, _) => self.text(value.unwrap_or_default()),
        }
    }

    /// A number that JSON knows: finite.
    pub(crate) fn number(&mut self, value: f64) {
        match &mut self.0 {
            Target::Json { text, first } | Target::Literals { text, first } => push(next(text, first), value),
            Target::Arrays { columns, next } => add!(columns, next, Numbers, value),
        }
    }

    /// A value that is JSON itself, written by `json`.
    pub(crate) fn json(&mut self, json: impl FnOnce(&mut String)) {
        match &mut self.0 {
            Target::Json { text, first } => json(next(text, first)),
            Target::Literals { text, first } => {
                let mut value = String::new();
                json(&mut value);
                push_literal(next(text, first), &value);
            }
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

/// Appends a statement whose one group with a `?` is repeated for each row, which comes in its place.
fn push_groups(text: &mut String, sql: &str, rows: &str, ends: &[usize]) {
    let group = || {
        let at = sql.find('?')?;
        let (begin, end) = (sql[..at].rfind('(')?, at + sql[at..].find(')')? + 1);
        Some((&sql[..begin], &sql[begin..at], &sql[at + 1..end], &sql[end..]))
    };
    let (before, open, close, after) = group().expect("a statement for literals has a group with a `?`");
    text.push_str(before);
    let mut begin = 0;
    for end in ends {
        if begin > 0 {
            text.push(',');
        }
        text.push_str(open);
        text.push_str(&rows[begin..*end]);
        text.push_str(close);
        begin = *end;
    }
    text.push_str(after);
}

/// Appends a text as a literal. In quotes stands only what means itself there, whatever the server's
/// settings say of quotes and backslashes; every other text is said by its bytes.
fn push_literal(text: &mut String, value: &str) {
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\'' && byte != b'\\') {
        text.push('\'');
        text.push_str(value);
        text.push('\'');
    } else {
        text.push_str("_utf8mb4 ");
        push_bytes(text, value.as_bytes());
    }
}

/// Appends bytes as a literal.
fn push_bytes(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.reserve(bytes.len() * 2 + 3);
    text.push_str("X'");
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(batch: &Batch, sql: &str) -> String {
        let mut text = String::new();
        batch.written_into(sql, &mut text);
        text
    }

    #[test]
    fn an_empty_list_is_a_parameter_like_any_other() {
        for (encoding, parameters) in [(Encoding::Json, 1), (Encoding::Arrays, 1), (Encoding::Literals, 0)] {
            assert_eq!(Batch::integers(encoding, []).parameters(), parameters);
            assert_eq!(Batch::uuids(encoding, []).parameters(), parameters);
            assert_eq!(Batch::texts(encoding, []).parameters(), parameters);
        }
    }

    #[test]
    fn literals_repeat_the_group() {
        let rows = [(1, Some("a")), (2, None)];
        let batch = Batch::integer_and_rows(Encoding::Literals, 7, rows, |row, (number, text)| {
            row.integer(number);
            row.optional_text(text);
        });
        let sql = "INSERT INTO t (a, b, c, d) VALUES (0, ?)";
        assert_eq!(written(&batch, sql), "INSERT INTO t (a, b, c, d) VALUES (0, 7,1,'a'),(0, 7,2,null)");
    }

    #[test]
    fn what_all_rows_have_in_common_travels_once() {
        let rows = |prices: [i64; 3]| {
            let rows = [1, 2, 3].into_iter().zip(prices);
            let batch = Batch::integer_and_rows(Encoding::Arrays, 9, rows, |row, (id, price)| {
                row.integer(id);
                row.integer(price);
                row.text("KRW");
            });
            batch.repeating_nothing().into_parameters()
        };
        let integers = |values: &[i64]| Parameter::Column(Column::Integers(values.to_vec()));
        let text = || Parameter::Column(Column::Texts(vec!["KRW".to_owned()]));
        let (at, ids) = (|| Parameter::Integer(9), || integers(&[1, 2, 3]));
        assert!(rows([5, 5, 5]) == [at(), ids(), integers(&[5]), text()]);
        assert!(rows([5, 6, 5]) == [at(), ids(), integers(&[5, 6, 5]), text()]);
    }

    #[test]
    fn pieces_are_the_whole() {
        let pieces = |encoding, bytes_max| {
            let batch = Batch::rows(encoding, 1..=5, |row, number| {
                row.integer(number);
                row.text("KRW");
            });
            batch.repeating_nothing().pieces(bytes_max)
        };
        let arrays = |numbers: &[i64]| {
            let currency = Column::Texts(vec!["KRW".to_owned()]);
            [Column::Integers(numbers.to_vec()), currency].map(Parameter::Column)
        };
        let mut split = pieces(Encoding::Arrays, 40).into_iter().map(Batch::into_parameters);
        assert!(split.next().is_some_and(|piece| piece == arrays(&[1, 2, 3])));
        assert!(split.next().is_some_and(|piece| piece == arrays(&[4, 5])));
        assert!(split.next().is_none());
        assert_eq!(pieces(Encoding::Arrays, 100).len(), 1);

        let split: Vec<_> =
            pieces(Encoding::Literals, 50).iter().map(|piece| written(piece, "VALUES (?)")).collect();
        assert_eq!(split, ["VALUES (1,'KRW'),(2,'KRW'),(3,'KRW')", "VALUES (4,'KRW'),(5,'KRW')"]);
        assert_eq!(pieces(Encoding::Json, 1).len(), 1, "a text of JSON stays whole");
        assert_eq!(pieces(Encoding::Literals, 1).len(), 5, "a row stays whole");
    }

    #[test]
    fn nothing_in_a_text_ends_its_literal() {
        let literal = |value: &str| {
            let mut text = String::new();
            push_literal(&mut text, value);
            text
        };
        assert_eq!(literal(r#"[["s",1]] -- ?;"#), r#"'[["s",1]] -- ?;'"#);
        assert_eq!(literal("'; DROP"), "_utf8mb4 X'273b2044524f50'");
        assert_eq!(literal(r"\"), "_utf8mb4 X'5c'");
        assert_eq!(literal("석"), "_utf8mb4 X'ec849d'");
        assert_eq!(literal(""), "''");
    }

    #[test]
    fn parameters_are_written_in_their_order() {
        let batch = Batch::integer_and_integers(Encoding::Json, 5, [1, 2]);
        assert_eq!(written(&batch, "SELECT ? FROM t(?) k"), "SELECT 5 FROM t('[1,2]') k");
        let batch = Batch::texts(Encoding::Json, ["what?"]);
        assert_eq!(written(&batch, "SELECT * FROM t(?) k"), r#"SELECT * FROM t('["what?"]') k"#);
    }
}
