//! Draws a simulation: points, concurrency, queue length and parked messages over time.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::Path;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::{
    AreaSeries, ChartBuilder, Color, DrawingArea, IntoDrawingArea, IntoFont, LineSeries, PathElement, RGBColor,
    SVGBackend, SeriesLabelPosition, ShapeStyle, WHITE,
};

use super::observations::Observations;
use super::result::{KeyResult, SimulationResult, WindowResult};
use super::scenario::Scenario;

const SIZE: (u32, u32) = (1_200, 1_080);
const TITLE: i32 = 18;
const LABEL: i32 = 13;
const HOUR: f64 = 3_600.0;
const DAY: f64 = 86_400.0;

/// If there are more keys than this, only their sum is drawn.
const MAX_KEYS: usize = 8;

/// Colours that readers with red-green colour blindness can tell apart: Okabe and Ito, "Color universal design".
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(86, 180, 233),
    RGBColor(204, 121, 167),
    RGBColor(140, 130, 20),
    RGBColor(90, 90, 90),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One line in a panel.
struct Series {
    name: String,
    colour: RGBColor,
    filled: bool,
    points: Vec<(f64, f64)>,
}

/// The time axis: its unit and its end.
#[derive(Clone, Copy)]
struct Time {
    unit: f64,
    name: &'static str,
    end: f64,
}

/// Draws the chart into `file`.
pub(super) fn draw(
    file: &Path,
    scenario: &Scenario,
    result: &SimulationResult,
    observed: &Observations,
) -> anyhow::Result<()> {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE).map_err(chart_error)?;
    let root = root.titled(&heading(result), ("sans-serif", TITLE + 2).into_font()).map_err(chart_error)?;
    let seconds = scenario.hours.as_secs_f64();
    let (unit, name) = if seconds > 4.0 * DAY { (DAY, "days") } else { (HOUR, "hours") };
    let time = Time { unit, name, end: seconds / unit };
    let panels = root.split_evenly((4, 1));
    let titles = [
        "points spent so far (lighter: points granted so far)",
        "rank fetchers",
        "messages in the queue",
        "messages parked",
    ];
    let series = [points(result, time), concurrency(observed, time), queue(observed, time), parked(observed, time)];
    for ((panel, title), series) in panels.iter().zip(titles).zip(series) {
        draw_panel(panel, title, &series, time)?;
    }
    root.present().map_err(|error| anyhow!("--chart: cannot write {}: {error}", file.display()))
}

/// Returns the verdict, cut to the length that fits above a chart.
fn heading(result: &SimulationResult) -> String {
    result.verdict.split(", or ").next().unwrap_or_default().to_owned()
}

/// Returns for each key the points spent so far and, in a lighter colour, the points granted. The area between the two
/// is what expired.
fn points(result: &SimulationResult, time: Time) -> Vec<Series> {
    if result.keys.len() > MAX_KEYS {
        let ends: BTreeSet<u64> =
            result.keys.iter().flat_map(|key| &key.windows).map(|window| window.reset_at_seconds as u64).collect();
        let total = |of: fn(&KeyResult, &WindowResult) -> f64| {
            let up_to = |end: u64| {
                let windows = result.keys.iter().flat_map(|key| key.windows.iter().map(move |window| (key, window)));
                windows
                    .filter(|(_, window)| window.reset_at_seconds as u64 <= end)
                    .map(|(key, window)| of(key, window))
                    .sum()
            };
            std::iter::once((0.0, 0.0)).chain(ends.iter().map(|end| (*end as f64 / time.unit, up_to(*end)))).collect()
        };
        let (granted, spent) = (total(|key, _| key.limit.to_float()), total(|_, window| window.spent.to_float()));
        let keys = result.keys.len();
        return vec![
            Series { name: format!("granted to {keys} keys"), colour: COLOURS[4], filled: false, points: granted },
            Series { name: "spent".into(), colour: COLOURS[0], filled: false, points: spent },
        ];
    }
    let mut series = Vec::new();
    for (key, colour) in result.keys.iter().zip(COLOURS) {
        let name = format!("{} of {}", key.key, crate::format::points(key.limit));
        let granted = running_total(key, time, |_| key.limit.to_float());
        series.push(Series { name: String::new(), colour: lighter(colour), filled: false, points: granted });
        let spent = running_total(key, time, |window| window.spent.to_float());
        series.push(Series { name, colour, filled: false, points: spent });
    }
    series
}

