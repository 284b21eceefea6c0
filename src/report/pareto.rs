//! The Pareto plot of tuning: accuracy against cycles of every measured model.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::plot::PlotError;
use crate::readable;
use crate::tune::{Metric, Point, Tuned};

const SIZE: (u32, u32) = (900, 560);
const GREY: RGBColor = RGBColor(120, 120, 120);
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(213, 94, 0);

/// The plot as SVG.
///
/// # Errors
/// The library refuses to draw it; no result is known to cause that.
pub fn pareto(title: &str, tuned: &Tuned) -> Result<String, PlotError> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        draw(&area, title, tuned).map_err(|e| PlotError(e.to_string()))?;
    }
    Ok(text)
}

/// The value on the vertical axis.
fn value(tuned: &Tuned, point: &Point) -> f64 {
    match (tuned.metric, point.top1) {
        (Metric::Top1, Some(share)) => 100.0 * share,
        _ => point.sqnr,
    }
}

type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

fn draw<B: DrawingBackend<ErrorType = std::io::Error>>(
    area: &DrawingArea<B, Shift>,
    title: &str,
    tuned: &Tuned,
) -> Drawn {
    area.fill(&WHITE)?;
    let share = tuned.metric == Metric::Top1;
    let points: Vec<(f64, f64)> = tuned.tried.iter().map(|p| (p.cycles as f64, value(tuned, p))).collect();
    let target = if share { 100.0 * tuned.target } else { tuned.target };
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let (lo, hi) = values.fold((f64::MAX, f64::MIN), |(lo, hi), v| (lo.min(v), hi.max(v)));
        let margin = ((hi - lo) * 0.08).max(hi.abs() * 0.001 + 1e-9);
        (lo - margin)..(hi + margin)
    };
    let xs = range(&mut points.iter().map(|p| p.0));
    let ys = range(&mut points.iter().map(|p| p.1).chain([target]));
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{title}: accuracy against cycles"), ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(xs.clone(), ys)?;
    chart
        .configure_mesh()
        .x_desc("cycles")
        .y_desc(if share { "top-1, %" } else { "SQNR at the outputs, dB" })
        .x_label_formatter(&|v| readable::grouped(*v as u64))
        .light_line_style(TRANSPARENT)
        .draw()?;
    chart.draw_series([PathElement::new(
        vec![(xs.start, target), (xs.end, target)],
        ORANGE.stroke_width(1),
    )])?;
    chart.draw_series([Text::new(
        "target",
        (xs.start, target),
        ("sans-serif", 12).into_font().color(&ORANGE),
    )])?;
    let front: Vec<(f64, f64)> =
        tuned.pareto().into_iter().map(|p| (p.cycles as f64, value(tuned, p))).collect();
    chart.draw_series([PathElement::new(front, BLUE.stroke_width(2))])?;
    chart.draw_series(points.iter().map(|p| Circle::new(*p, 4, GREY.mix(0.6).filled())))?;
    let named = [(&tuned.plain, "plain 8 bits"), (&tuned.wide, "all in 16 bits"), (&tuned.best, "chosen")];
    for (e, name) in named {
        let at = (e.point.cycles as f64, value(tuned, &e.point));
        chart.draw_series([Circle::new(at, 6, BLUE.filled())])?;
        let right = at.0 > (xs.start + xs.end) / 2.0;
        let place = if right {
            (at.0 - (xs.end - xs.start) * 0.13, at.1)
        } else {
            (at.0 + (xs.end - xs.start) * 0.012, at.1)
        };
        chart.draw_series([Text::new(name, place, ("sans-serif", 13).into_font().color(&BLACK))])?;
    }
    area.present()
}
