//! `onsale audit`

use onsale_engine::audit::{AuditReport, audit};

use crate::{compose::Base, failure::Failure, progress::Progress};

/// Checks the database, prints what was counted, and fails with the rows if anything is wrong.
pub(crate) async fn run_audit(base: &Base) -> Result<(), Failure> {
    let progress = Progress::new("rows");
    let report = audit(&*base.store, |read, total| progress.set(read, total)).await;
    drop(progress);
    let report = report.map_err(Failure::of("cannot read the database"))?;
    print!("{}", as_text(&report));
    if report.is_clean() { Ok(()) } else { Err(Failure::Reported) }
}

fn as_text(report: &AuditReport) -> String {
    let mut text = String::new();
    for (name, count) in report.counts.rows() {
        text += &format!("{name:<24}{count:>20}\n");
    }
    for (kind, found) in &report.violations {
        text += &format!("\nVIOLATION: {}: {}\n", kind.as_str(), found.total);
        for row in &found.rows {
            text += &format!("  {row}\n");
        }
        let more = found.total - found.rows.len() as u64;
        if more > 0 {
            text += &format!("  and {more} more\n");
        }
    }
    text += "\n";
    text += &match report.violations_total() {
        0 => "clean: everything agrees\n".to_owned(),
        total => format!("{total} violations\n"),
    };
    text
}