fn running_total(key: &KeyResult, time: Time, of: impl Fn(&WindowResult) -> f64) -> Vec<(f64, f64)> {
    let mut total = 0.0;
    let ends = key.windows.iter().map(|window| {
        total += of(window);
        (window.reset_at_seconds / time.unit, total)
    });
    std::iter::once((0.0, 0.0)).chain(ends).collect()
}

/// Returns the colour half way to white.
fn lighter(RGBColor(red, green, blue): RGBColor) -> RGBColor {
    let half = |part: u8| part / 2 + 127;
    RGBColor(half(red), half(green), half(blue))
}

fn concurrency(observed: &Observations, time: Time) -> Vec<Series> {
    vec![
        series("allowed", COLOURS[4], true, observed, time, |sample| f64::from(sample.concurrency)),
        series("running", COLOURS[3], false, observed, time, |sample| f64::from(sample.running)),
    ]
}

fn queue(observed: &Observations, time: Time) -> Vec<Series> {
    vec![series("queued", COLOURS[2], true, observed, time, |sample| sample.queued as f64)]
}

fn parked(observed: &Observations, time: Time) -> Vec<Series> {
    vec![series("parked", COLOURS[5], true, observed, time, |sample| sample.parked as f64)]
}

fn series(
    name: &str,
    colour: RGBColor,
    filled: bool,
    observed: &Observations,
    time: Time,
    value: impl Fn(&super::observations::Sample) -> f64,
) -> Series {
    let points = observed.samples.iter().map(|sample| (sample.at.as_secs_f64() / time.unit, value(sample)));
    Series { name: name.to_owned(), colour, filled, points: points.collect() }
}

fn draw_panel(panel: &Area<'_>, title: &str, series: &[Series], time: Time) -> anyhow::Result<()> {
    let values = series.iter().flat_map(|series| &series.points).map(|(_, value)| *value);
    let most = values.fold(1.0, f64::max) * 1.05;
    let mut chart = ChartBuilder::on(panel)
        .caption(title, ("sans-serif", TITLE))
        .margin(8)
        .margin_right(24)
        .x_label_area_size(34)
        .y_label_area_size(76)
        .build_cartesian_2d(0.0..time.end, 0.0..most)
        .map_err(chart_error)?;
    chart
        .configure_mesh()
        .x_desc(time.name)
        .x_labels(13)
        .y_labels(5)
        .x_label_formatter(&|at| short(*at))
        .y_label_formatter(&|value| crate::format::number(*value as u64))
        .label_style(("sans-serif", LABEL))
        .axis_desc_style(("sans-serif", LABEL))
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(228, 228, 228))
        .draw()
        .map_err(chart_error)?;
    for Series { name, colour, filled, points } in series {
        let style = ShapeStyle::from(colour).stroke_width(2);
        let drawn = if *filled {
            chart.draw_series(AreaSeries::new(points.iter().copied(), 0.0, colour.mix(0.25)).border_style(style))
        } else {
            chart.draw_series(LineSeries::new(points.iter().copied(), style))
        };
        let drawn = drawn.map_err(chart_error)?;
        if !name.is_empty() {
            drawn.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
    }
    chart
        .configure_series_labels()
        .position(if series.len() > 2 { SeriesLabelPosition::UpperLeft } else { SeriesLabelPosition::UpperRight })
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .label_font(("sans-serif", LABEL))
        .draw()
        .map_err(chart_error)
}

/// Formats a number: `12`, `0.5`.
fn short(at: f64) -> String {
    format!("{at:.1}").trim_end_matches(".0").to_owned()
}

fn chart_error(error: impl Display) -> anyhow::Error {
    anyhow!("--chart: cannot draw: {error}")
}
