//! Report of `estimate --sweep`: a network on many machines.

use std::fmt::Write;

use plotters::coord::Shift;
use plotters::prelude::*;
use serde::Serialize;

use super::plot::PlotError;
use crate::document::Kind;
use crate::explore::{Point, Sweep};
use crate::readable;

/// A network on the machines of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct SweepReport {
    /// The network.
    pub program: String,
    /// Its machines.
    #[serde(flatten)]
    pub sweep: Sweep,
}

impl Kind for SweepReport {
    const KIND: &'static str = "sweep";
}

/// Columns after the swept fields.
const COLUMNS: [&str; 6] = ["cycles", "time", "end to end", "of peak", "DRAM", "front"];
const SIZE: (u32, u32) = (900, 560);
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

impl SweepReport {
    /// The report as a table, with the machines of the front marked.
    #[must_use]
    pub fn text(&self) -> String {
        let header: Vec<&str> = self.sweep.fields.iter().map(String::as_str).chain(COLUMNS).collect();
        let rows = self.sweep.points.iter().map(|p| {
            let mut row = p.values.clone();
            if let Some(error) = &p.error {
                row.push(error.clone());
                row.resize(header.len(), String::new());
                return row;
            }
            row.extend([
                p.cycles.map_or_else(String::new, readable::grouped),
                p.seconds.map_or_else(String::new, readable::seconds),
                p.end_to_end_seconds.map_or_else(|| "unknown".into(), readable::seconds),
                p.mac_utilization.map_or_else(String::new, |u| format!("{:.1}%", 100.0 * u)),
                p.dram_bytes.map_or_else(String::new, readable::bytes),
                if p.front { "*".into() } else { String::new() },
            ]);
            row
        });
        let right: Vec<usize> = (0..header.len() - 1).collect();
        let mut text = format!("{} on {} with:\n", self.program, self.sweep.machine);
        text.push_str(&readable::table(&header, &right, rows.collect()));
        text.push_str("* no other machine is as fast without more of some swept resource\n");
        text
    }

    /// The report as comma-separated values: the swept fields, then figures in cycles, seconds and bytes.
    #[must_use]
    pub fn csv(&self) -> String {
        let quoted = |s: &str| format!("\"{}\"", s.replace('"', "\"\""));
        let mut text = self.sweep.fields.join(",");
        text.push_str(",cycles,seconds,end_to_end_seconds,mac_utilization,dram_bytes,front,error\n");
        for p in &self.sweep.points {
            let number = |n: Option<String>| n.unwrap_or_default();
            let _ = writeln!(
                text,
                "{},{},{},{},{},{},{},{}",
                p.values.join(","),
                number(p.cycles.map(|n| n.to_string())),
                number(p.seconds.map(|n| n.to_string())),
                number(p.end_to_end_seconds.map(|n| n.to_string())),
                number(p.mac_utilization.map(|n| n.to_string())),
                number(p.dram_bytes.map(|n| n.to_string())),
                p.front,
                p.error.as_deref().map(quoted).unwrap_or_default(),
            );
        }
        text
    }

    /// Time by the first field as SVG, a line for each combination of the others; machines of the front are
    /// filled and named.
    ///
    /// # Errors
    /// The library refuses to draw it; no sweep is known to cause that.
    pub fn plot(&self) -> Result<String, PlotError> {
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
            self.draw(&area).map_err(|e| PlotError(e.to_string()))?;
        }
        Ok(text)
    }

    /// Lines of the plot: the other fields' values, and the points by the place of the first field's value.
    fn lines(&self) -> Vec<(String, Vec<(usize, &Point)>)> {
        let mut lines: Vec<(String, Vec<(usize, &Point)>)> = Vec::new();
        let first = self.first();
        for p in &self.sweep.points {
            let at = first.iter().position(|v| Some(*v) == p.values.first().map(String::as_str)).unwrap_or(0);
            let others = self.sweep.fields.iter().zip(&p.values).skip(1);
            let name = others.map(|(field, value)| format!("{field}={value}")).collect::<Vec<_>>().join(" ");
            match lines.iter_mut().find(|(known, _)| *known == name) {
                Some((_, points)) => points.push((at, p)),
                None => lines.push((name, vec![(at, p)])),
            }
        }
        lines
    }

    /// The values of the first field, in the order given.
    fn first(&self) -> Vec<&str> {
        let mut list = Vec::new();
        for value in self.sweep.points.iter().filter_map(|p| p.values.first()) {
            if !list.contains(&value.as_str()) {
                list.push(value.as_str());
            }
        }
        list
    }

    fn draw<B: DrawingBackend<ErrorType = std::io::Error>>(
        &self,
        area: &DrawingArea<B, Shift>,
    ) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
        area.fill(&WHITE)?;
        let ms = |p: &Point| p.seconds.map(|s| s * 1e3);
        let times: Vec<f64> = self.sweep.points.iter().filter_map(ms).collect();
        let (least, most) = times.iter().fold((f64::MAX, f64::MIN), |(lo, hi), t| (lo.min(*t), hi.max(*t)));
        let (least, most) = if least <= most { (least * 0.9, most * 1.1) } else { (0.1, 1.0) };
        let first = self.first();
        let mut chart = ChartBuilder::on(area)
            .caption(format!("{} on {}", self.program, self.sweep.machine), ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(-0.3..first.len() as f64 - 0.3, (least..most).log_scale())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(first.len().max(2) * 2)
            .x_label_formatter(&|x| {
                let whole = (x.round() - x).abs() < 1e-6 && *x > -0.1;
                first
                    .get(x.round().max(0.0) as usize)
                    .filter(|_| whole)
                    .map_or_else(String::new, |v| (*v).into())
            })
            .x_desc(self.sweep.fields.first().map_or("", String::as_str))
            .y_desc("milliseconds")
            .light_line_style(TRANSPARENT)
            .draw()?;
        let mut ends: Vec<(f64, usize)> = Vec::new();
        let lines = self.lines();
        for (line, (name, points)) in lines.iter().enumerate() {
            let colour = COLOURS[line % COLOURS.len()];
            let places: Vec<(f64, f64, bool)> =
                points.iter().filter_map(|(at, p)| Some((*at as f64, ms(p)?, p.front))).collect();
            chart.draw_series([PathElement::new(
                places.iter().map(|(x, y, _)| (*x, *y)).collect::<Vec<_>>(),
                colour.stroke_width(2),
            )])?;
            chart.draw_series(places.iter().map(|(x, y, front)| {
                let style = if *front { colour.filled() } else { colour.stroke_width(1) };
                Circle::new((*x, *y), if *front { 6 } else { 3 }, style)
            }))?;
            if let Some((_, y, _)) = places.first() {
                ends.push((*y, line));
            }
            let _ = name;
        }
        // Names stand one below the other at the right, in the order of their lines at the left.
        ends.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (rank, (_, line)) in ends.iter().enumerate() {
            let name = &lines[*line].0;
            let font = ("sans-serif", 13).into_font().color(&COLOURS[line % COLOURS.len()]);
            let width = 7 * name.len() as i32;
            area.draw(&Text::new(name.clone(), (SIZE.0 as i32 - 20 - width, 46 + 17 * rank as i32), font))?;
        }
        area.present()
    }
}
