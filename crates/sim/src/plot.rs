//! Predicted against actual waits, as an SVG file.

use std::{error::Error, path::Path};

use plotters::prelude::*;

use crate::line::Prediction;

/// How many points are drawn: enough to see the shape, few enough for a browser.
const POINTS: usize = 4_000;

/// Draws some of the predictions, those on the diagonal were right.
///
/// # Errors
/// If the file cannot be written.
pub fn waits(path: &Path, title: &str, predictions: &[Prediction]) -> Result<(), Box<dyn Error>> {
    let minutes = |ms: u32| f64::from(ms) / 60_000.0;
    let longest =
        predictions.iter().map(|wait| wait.actual_ms.max(wait.predicted_ms)).max().unwrap_or(60_000);
    let axis = 0.0..minutes(longest);
    let area = SVGBackend::new(path, (800, 800)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(20)
        .x_label_area_size(45)
        .y_label_area_size(55)
        .build_cartesian_2d(axis.clone(), axis.clone())?;
    chart.configure_mesh().x_desc("predicted wait (minutes)").y_desc("actual wait (minutes)").draw()?;
    let some = predictions.iter().step_by((predictions.len() / POINTS).max(1));
    chart.draw_series(some.map(|wait| {
        Circle::new((minutes(wait.predicted_ms), minutes(wait.actual_ms)), 2, BLUE.mix(0.25).filled())
    }))?;
    chart.draw_series(LineSeries::new([(axis.start, axis.start), (axis.end, axis.end)], &RED))?;
    area.present()?;
    Ok(())
}
