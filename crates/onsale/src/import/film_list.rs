//! Reads a list of films as it is, mends what can be mended, and says what it did.
//!
//! The list is the `movies` table of the vega datasets: a JSON array of flat records. It was made
//! by hand over many years, and shows it.

use std::{borrow::Cow, collections::HashMap};

use jiff::{ToSpan, civil::Date};
use onsale_domain::{
    catalogue::{ShowDetails, ShowKind},
    text::composed,
};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};
use sha2::{Digest, Sha256};

use super::mac_roman;

const TITLE_CHARS_MAX: usize = 500;
const NAME_CHARS_MAX: usize = 100;
const RUNNING_TIME_MIN_MAX: u32 = 6_000;
/// A list may name films that are announced for the next two years.
const ANNOUNCED_YEARS_MAX: i16 = 2;

/// How a list is to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// The year in which the list was made.
    pub(super) made_in: i16,
    /// Whether misread encodings and impossible years are mended.
    pub(super) mend: bool,
}

/// A record's title, for a first look at all of them.
#[derive(Deserialize)]
struct Titled<'a> {
    #[serde(rename = "Title", borrow, default)]
    title: Option<Cow<'a, str>>,
}

/// What a list holds.
#[derive(Debug, Default)]
pub(super) struct FilmList {
    /// How many records there are.
    pub(super) read: usize,
    /// The films, in the list's order.
    pub(super) films: Vec<ShowDetails>,
    /// The lines their records begin in.
    pub(super) lines: Vec<usize>,
    /// What was mended or left out, in the list's order.
    pub(super) notes: Vec<Note>,
    /// How many films lack what a film may lack.
    pub(super) lacking: Lacking,
}

/// How many films lack a value.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lacking {
    pub(super) running_time: usize,
    pub(super) genre: usize,
    pub(super) rating: usize,
    pub(super) director: usize,
    pub(super) release_date: usize,
}

/// Something about one record that was not right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// The line the record begins in, from 1.
    pub(super) line: usize,
    /// The title as it is in the list.
    pub(super) title: String,
    pub(super) outcome: Outcome,
    pub(super) reason: String,
}

/// What was done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Mended,
    LeftOut,
    Kept,
}

impl Outcome {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Mended => "mended",
            Self::LeftOut => "left out",
            Self::Kept => "kept",
        }
    }
}

impl FilmList {
    /// Reads a list.
    ///
    /// # Errors
    /// If the text is not a JSON array; the message has line and column.
    pub(super) fn read(text: &str, reading: Reading) -> Result<Self, serde_json::Error> {
        let records: Vec<&RawValue> = serde_json::from_str(text)?;
        let titles =
            records.iter().filter_map(|record| serde_json::from_str::<Titled<'_>>(record.get()).ok());
        let titles: Vec<_> = titles.filter_map(|titled| titled.title).collect();
        let misread = mac_roman::is_misread(titles.iter().map(|title| &**title));
        let mut list = Self { read: records.len(), ..Self::default() };
        let mut seen = HashMap::new();
        let (mut line, mut counted) = (1, 0);
        for record in records {
            // The records are slices of the text.
            let offset = record.get().as_ptr() as usize - text.as_ptr() as usize;
            line += text.as_bytes()[counted..offset].iter().filter(|byte| **byte == b'\n').count();
            counted = offset;
            let reader = RecordReader { reading, misread, mended: vec![] };
            list.add(record, line, reader, &mut seen);
        }
        Ok(list)
    }

    /// How many films were mended.
    pub(super) fn mended(&self) -> usize {
        let mut lines: Vec<usize> =
            self.notes.iter().filter(|note| note.outcome == Outcome::Mended).map(|note| note.line).collect();
        lines.dedup();
        lines.len()
    }

    /// How many records were left out.
    pub(super) fn left_out(&self) -> usize {
        self.read - self.films.len()
    }

    fn add(
        &mut self,
        record: &RawValue,
        line: usize,
        mut reader: RecordReader,
        seen: &mut HashMap<(String, Option<Date>), usize>,
    ) {
        let (title, film) = match serde_json::from_str::<Map<String, Value>>(record.get()) {
            Ok(fields) => (plain(fields.get("Title")), reader.film(&fields)),
            Err(error) => (String::new(), Err(format!("not a record: {error}"))),
        };
        let film = film.and_then(|film| {
            let key = (film.title.clone(), film.release_date);
            match seen.get(&key) {
                Some(first) => Err(format!("the same film as in line {first}: same title, same date")),
                None => {
                    seen.insert(key, line);
                    Ok(film)
                }
            }
        });
        let note = |outcome, reason| Note { line, title: title.clone(), outcome, reason };
        match film {
            Ok(film) => {
                self.notes.extend(reader.mended.into_iter().map(|reason| note(Outcome::Mended, reason)));
                self.lacking.count(&film);
                self.films.push(film);
                self.lines.push(line);
            }
            Err(reason) => self.notes.push(note(Outcome::LeftOut, reason)),
        }
    }
}

impl Lacking {
    fn count(&mut self, film: &ShowDetails) {
        self.running_time += usize::from(film.running_time_min.is_none());
        self.genre += usize::from(film.genre.is_none());
        self.rating += usize::from(film.grade.is_none());
        self.director += usize::from(film.creator.is_none());
        self.release_date += usize::from(film.release_date.is_none());
    }
}

/// Reads one record and remembers what it mended.
struct RecordReader {
    reading: Reading,
    /// Whether the whole list was misread.
    misread: bool,
    mended: Vec<String>,
}

impl RecordReader {
    /// The film, or why it must be left out.
    fn film(&mut self, fields: &Map<String, Value>) -> Result<ShowDetails, String> {
        Ok(ShowDetails {
            kind: ShowKind::Movie,
            title: self.title(fields.get("Title"))?,
            grade: self.name(fields, "MPAA Rating"),
            genre: self.name(fields, "Major Genre"),
            release_date: self.release_date(fields),
            thumbnail_image: None,
            running_time_min: self.running_time(fields),
            description: None,
            creator: self.name(fields, "Director"),
            source_key: Some(source_key(fields)),
        })
    }

