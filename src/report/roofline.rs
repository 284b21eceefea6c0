//! The roofline plot: the rate of each layer against the limits set by its arithmetic intensity and the
//! machine.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::plot::PlotError;
use crate::profile::{Profile, Row};

const SIZE: (u32, u32) = (1000, 620);
/// Layers that are named beside their point.
const NAMED: usize = 6;
/// A colour for each machine, distinguishable with colour blindness (Okabe and Ito).
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167)];

/// The plot of some profiles as SVG.
///
/// # Errors
/// The library refuses to draw it; no profile is known to cause that.
pub fn roofline(profiles: &[Profile]) -> Result<String, PlotError> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        draw(&area, profiles).map_err(|e| PlotError(e.to_string()))?;
    }
    Ok(text)
}

/// Multiply-accumulates a byte, and tera-operations a second, of a layer that has both.
fn point(p: &Profile, row: &Row) -> Option<(f64, f64)> {
    row.roofline(p).map(|[x, y]| (x, y))
}

/// Tera-operations a second that a machine can reach at an intensity.
fn roof(p: &Profile, intensity: f64) -> f64 {
    let macs = (intensity * p.dram_bytes_per_cycle).min(p.macs_per_cycle as f64);
    2.0 * macs * f64::from(p.clock_mhz) / 1e6
}

type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

fn draw<B: DrawingBackend<ErrorType = std::io::Error>>(
    area: &DrawingArea<B, Shift>,
    profiles: &[Profile],
) -> Drawn {
    area.fill(&WHITE)?;
    let points: Vec<(f64, f64)> =
        profiles.iter().flat_map(|p| p.layers.iter().filter_map(|l| point(p, l))).collect();
    let least = |f: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(f).fold(f64::MAX, f64::min);
    let most_x = points.iter().map(|p| p.0).fold(1000.0, f64::max) * 5.0;
    let (least_x, least_y) = (least(&|p| p.0).min(0.5), least(&|p| p.1).min(0.01) / 2.0);
    let most_y = profiles.iter().map(|p| roof(p, f64::MAX)).fold(0.1, f64::max) * 3.0;
    let title = profiles.first().map_or("", |p| p.program.as_str());
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{title}: TOPS by arithmetic intensity"), ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d((least_x..most_x).log_scale(), (least_y..most_y).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("multiply-accumulates for each byte of DRAM traffic")
        .y_desc("tera-operations a second")
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (p, colour) in profiles.iter().zip(COLOURS.iter().cycle()) {
        let ridge = p.macs_per_cycle as f64 / p.dram_bytes_per_cycle;
        let line = [least_x, ridge.clamp(least_x, most_x), most_x].map(|x| (x, roof(p, x)));
        chart.draw_series([PathElement::new(line.to_vec(), colour.stroke_width(2))])?;
        let name = format!("{}, {:.2} TOPS at most", p.machine, roof(p, f64::MAX));
        let end = (ridge.clamp(least_x, most_x), roof(p, f64::MAX) * 1.4);
        chart.draw_series([Text::new(name, end, ("sans-serif", 13).into_font().color(colour))])?;
        let mut rows: Vec<&Row> = p.layers.iter().filter(|l| point(p, l).is_some()).collect();
        rows.sort_by_key(|l| std::cmp::Reverse(l.cycles));
        for (rank, row) in rows.into_iter().enumerate() {
            let Some(at) = point(p, row) else { continue };
            // The area of a point is the layer's share of the cycles.
            let radius = (2.0 + 30.0 * row.share.sqrt()) as i32;
            chart.draw_series([Circle::new(at, radius, colour.mix(0.45).filled())])?;
            if rank < NAMED && profiles.len() == 1 {
                let place = (at.0 * 1.08, at.1 * 1.05);
                let font = ("sans-serif", 11).into_font().color(&BLACK);
                chart.draw_series([Text::new(row.name.clone(), place, font)])?;
            }
        }
    }
    area.present()
}
