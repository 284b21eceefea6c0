//! Layers of a trace, and the first difference of two traces.

use super::{Filter, Record, TraceError, TraceReader};

/// A layer in a trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerSummary {
    /// `T_k − T_(k−1)`: `T_k` the latest end among the records of layers up to it.
    pub cycles: u64,
    /// Bytes over the DRAM channel.
    pub bytes: u64,
    /// Records.
    pub records: u64,
}

/// Summarizes a trace, layer by layer in the order of the program's table; the second value is the last
/// cycle.
///
/// # Errors
/// The trace is damaged.
pub fn summarize(trace: &mut TraceReader) -> Result<(Vec<LayerSummary>, u64), TraceError> {
    let count = trace.header.layers.len();
    let mut rows = vec![LayerSummary::default(); count];
    let mut ends = vec![0_u64; count];
    let (mut first, mut total) = (None, 0);
    trace.read(&Filter::default(), &mut |r| {
        total = total.max(r.end());
        if let Some(layer) = r.layer.map(|l| l as usize).filter(|l| *l < count) {
            if r.executed.is_none() {
                first.get_or_insert(r.issue);
            }
            ends[layer] = ends[layer].max(r.end());
            rows[layer].records += 1;
            let bytes = r.executed.as_ref().map_or(0, |e| e.dram_bytes);
            rows[layer].bytes = rows[layer].bytes.saturating_add(bytes);
        }
        true
    })?;
    let mut boundary = first.unwrap_or(0);
    for (row, end) in rows.iter_mut().zip(ends) {
        row.cycles = end.saturating_sub(boundary);
        boundary = boundary.max(end);
    }
    Ok((rows, total))
}

/// The first records of two traces of the same program that wrote different values; `None` if all wrote the
/// same.
///
/// # Errors
/// A trace is damaged.
pub fn first_difference(
    a: &mut TraceReader,
    b: &mut TraceReader,
) -> Result<Option<(Record, Record)>, TraceError> {
    let mut from = 0;
    loop {
        // One stretch of each trace at a time, so that long traces need little memory.
        let (left, right) = (stretch(a, from)?, stretch(b, from)?);
        for (x, y) in left.iter().zip(&right) {
            let wrote = |r: &Record| r.executed.as_ref().and_then(|e| e.wrote);
            if x.pc != y.pc || x.written != y.written || wrote(x) != wrote(y) {
                return Ok(Some((x.clone(), y.clone())));
            }
        }
        if left.len() != right.len() || left.is_empty() {
            return Ok(None);
        }
        from += left.len() as u64;
    }
}

/// Records of a stretch.
const STRETCH: usize = 1 << 16;

fn stretch(trace: &mut TraceReader, from: u64) -> Result<Vec<Record>, TraceError> {
    let mut list = Vec::new();
    trace.read_from(from, &mut |r| {
        list.push(r.clone());
        list.len() < STRETCH
    })?;
    Ok(list)
}