    fn title(&mut self, value: Option<&Value>) -> Result<String, String> {
        let written = match value {
            None | Some(Value::Null) => return Err("it has no title".to_owned()),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => {
                self.mended.push("the title is a number; taken as text".to_owned());
                number.to_string()
            }
            Some(_) => return Err("the title is not a text".to_owned()),
        };
        let mut title = self.tidy("title", &written);
        if self.reading.mend
            && let Some(meant) = mac_roman::mend(&title, self.misread)
        {
            self.mended.push(format!("the title's encoding was misread; it is `{meant}`"));
            title = meant;
        }
        if title.is_empty() {
            return Err("its title is empty".to_owned());
        }
        if title.chars().count() > TITLE_CHARS_MAX {
            return Err(format!("its title is longer than {TITLE_CHARS_MAX} characters"));
        }
        Ok(title)
    }

    /// A rating, genre or director.
    fn name(&mut self, fields: &Map<String, Value>, field: &str) -> Option<String> {
        let text = match fields.get(field)? {
            Value::Null => return None,
            Value::String(text) => self.tidy(field, text),
            other => {
                self.mended.push(format!("{field} `{other}` is not a text; left out"));
                return None;
            }
        };
        if text.chars().count() > NAME_CHARS_MAX {
            self.mended.push(format!("{field} is longer than {NAME_CHARS_MAX} characters; left out"));
            return None;
        }
        (!text.is_empty()).then_some(text)
    }

    fn running_time(&mut self, fields: &Map<String, Value>) -> Option<u32> {
        let value = fields.get("Running Time min").filter(|value| !value.is_null())?;
        let minutes = value
            .as_u64()
            .and_then(|minutes| u32::try_from(minutes).ok())
            .filter(|minutes| (1..=RUNNING_TIME_MIN_MAX).contains(minutes));
        if minutes.is_none() {
            self.mended.push(format!("running time `{value}` is not 1 to 6,000 minutes; left out"));
        }
        minutes
    }

    fn release_date(&mut self, fields: &Map<String, Value>) -> Option<Date> {
        let value = fields.get("Release Date").filter(|value| !value.is_null())?;
        let written = plain(Some(value));
        let Some((date, century)) = date(written.trim()) else {
            self.mended.push(format!("release date `{written}` is not a date; left out"));
            return None;
        };
        if !self.reading.mend || date.year() <= self.reading.made_in + ANNOUNCED_YEARS_MAX {
            return Some(date);
        }
        // A year is taken as it is written, unless that cannot be.
        if century == Century::Written && !has_been_seen(fields) {
            return Some(date);
        }
        let earlier = date.checked_sub(100.years()).ok()?;
        self.mended.push(match century {
            Century::Guessed => format!("the year of release date `{written}` has two digits; it is {earlier}"),
            Century::Written => format!(
                "release date `{written}` is after the list was made, but the film has been seen; it is {earlier}"
            ),
        });
        Some(earlier)
    }

    /// Without control characters and needless spaces.
    fn tidy(&mut self, field: &str, text: &str) -> String {
        let visible = text.replace(|c: char| c.is_control(), " ");
        let tidy = visible.split_whitespace().collect::<Vec<_>>().join(" ");
        if tidy != text {
            self.mended.push(format!("needless spaces in the {field} taken out"));
        }
        composed(&tidy).into_owned()
    }
}

/// Where a date's century is from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Century {
    Written,
    /// The year has two digits.
    Guessed,
}

