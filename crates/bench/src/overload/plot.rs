//! The rate of holds and payments by time, with and without shedding.

use std::fmt::Write as _;

use super::Run;

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 770.0;
const TOP: f64 = 80.0;
const FLOOR: f64 = 330.0;

const INK: &str = "#1f2933";
const FAINT: &str = "#66717d";
const GRID: &str = "#e3e7eb";
const COLOURS: [(&str, &str); 2] = [("#2f6690", ""), ("#f2a541", " stroke-dasharray=\"6 4\"")];

/// The whole picture. The crowd is there from one second to another.
pub(super) fn draw(runs: &[&Run], (from, to): (f64, f64)) -> String {
    let samples = || runs.iter().flat_map(|run| &run.samples);
    let end = samples().map(|(at, _)| *at).fold(to, f64::max);
    let most = samples().map(|(_, rate)| *rate).fold(1.0, f64::max);
    let step = step(most);
    let top = step * (most / step).ceil();
    let x = |at: f64| LEFT + (RIGHT - LEFT) * at / end;
    let y = |rate: f64| FLOOR - (FLOOR - TOP) * rate / top;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" font-family="system-ui, 'Segoe UI', Helvetica, Arial, sans-serif">
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text x="40" y="34" font-size="20" font-weight="600" fill="{INK}">Holds and payments while a crowd browses</text>
<text x="40" y="56" font-size="12" fill="{FAINT}">Holds and payments answered a second. In the shaded part ten times as many connections browse.</text>
<rect x="{:.1}" y="{TOP}" width="{:.1}" height="{:.1}" fill="#f4f5f7"/>
"##,
        x(from),
        x(to) - x(from),
        FLOOR - TOP
    );
    let mut tick = 0.0;
    while tick <= top {
        let _ = writeln!(
            svg,
            r#"<line x1="{LEFT}" y1="{0:.1}" x2="{RIGHT}" y2="{0:.1}" stroke="{GRID}"/><text x="{1:.1}" y="{2:.1}" text-anchor="end" font-size="11" fill="{FAINT}">{tick:.0}</text>"#,
            y(tick),
            LEFT - 8.0,
            y(tick) + 4.0
        );
        tick += step;
    }
    for second in (0..=end as u32).step_by(1 + end as usize / 15) {
        let _ = writeln!(
            svg,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="middle" font-size="11" fill="{FAINT}">{second} s</text>"#,
            x(f64::from(second)),
            FLOOR + 18.0
        );
    }
    for ((run, (colour, dashes)), row) in runs.iter().zip(COLOURS).zip(0_u32..) {
        let points: Vec<String> =
            run.samples.iter().map(|(at, rate)| format!("{:.1},{:.1}", x(*at), y(*rate))).collect();
        let left = LEFT + 220.0 * f64::from(row);
        let _ = writeln!(
            svg,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>
<line x1="{left}" y1="370" x2="{1}" y2="370" stroke="{colour}" stroke-width="2"{dashes}/><text x="{2}" y="374" font-size="12" fill="{INK}">{3}</text>"#,
            points.join(" "),
            left + 30.0,
            left + 38.0,
            if run.name == "control" { "without shedding, as a control" } else { "browsing is shed" }
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// A round number of which four or five reach the most.
fn step(most: f64) -> f64 {
    let power = 10_f64.powf((most / 4.0).log10().floor());
    let round = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|round| round * power);
    round.into_iter().find(|step| *step >= most / 4.0).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_runs_are_drawn_within_the_frame() {
        let run = |name, rate: f64| Run {
            name,
            phases: Vec::new(),
            samples: (1..=12).map(|at| (f64::from(at) * 0.25, rate)).collect(),
            recovered_s: None,
        };
        let svg = draw(&[&run("shedding", 1_000.0), &run("control", 120.0)], (1.0, 2.0));
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains("70.0,") || svg.contains("770.0,80.0"), "{svg}");
        assert_eq!(step(930.0), 250.0);
    }
}
