//! `onsale import movies FILE`

use std::{fs, path::Path};

use onsale_domain::{
    catalogue::{KeptField, ShowDetails},
    ids::UserId,
};
use onsale_engine::{
    catalogue::Catalogue,
    clock::{Clock as _, SystemClock},
    owners::Owners,
    ports::ImportOutcome,
};

use super::{
    SEEN_WITHIN,
    film_list::{FilmList, Note, Outcome, Reading},
    owner, read_text,
};
use crate::{cli::ImportMovies, failure::Failure, progress::Progress};

/// Films written in one transaction.
const BATCH: usize = 500;

/// How many films were new, changed and as they were.
#[derive(Debug, Default)]
struct Written {
    added: usize,
    changed: usize,
    unchanged: usize,
    /// Of how many films something was kept that people have edited.
    edited: usize,
    /// The fields that were kept of these films.
    kept: Vec<Note>,
}

/// Reads the list, writes its films, and reports.
pub(crate) async fn import_movies(
    catalogue: &Catalogue,
    owners: &Owners,
    arguments: &ImportMovies,
) -> Result<(), Failure> {
    let file = &arguments.file;
    let made_in = arguments.made_in.unwrap_or_else(this_year);
    let reading = Reading { made_in, mend: !arguments.as_is };
    let mut list = FilmList::read(&read_text(file)?, reading)
        .map_err(Failure::of(format!("{} is not a list of films", file.display())))?;
    let owner = owner(owners, arguments.owner.as_deref()).await?;
    // Before anything is written, so that a wrong path stops the import.
    match &arguments.report {
        Some(path) => write_report(path, &list)?,
        None => print!("{}", report_text(&list)),
    }
    let mut written = write(catalogue, &list, owner).await?;
    let kept = std::mem::take(&mut written.kept);
    match &arguments.report {
        Some(path) => {
            list.notes.extend(kept);
            write_report(path, &list)?;
        }
        None => print!("{}", notes_text(&kept)),
    }
    print_summary(&list, &written);
    Ok(())
}

fn this_year() -> i16 {
    let now = jiff::Timestamp::from_millisecond(SystemClock.now().0).unwrap_or(jiff::Timestamp::MAX);
    now.to_zoned(jiff::tz::TimeZone::UTC).year()
}

async fn write(catalogue: &Catalogue, list: &FilmList, owner: Option<UserId>) -> Result<Written, Failure> {
    let progress = Progress::new("films");
    let mut written = Written::default();
    for (index, batch) in list.films.chunks(BATCH).enumerate() {
        let done = index * BATCH;
        let outcomes = catalogue
            .import_shows(batch, owner)
            .await
            .map_err(Failure::of(format!("stopped after {done} films; run it again to go on")))?;
        for (index, imported) in outcomes.into_iter().enumerate() {
            match imported.outcome {
                ImportOutcome::Added => written.added += 1,
                ImportOutcome::Changed => written.changed += 1,
                ImportOutcome::Unchanged => written.unchanged += 1,
            }
            let (film, line) = (&batch[index], list.lines[done + index]);
            written.edited += usize::from(!imported.kept.is_empty());
            written.kept.extend(imported.kept.iter().map(|kept| note(film, line, kept)));
        }
        progress.set((done + batch.len()) as u64, list.films.len() as u64);
    }
    Ok(written)
}

/// Says that an edited value was kept.
fn note(film: &ShowDetails, line: usize, field: &KeptField) -> Note {
    let text =
        |value: &Option<String>| value.as_ref().map_or("nothing".to_owned(), |text| format!("`{text}`"));
    let KeptField { field, kept, said } = field;
    let reason = format!("{field} stays {}, as it was edited; the list says {}", text(kept), text(said));
    Note { line, title: film.title.clone(), outcome: Outcome::Kept, reason }
}

fn print_summary(list: &FilmList, written: &Written) {
    let lacking = &list.lacking;
    println!(
        "Of {} films, {} have no running time, {} no genre, {} no rating, {} no director, {} no release date.",
        list.films.len(),
        lacking.running_time,
        lacking.genre,
        lacking.rating,
        lacking.director,
        lacking.release_date
    );
    println!(
        "read {}: added {}, changed {}, unchanged {}, left out {}; mended {}{}",
        list.read,
        written.added,
        written.changed,
        written.unchanged,
        list.left_out(),
        list.mended(),
        if written.edited > 0 { format!("; edited and kept {}", written.edited) } else { String::new() }
    );
    if written.added + written.changed > 0 {
        println!("{SEEN_WITHIN}");
    }
}

fn write_report(path: &Path, list: &FilmList) -> Result<(), Failure> {
    let csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let text = if csv { report_csv(list) } else { report_text(list) };
    fs::write(path, text).map_err(Failure::of(format!("cannot write {}", path.display())))
}

fn report_text(list: &FilmList) -> String {
    notes_text(&list.notes)
}

fn notes_text(notes: &[Note]) -> String {
    notes
        .iter()
        .map(|note| {
            format!("line {}: {:?} {}: {}\n", note.line, note.title, note.outcome.as_str(), note.reason)
        })
        .collect()
}

fn report_csv(list: &FilmList) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let rows = list.notes.iter().map(|note| {
        format!(
            "{},{},{},{}\r\n",
            note.line,
            quoted(&note.title),
            note.outcome.as_str(),
            quoted(&note.reason)
        )
    });
    std::iter::once("line,title,outcome,reason\r\n".to_owned()).chain(rows).collect()
}