fn date(written: &str) -> Option<(Date, Century)> {
    let year = written.rsplit([' ', ',']).next().unwrap_or_default();
    if year.len() == 2 && year.bytes().all(|byte| byte.is_ascii_digit()) {
        return Date::strptime("%b %d %y", written).ok().map(|date| (date, Century::Guessed));
    }
    let formats = ["%b %d %Y", "%b %d, %Y", "%d %b %Y"];
    let read = formats.iter().find_map(|format| Date::strptime(format, written).ok());
    let date = read.or_else(|| written.parse().ok())?;
    // Years have four digits, not one.
    (1_000..=9_999).contains(&date.year()).then_some((date, Century::Written))
}

/// Whether the record has what only a film that was shown can have: votes, ratings or takings. A
/// film not yet shown has none of these fields, not even a nought.
fn has_been_seen(fields: &Map<String, Value>) -> bool {
    ["IMDB Votes", "IMDB Rating", "Rotten Tomatoes Rating", "US Gross", "Worldwide Gross", "US DVD Sales"]
        .iter()
        .any(|field| fields.get(*field).is_some_and(|value| !value.is_null()))
}

/// Names the record: a digest of its title and date as they are in the list, so that better mending
/// in a later version changes the film instead of adding another.
fn source_key(fields: &Map<String, Value>) -> String {
    let mut digest = Sha256::new();
    for field in ["Title", "Release Date"] {
        digest.update(plain(fields.get(field)));
        digest.update([0]);
    }
    let hex: String = digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("movies:{hex}")
}

