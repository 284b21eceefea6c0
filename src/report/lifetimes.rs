//! The picture of what lies in the scratchpad, where and when.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::plot::PlotError;
use crate::profile::Lifetime;
use crate::readable;

const SIZE: (u32, u32) = (1200, 640);
/// Blocks that are named: those that cover the most bytes for the most cycles.
const NAMED: usize = 16;
/// Weights and inputs that DMA brings, results of the vector unit, and the rest.
const BROUGHT: RGBColor = RGBColor(86, 180, 233);
const MADE: RGBColor = RGBColor(230, 159, 0);
const OTHERS: RGBColor = RGBColor(150, 150, 150);

/// The picture as SVG: cycles to the right, addresses upwards.
///
/// # Errors
/// The library refuses to draw it; no program is known to cause that.
pub fn lifetimes_plot(
    title: &str,
    list: &[Lifetime],
    spm_bytes: u64,
    cycles: u64,
) -> Result<String, PlotError> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        draw(&area, title, list, spm_bytes, cycles).map_err(|e| PlotError(e.to_string()))?;
    }
    Ok(text)
}

fn colour(of: &Lifetime) -> RGBColor {
    match of.unit.as_str() {
        "DMA-in" => BROUGHT,
        "VEC" => MADE,
        _ => OTHERS,
    }
}

fn draw<B: DrawingBackend<ErrorType = std::io::Error>>(
    area: &DrawingArea<B, Shift>,
    title: &str,
    list: &[Lifetime],
    spm_bytes: u64,
    cycles: u64,
) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{title}: what lies in the scratchpad"), ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(80)
        .build_cartesian_2d(0.0..cycles.max(1) as f64, 0.0..spm_bytes.max(1) as f64)?;
    chart
        .configure_mesh()
        .x_desc("cycles")
        .y_desc("address in the scratchpad")
        .x_label_formatter(&|v| readable::grouped(*v as u64))
        .y_label_formatter(&|v| readable::bytes(*v as u64))
        .light_line_style(TRANSPARENT)
        .draw()?;
    let corners =
        |b: &Lifetime| [(b.from as f64, b.start as f64), (b.to.max(b.from + 1) as f64, b.end as f64)];
    for block in list {
        chart.draw_series([Rectangle::new(corners(block), colour(block).mix(0.75).filled())])?;
        chart.draw_series([Rectangle::new(corners(block), WHITE.mix(0.6).stroke_width(1))])?;
    }
    // A name stands in its block, if the block has room for it.
    let (wide, high) = (SIZE.0 as f64 / cycles.max(1) as f64, SIZE.1 as f64 / spm_bytes.max(1) as f64);
    let area_of = |b: &&Lifetime| (b.to - b.from) as u128 * (b.end - b.start).max(0) as u128;
    let mut largest: Vec<&Lifetime> = list.iter().collect();
    largest.sort_by_key(|b| std::cmp::Reverse(area_of(b)));
    let fits = |b: &&Lifetime| {
        (b.to - b.from) as f64 * wide > 6.5 * b.layer.len() as f64 + 8.0
            && (b.end - b.start) as f64 * high > 16.0
    };
    // The largest block of each layer has its name.
    let mut named: Vec<&str> = Vec::new();
    for block in largest.into_iter().filter(fits) {
        if named.len() == NAMED || named.contains(&block.layer.as_str()) {
            continue;
        }
        named.push(&block.layer);
        let place = (block.from as f64 + 4.0 / wide, block.end as f64 - 3.0 / high);
        let font = ("sans-serif", 12).into_font().color(&BLACK);
        chart.draw_series([Text::new(block.layer.clone(), place, font)])?;
    }
    let legend = [("brought by DMA", BROUGHT), ("results of the vector unit", MADE), ("other", OTHERS)];
    for (at, (name, colour)) in (0..).zip(legend) {
        let (x, y) = (90 + at * 190, SIZE.1 as i32 - 24);
        area.draw(&Rectangle::new([(x, y), (x + 12, y + 12)], colour.filled()))?;
        area.draw(&Text::new(name, (x + 17, y), ("sans-serif", 12).into_font().color(&BLACK)))?;
    }
    area.present()
}
