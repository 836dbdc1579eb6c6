//! Titles and genres, and what finds them.

use std::collections::BTreeSet;

use onsale_domain::search::{genre_key, title_grams, title_key};

use super::{Look, pages, report::Violation};
use crate::ports::{StoreError, TitleRow};

impl Look<'_> {
    pub(super) async fn titles(&mut self) -> Result<(), StoreError> {
        pages!(self.titles, rows => {
            for row in rows {
                if !is_found(&row) {
                    self.report.add(Violation::TitleNotFound, || format!("show {}: {:?}", row.show, row.title));
                }
            }
        });
        Ok(())
    }
}

fn is_found(row: &TitleRow) -> bool {
    let folded = title_key(&row.title);
    let grams: BTreeSet<&str> = row.grams.iter().map(String::as_str).collect();
    let expected = title_grams(&folded);
    row.title_folded == folded
        && row.genre_folded == row.genre.as_deref().map(genre_key)
        && grams.len() == row.grams.len()
        && grams.into_iter().eq(expected.iter().map(String::as_str))
}
