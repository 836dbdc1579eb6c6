//! What is drawn, and the terminal it is drawn on.

use std::{
    fmt::Write as _,
    io::{self, Write, stdout},
};

use super::figures::{Figures, Fleet, State};

/// The screen beside the one with the shell's lines, with no cursor. Left when dropped.
pub(super) struct Alternate;

impl Alternate {
    pub(super) fn enter() -> io::Result<Self> {
        write(b"\x1b[?1049h\x1b[?25l")?;
        Ok(Self)
    }
}

impl Drop for Alternate {
    fn drop(&mut self) {
        // There is nothing else to do about it.
        let _ = write(b"\x1b[?25h\x1b[?1049l");
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// A picture over the one before, without flicker: each line is cleared behind its end, and the rest.
pub(super) fn in_place(picture: &str) -> String {
    format!("\x1b[H{}\x1b[J", picture.replace('\n', "\x1b[K\r\n"))
}

/// Nodes, their sum, and rooms.
pub(super) fn table(fleet: &Fleet) -> String {
    let width = fleet.nodes.iter().map(|(name, ..)| name.len()).max().unwrap_or(0).max(16);
    let mut text = format!("{} nodes, {} ready\n\n", fleet.nodes.len(), fleet.ready());
    let _ = writeln!(
        text,
        "{:<width$}{:>9}{:>11}{:>9}{:>9}{:>11}{:>8}{:>8}{:>8}{:>9}{:>9}",
        "node",
        "state",
        "requests/s",
        "holds/s",
        "paid/s",
        "refused/s",
        "5xx/s",
        "queue",
        "batch",
        "p50 ms",
        "p99 ms",
    );
    for (name, state, figures) in &fleet.nodes {
        let state = match state {
            State::Ready => "ready",
            State::Unready => "unready",
            State::Silent => "silent",
        };
        text += &line(width, name, state, figures.as_ref());
    }
    if fleet.nodes.len() > 1 {
        text += &line(width, "all", "", Some(&fleet.total));
    }
    if !fleet.rooms.is_empty() {
        let _ = writeln!(
            text,
            "\n{:<8}{:<11}{:>10}{:>9}{:>9}{:>12}{:>10}",
            "room", "phase", "waiting", "called", "inside", "let in/s", "no-shows"
        );
    }
    for (id, room) in &fleet.rooms {
        let rate = room.admissions_per_second.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}"));
        let _ = writeln!(
            text,
            "{:<8}{:<11}{:>10}{:>9}{:>9}{:>12}{:>9}%",
            id,
            room.phase,
            room.tail.saturating_sub(room.cursor),
            room.called,
            room.inside,
            rate,
            room.no_show_percent,
        );
    }
    text
}

fn line(width: usize, name: &str, state: &str, figures: Option<&Figures>) -> String {
    let Some(figures) = figures else {
        return format!("{name:<width$}{state:>9}\n");
    };
    let or_dash = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    format!(
        "{name:<width$}{state:>9}{:>11.0}{:>9.0}{:>9.0}{:>11.0}{:>8.0}{:>8.0}{:>8}{:>9}{:>9}\n",
        figures.requests,
        figures.holds,
        figures.payments,
        figures.refused,
        figures.failed,
        figures.queue,
        or_dash(figures.batch()),
        or_dash(figures.latency_ms(0.5)),
        or_dash(figures.latency_ms(0.99)),
    )
}

/// Holds a second of the last minute as a row of bars.
pub(super) fn history(holds: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = holds.iter().copied().fold(1.0, f64::max);
    let bar = |hold: &f64| BARS[((hold / most * 7.0).round() as usize).min(7)];
    format!("\nholds/s, at most {most:.0}: {}\n", holds.iter().map(bar).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_is_drawn_to_its_highest() {
        assert_eq!(history(&[0.0, 50.0, 100.0]), "\nholds/s, at most 100: ▁▅█\n");
        assert_eq!(history(&[]), "\nholds/s, at most 1: \n");
    }

    #[test]
    fn a_shorter_picture_leaves_nothing_of_the_one_before() {
        assert_eq!(in_place("a\nb\n"), "\x1b[Ha\x1b[K\r\nb\x1b[K\r\n\x1b[J");
    }
}
