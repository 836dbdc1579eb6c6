//! The comparison as a picture: one SVG to paste into a document.
//!
//! Written by hand: bars, a few lines and texts need no library, and every number can be made to
//! sit where it is read best.

use std::fmt::{Display, Write as _};

use super::{BUYERS, Batching, Contention, GuardName, Measured, PROCESSES, guards::Conditions};

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 507.0;
/// Where the bars stand and how high they may be.
const FLOOR: f64 = 367.0;
const CEILING: f64 = 143.0;
/// A group's width, the gaps between its bars among it.
const GROUP: f64 = 140.0;
const BAR_GAP: f64 = 8.0;
const PANEL: f64 = 330.0;

const INK: &str = "#1f2933";
const FAINT: &str = "#66717d";
const GRID: &str = "#e3e7eb";
const ALARM: &str = "#b3261e";

/// The whole picture.
pub(super) fn draw(conditions: &Conditions, measured: &[Measured]) -> String {
    let mut svg = Svg::new();
    svg.text(
        40.0,
        38.0,
        ("start", 20, 600, INK),
        format!("Holding seats under each guard, {}", conditions.database),
    );
    let about = [
        format!(
            "Each hold is on disk before it is answered. {PROCESSES} processes sell from one database, with \
             {BUYERS} buyers each."
        ),
        format!(
            "Median of {} rounds of {} s; the lines end at the least and the greatest. The scales differ.",
            conditions.rounds, conditions.seconds
        ),
    ];
    svg.text(40.0, 60.0, ("start", 12, 400, FAINT), &about[0]);
    svg.text(40.0, 77.0, ("start", 12, 400, FAINT), &about[1]);
    for (left, batching, title) in
        [(62.0, Batching::One, "One hold in each transaction"), (454.0, Batching::Many, "Batched")]
    {
        let bars = measured.iter().filter(|row| row.contender.batching == batching);
        panel(&mut svg, (left, title), &conditions.guards, &bars.collect::<Vec<_>>());
    }
    let label = format!("translate(14 {}) rotate(-90)", f64::midpoint(FLOOR, CEILING));
    let _ = writeln!(
        svg.0,
        r#"<text transform="{label}" text-anchor="middle" font-size="12" fill="{FAINT}">holds a second</text>"#
    );
    legend(&mut svg, &conditions.guards, measured.iter().any(|row| row.sold_twice > 0));
    svg.finish()
}

/// Two groups of bars over one scale; the scales of the panels differ, and say so.
fn panel(svg: &mut Svg, (left, title): (f64, &str), guards: &[GuardName], bars: &[&Measured]) {
    let most = bars.iter().map(|row| row.range().1).fold(1.0, f64::max);
    let (step, top) = scale(most);
    let y = |value: f64| FLOOR - (FLOOR - CEILING) * value / top;
    svg.text(left, CEILING - 30.0, ("start", 14, 600, INK), title);
    let mut tick = 0.0;
    while tick <= top {
        svg.line((left, y(tick)), (left + PANEL, y(tick)), if tick == 0.0 { FAINT } else { GRID }, 1.0);
        svg.text(left - 6.0, y(tick) + 4.0, ("end", 11, 400, FAINT), thousands(tick));
        tick += step;
    }
    let width = (GROUP + BAR_GAP) / guards.len() as f64 - BAR_GAP;
    let margin = (PANEL - 2.0 * GROUP) / 4.0;
    for (place, contention) in [Contention::Low, Contention::High].into_iter().enumerate() {
        let from = left + margin + place as f64 * (GROUP + 2.0 * margin);
        for (index, guard) in guards.iter().enumerate() {
            let row = bars
                .iter()
                .find(|row| (row.contender.guard, row.contender.contention) == (*guard, contention));
            if let Some(row) = row {
                bar(svg, (from + index as f64 * (width + BAR_GAP), width), row, y);
            }
        }
        let (name, what) = match contention {
            Contention::Low => ("low contention", "64 performances on sale"),
            Contention::High => ("high contention", "one performance on sale"),
        };
        let middle = from + GROUP / 2.0;
        svg.text(middle, FLOOR + 38.0, ("middle", 12, 600, INK), name);
        svg.text(middle, FLOOR + 54.0, ("middle", 11, 400, FAINT), what);
    }
}

fn bar(svg: &mut Svg, (x, width): (f64, f64), row: &Measured, y: impl Fn(f64) -> f64) {
    let value = row.median(|round| round.held_a_second);
    let (least, most) = row.range();
    let middle = x + width / 2.0;
    let (fill, edge) = colours(row.contender.guard);
    let _ = writeln!(
        svg.0,
        r#"<rect x="{x:.1}" y="{:.1}" width="{width:.1}" height="{:.1}" fill="{fill}" stroke="{edge}"/>"#,
        y(value),
        FLOOR - y(value)
    );
    if least < most {
        svg.line((middle, y(least)), (middle, y(most)), INK, 1.0);
        for end in [least, most] {
            svg.line((middle - 4.0, y(end)), (middle + 4.0, y(end)), INK, 1.0);
        }
    }
    svg.text(middle, y(most) - 6.0, ("middle", 11, 600, INK), thousands(value));
    if row.sold_twice > 0 {
        svg.text(
            middle,
            FLOOR + 16.0,
            ("middle", 11, 600, ALARM),
            format!("{} twice", thousands(row.sold_twice as f64)),
        );
    }
}

