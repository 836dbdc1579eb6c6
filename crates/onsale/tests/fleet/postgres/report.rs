//! The report: a page, and a picture of the sale over time.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use super::{
    sale::Plan,
    timeline::{Seen, Timeline},
};

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 330.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 785.0;
const FLOOR: f64 = 280.0;
const CEILING: f64 = 60.0;

const INK: &str = "#1f2933";
const FAINT: &str = "#66717d";
const GRID: &str = "#e3e7eb";
const HELD: &str = "#2f6db3";
const PAID: &str = "#2e8540";
const ALARM: &str = "#b3261e";

/// Writes both into the folder; returns the page.
pub(super) fn write(
    plan: &Plan,
    folder: &Path,
    timeline: &Timeline,
    ended: Duration,
    sold: [usize; 2],
    audit: &str,
) -> String {
    let page = page(plan, timeline, ended, sold, audit);
    fs::write(folder.join("fleet.md"), &page).expect("the folder can be written to");
    fs::write(folder.join("fleet.svg"), picture(timeline, ended)).expect("the folder can be written to");
    page
}

fn page(plan: &Plan, timeline: &Timeline, ended: Duration, sold: [usize; 2], audit: &str) -> String {
    let mut page = String::new();
    let count = |wanted: fn(Seen) -> bool| timeline.count(wanted);
    let _ = write!(
        page,
        "| | |\n|---|---|\n\
         | buyers | {} |\n| seats | {} |\n| seats sold | {} |\n| units sold, of as many | {} |\n| holds answered | {} |\n\
         | refused because another buyer was faster | {} |\n\
         | requests that had to be repeated | {} |\n| lasted | {:.0} s |\n\n",
        plan.buyers,
        plan.seats,
        sold[0],
        sold[1],
        count(|seen| seen == Seen::Held),
        count(|seen| seen == Seen::Taken),
        count(|seen| matches!(seen, Seen::NotNow(_))),
        ended.as_secs_f64(),
    );
    page += "![Holds and payments a second](fleet.svg)\n\n";
    page += "| at | what was done | over after | longest time until the next seat | requests that had to be repeated |\n";
    page += "|---|---|---|---|---|\n";
    let faults = timeline.faults();
    let not_now = timeline.times(|seen| matches!(seen, Seen::NotNow(_)));
    for (index, fault) in faults.iter().enumerate() {
        let until = faults.get(index + 1).map_or(ended, |next| next.begun);
        let repeated = not_now.iter().filter(|at| (fault.begun..until).contains(at)).count();
        let _ = writeln!(
            page,
            "| {:.1} s | {} | {:.1} s | {:.2} s | {repeated} |",
            fault.begun.as_secs_f64(),
            fault.what,
            (fault.over - fault.begun).as_secs_f64(),
            timeline.pause_after(fault).as_secs_f64(),
        );
    }
    let _ = write!(page, "\nThe audit afterwards:\n\n```\n{}\n```\n", audit.trim_end());
    page
}

/// Holds and payments a second, with the faults marked.
fn picture(timeline: &Timeline, ended: Duration) -> String {
    let seconds = ended.as_secs() as usize + 1;
    let a_second = |wanted: fn(Seen) -> bool| {
        let mut counts = vec![0_u32; seconds];
        timeline.times(wanted).iter().for_each(|at| counts[(at.as_secs() as usize).min(seconds - 1)] += 1);
        counts
    };
    let (held, paid) = (a_second(|seen| seen == Seen::Held), a_second(|seen| seen == Seen::Paid));
    let most = f64::from(held.iter().chain(&paid).copied().max().unwrap_or(1).max(1));
    let x = |second: f64| LEFT + (RIGHT - LEFT) * second / seconds as f64;
    let y = |count: f64| FLOOR - (FLOOR - CEILING) * count / most;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let text = |x: f64, y: f64, anchor: &str, fill: &str, text: &str| {
        format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{fill}\">{text}</text>\n")
    };
    svg += &text(LEFT, 24.0, "start", HELD, "holds a second");
    svg += &text(LEFT + 120.0, 24.0, "start", PAID, "payments a second");
    for part in 0..=4 {
        let count = most * f64::from(part) / 4.0;
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{0:.1}\" y2=\"{0:.1}\" stroke=\"{GRID}\"/>",
            y(count)
        );
        svg += &text(LEFT - 6.0, y(count) + 4.0, "end", FAINT, &format!("{count:.0}"));
    }
    for second in (0..seconds).step_by((seconds / 10).max(1)) {
        svg += &text(x(second as f64), FLOOR + 16.0, "middle", FAINT, &format!("{second} s"));
    }
    for (index, fault) in timeline.faults().iter().enumerate() {
        let (from, to) = (x(fault.begun.as_secs_f64()), x(fault.over.as_secs_f64()));
        let _ = writeln!(
            svg,
            "<rect x=\"{from:.1}\" y=\"{CEILING}\" width=\"{:.1}\" height=\"{}\" fill=\"{ALARM}\" opacity=\"0.15\"/>\n\
             <line x1=\"{from:.1}\" x2=\"{from:.1}\" y1=\"{CEILING}\" y2=\"{FLOOR}\" stroke=\"{ALARM}\"/>",
            (to - from).max(1.0),
            FLOOR - CEILING,
        );
        // Two heights, so that neighbours do not write over each other.
        let height = if index % 2 == 0 { CEILING - 20.0 } else { CEILING - 6.0 };
        svg += &text(from, height, "start", INK, &fault.what);
    }
    for (counts, colour) in [(held, HELD), (paid, PAID)] {
        let points: Vec<String> = counts
            .iter()
            .enumerate()
            .map(|(second, count)| format!("{:.1},{:.1}", x(second as f64 + 0.5), y(f64::from(*count))))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
    }
    svg + "</svg>\n"
}
