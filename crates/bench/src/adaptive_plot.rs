//! Rate and latency of the adaptive room, second by second, as an SVG file.

use std::path::Path;

use plotters::prelude::*;

use crate::{
    adaptive::{Calm, SLOW, Second, percentile_ms},
    stage::Failure,
};

/// Draws the rate above and the latency below it; the slow time is grey.
pub(crate) fn draw(path: &Path, seconds: &[Second], calm: Calm) -> Result<(), Failure> {
    let area = SVGBackend::new(path, (900, 700)).into_drawing_area();
    area.fill(&WHITE)?;
    let halves = area.split_evenly((2, 1));
    let points = |value: fn(&Second) -> f64| {
        (0..).map(f64::from).zip(seconds.iter().map(value)).collect::<Vec<(f64, f64)>>()
    };
    let rate = points(|second| second.rate);
    let holds = points(|second| second.holds_ms.len() as f64);
    let p99 = points(|second| percentile_ms(std::slice::from_ref(second), 99));
    let limit = (0..)
        .map(f64::from)
        .zip((0..seconds.len()).map(|second| {
            let slow = (SLOW.0..SLOW.1).contains(&second);
            2.0 * if slow { calm.slow_ms } else { calm.usual_ms }
        }))
        .collect();
    chart(&halves[0], "admissions a second (blue), holds answered (green)", &[(rate, BLUE), (holds, GREEN)])?;
    chart(
        &halves[1],
        "99th percentile of a hold, ms (blue); twice that of a calm sale (red)",
        &[(p99, BLUE), (limit, RED)],
    )?;
    area.present()?;
    Ok(())
}

type Series = (Vec<(f64, f64)>, RGBColor);

fn chart(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    title: &str,
    series: &[Series],
) -> Result<(), Failure> {
    let points = || series.iter().flat_map(|(points, _)| points.iter());
    let end = points().map(|point| point.0).fold(1.0, f64::max);
    let top = points().map(|point| point.1).fold(1.0, f64::max) * 1.05;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(15)
        .x_label_area_size(40)
        .y_label_area_size(55)
        .build_cartesian_2d(0.0..end, 0.0..top)
        .map_err(|error| error.to_string())?;
    chart.configure_mesh().x_desc("seconds").draw().map_err(|error| error.to_string())?;
    let slow = Rectangle::new([(SLOW.0 as f64, 0.0), (SLOW.1 as f64, top)], BLACK.mix(0.08).filled());
    chart.draw_series([slow]).map_err(|error| error.to_string())?;
    for (points, colour) in series {
        let line = LineSeries::new(points.iter().copied(), colour);
        chart.draw_series(line).map_err(|error| error.to_string())?;
    }
    Ok(())
}