/// A value as text, without quotes.
fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READING: Reading = Reading { made_in: 2010, mend: true };

    fn read(text: &str) -> FilmList {
        FilmList::read(text, READING).unwrap()
    }

    #[test]
    fn a_record_becomes_a_film() {
        let list = read(
            r#"[{"Title": "The Quiet Pier", "Release Date": "Jun 12 1998", "MPAA Rating": "Not Rated",
            "Running Time min": 104, "Major Genre": "Drama", "Director": "Ida Noor", "Source": null}]"#,
        );
        let film = &list.films[0];
        assert_eq!(film.title, "The Quiet Pier");
        assert_eq!(film.grade.as_deref(), Some("Not Rated"));
        assert_eq!(film.genre.as_deref(), Some("Drama"));
        assert_eq!(film.creator.as_deref(), Some("Ida Noor"));
        assert_eq!(film.release_date, Some(jiff::civil::date(1998, 6, 12)));
        assert_eq!(film.running_time_min, Some(104));
        assert!(list.notes.is_empty());
        assert_eq!(list.lacking, Lacking::default());
    }

    #[test]
    fn what_is_dirty_is_mended_or_left_out_and_named_with_its_line() {
        let list = read(concat!(
            "[\n",
            r#"{"Title": 1776, "Release Date": "Nov 09 1972"},"#,
            "\n",
            r#"{"Title": null, "Release Date": "Nov 09 1972"},"#,
            "\n\n",
            r#"{"Title": "Seen", "Release Date": "Dec 31 2046", "US Gross": 0},"#,
            "\n",
            r#"{"Title": "Not seen yet", "Release Date": "Dec 31 2046", "US Gross": null}, {"Title": "Soon", "Release Date": "Dec 23 2011", "IMDB Votes": 4},"#,
            "\n",
            r#"{"Title": "DÈj‡  Vu", "Release Date": "someday", "Running Time min": -4, "Major Genre": 7},"#,
            "\n",
            r#"{"Title": "  "}, {"Title": []}, 5"#,
            "\n]",
        ));
        let notes: Vec<(usize, &str, &str)> =
            list.notes.iter().map(|note| (note.line, note.outcome.as_str(), note.reason.as_str())).collect();
        assert_eq!(
            notes[..3],
            [
                (2, "mended", "the title is a number; taken as text"),
                (3, "left out", "it has no title"),
                (
                    5,
                    "mended",
                    "release date `Dec 31 2046` is after the list was made, but the film has been seen; \
                     it is 1946-12-31"
                ),
            ]
        );
        assert_eq!(
            notes[3..8],
            [
                (7, "mended", "needless spaces in the title taken out"),
                (7, "mended", "the title's encoding was misread; it is `Déjà Vu`"),
                (7, "mended", "Major Genre `7` is not a text; left out"),
                (7, "mended", "release date `someday` is not a date; left out"),
                (7, "mended", "running time `-4` is not 1 to 6,000 minutes; left out"),
            ]
        );
        let left_out: Vec<&str> = notes[8..].iter().map(|note| note.2).collect();
        assert_eq!(left_out[..2], ["its title is empty", "the title is not a text"]);
        assert!(left_out[2].starts_with("not a record"), "{}", left_out[2]);
        assert_eq!((list.read, list.films.len(), list.mended(), list.left_out()), (9, 5, 3, 4));
        assert_eq!(list.films[2].release_date, Some(jiff::civil::date(2046, 12, 31)), "announced far ahead");
        assert_eq!(list.films[3].release_date, Some(jiff::civil::date(2011, 12, 23)));
    }

    #[test]
    fn the_same_title_and_date_is_the_same_film_another_date_is_another() {
        let list = read(
            r#"[{"Title": "Alike", "Release Date": "Jan 01 1980"}, {"Title": "Alike", "Release Date": "Jan 02 1980"},
            {"Title": "Alike", "Release Date": "Jan 01 1980", "Major Genre": "Drama"}]"#,
        );
        assert_eq!(list.films.len(), 2);
        assert_eq!((list.notes.len(), list.notes[0].outcome, list.notes[0].line), (1, Outcome::LeftOut, 2));
        assert!(list.notes[0].reason.contains("line 1"));
        assert_ne!(list.films[0].source_key, list.films[1].source_key);
    }

    #[test]
    fn a_key_stays_while_other_fields_change() {
        let key = |genre: &str| {
            let text =
                format!(r#"[{{"Title": "X", "Release Date": "Jan 01 1980", "Major Genre": "{genre}"}}]"#);
            read(&text).films[0].source_key.clone()
        };
        assert_eq!(key("Drama"), key("Comedy"));
    }

    #[test]
    fn a_broken_file_is_told_with_line_and_column() {
        let error = FilmList::read("[\n{\"Title\": \"x\"},\n{\"Title\" 5}]", READING).unwrap_err();
        assert_eq!((error.line(), error.column()), (3, 10));
        assert!(FilmList::read("{}", READING).is_err());
    }

    #[test]
    fn years_are_taken_as_they_are_written_and_mending_can_be_switched_off() {
        let film =
            |date: &str| format!(r#"[{{"Title": "CafÈ", "Release Date": "{date}", "IMDB Votes": 9}}]"#);
        let read = |date: &str, made_in, mend| {
            let list = FilmList::read(&film(date), Reading { made_in, mend }).unwrap();
            (list.films[0].title.clone(), list.films[0].release_date.map(|date| date.to_string()))
        };
        for (date, made_in, expected) in [
            ("May 30 2019", 2026, Some("2019-05-30")),
            ("May 30, 2019", 2026, Some("2019-05-30")),
            ("30 May 2028", 2026, Some("2028-05-30")),
            ("2027-05-30", 2026, Some("2027-05-30")),
            ("May 30 2046", 2026, Some("1946-05-30")),
            ("May 30 98", 2026, Some("1998-05-30")),
            ("May 30 19", 2026, Some("2019-05-30")),
            ("May 30 46", 2026, Some("1946-05-30")),
            ("May 30 199", 2026, None),
        ] {
            let expected = expected.map(str::to_owned);
            assert_eq!(read(date, made_in, true), ("Café".to_owned(), expected), "{date}");
        }
        let as_it_is = ("CafÈ".to_owned(), Some("2046-05-30".to_owned()));
        assert_eq!(read("May 30 2046", 2026, false), as_it_is);
    }

    /// The real list, if it is at hand.
    #[test]
    fn the_real_list_is_read_whole() {
        #[expect(clippy::disallowed_methods, reason = "the test data's place comes from the test runner")]
        let Ok(folder) = std::env::var("ONSALE_TEST_DATA") else { return };
        let text = std::fs::read_to_string(format!("{folder}/movies.json")).unwrap();
        let list = read(&text);
        assert_eq!((list.read, list.films.len(), list.left_out()), (3_201, 3_200, 1));
        assert!(list.films.iter().any(|film| film.title == "1776"));
        assert!(list.films.iter().any(|film| film.title == "Alien³"));
        assert!(list.films.iter().all(|film| film.release_date.is_some_and(|date| date.year() <= 2012)));
        let misread = list.notes.iter().filter(|note| note.reason.contains("misread")).count();
        assert_eq!(misread, 18, "of 20 titles with foreign letters, `Alien³` and `Ri¢hie Ri¢h` are right");
        let numbers = list.notes.iter().filter(|note| note.reason.contains("number")).count();
        assert_eq!(numbers, 9);
        assert_eq!((list.lacking.running_time, list.lacking.genre), (1_992, 275));
    }
}