fn legend(svg: &mut Svg, guards: &[GuardName], tells_double_sales: bool) {
    let entries = [
        (62.0, 0.0, GuardName::Pessimistic, "pessimistic: rows are locked"),
        (292.0, 0.0, GuardName::Optimistic, "optimistic: versions are checked"),
        (532.0, 0.0, GuardName::Distributed, "distributed: locked in Redis before"),
        (62.0, 22.0, GuardName::None, "none, as a control"),
    ];
    for (x, down, guard, text) in entries.into_iter().filter(|(_, _, guard, _)| guards.contains(guard)) {
        let (fill, edge) = colours(guard);
        let _ = writeln!(
            svg.0,
            r#"<rect x="{x}" y="{}" width="13" height="13" fill="{fill}" stroke="{edge}"/>"#,
            HEIGHT - 59.0 + down
        );
        svg.text(x + 20.0, HEIGHT - 48.0 + down, ("start", 12, 400, INK), text);
    }
    if tells_double_sales {
        svg.text(292.0, HEIGHT - 26.0, ("start", 12, 600, ALARM), "seats sold twice");
    }
}

/// Fill and edge; told apart also by those who see no colours.
const fn colours(guard: GuardName) -> (&'static str, &'static str) {
    match guard {
        GuardName::Pessimistic => ("#2f6690", "#2f6690"),
        GuardName::Optimistic => ("#f2a541", "#f2a541"),
        GuardName::Distributed => ("#7a9e7e", "#4f7353"),
        GuardName::None => ("url(#hatched)", "#9aa5b1"),
    }
}

/// The step of a scale and its end: a few round numbers up to `most` and a little more.
fn scale(most: f64) -> (f64, f64) {
    let raw = most / 4.0;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|round| round * power).find(|step| *step >= raw);
    let step = step.unwrap_or(10.0 * power);
    (step, step * (most / step).ceil())
}

/// A whole number with its thousands set apart.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// SVG as it grows.
struct Svg(String);

impl Svg {
    fn new() -> Self {
        Self(format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" font-family="system-ui, 'Segoe UI', Helvetica, Arial, sans-serif">
<defs><pattern id="hatched" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill="#f4f5f7"/><rect width="2" height="6" fill="#9aa5b1"/></pattern></defs>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
"##
        ))
    }

    /// `style`: anchor, size, weight, colour.
    fn text(&mut self, x: f64, y: f64, style: (&str, u32, u32, &str), text: impl Display) {
        let (anchor, size, weight, colour) = style;
        let text = text.to_string().replace('&', "&amp;").replace('<', "&lt;");
        let _ = writeln!(
            self.0,
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="{colour}">{text}</text>"#
        );
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        let _ = writeln!(
            self.0,
            r#"<line x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" stroke="{colour}" stroke-width="{width}"/>"#,
            from.0, from.1, to.0, to.1
        );
    }

    fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Contender, Round};

    #[test]
    fn a_scale_ends_on_a_round_number_above_the_most() {
        assert_eq!(scale(930.0), (250.0, 1_000.0));
        assert_eq!(scale(24_100.0), (10_000.0, 30_000.0));
        assert_eq!(scale(1.0), (0.25, 1.0));
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(thousands(999.6), "1,000");
        assert_eq!(thousands(12_345_678.0), "12,345,678");
        assert_eq!(thousands(7.0), "7");
    }

    #[test]
    fn every_contender_has_its_bar_and_double_sales_are_told() {
        for (redis, bars) in [(true, 16), (false, 12)] {
            draws_all(&GuardName::measurable(redis), bars);
        }
    }

    fn draws_all(guards: &[GuardName], bars: usize) {
        let measured: Vec<Measured> = Contender::all(guards)
            .into_iter()
            .map(|contender| Measured {
                contender,
                rounds: vec![Round { held_a_second: 1_234.0, ..Round::default() }],
                sold_twice: if contender.guard == GuardName::None { 77 } else { 0 },
                other_violations: 0,
            })
            .collect();
        let conditions = Conditions {
            database: "A<B 1.0".to_owned(),
            single_writer: false,
            guards: guards.to_vec(),
            rounds: 1,
            seconds: 1.0,
        };
        let svg = draw(&conditions, &measured);
        assert_eq!(svg.matches(">1,234<").count(), bars);
        assert_eq!(svg.contains("distributed"), guards.contains(&GuardName::Distributed));
        assert_eq!(svg.matches(">77 twice<").count(), 4);
        assert!(svg.contains("A&lt;B 1.0"));
    }
}
