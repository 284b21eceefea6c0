//! Which layer cycles belong to (manual, *Time*: Layers).

use std::collections::BTreeMap;

use super::report::{ClockReport, LayerCycles};

/// One execution of a layer; a loop may execute a layer several times.
#[derive(Debug, Clone, Copy)]
struct Passage {
    layer: u32,
    /// Latest end among its instructions.
    latest: u64,
}

/// Number of a passage, which instructions carry.
pub(super) type PassageId = u32;

/// Tracks the layers of a run. Instructions may be issued for a layer that has not begun: loads of its
/// constants.
#[derive(Debug, Clone, Default)]
pub(super) struct Layers {
    passages: Vec<Passage>,
    /// Passages that have instructions but have not begun.
    early: BTreeMap<u32, PassageId>,
    open: Option<PassageId>,
    /// Ended passages, in the order of their ends.
    ended: Vec<PassageId>,
    /// The cycle in which the first layer began.
    first: Option<u64>,
}

impl Layers {
    fn passage(&mut self, layer: u32) -> PassageId {
        self.passages.push(Passage { layer, latest: 0 });
        (self.passages.len() - 1) as PassageId
    }

    /// `layer.begin` executes in cycle `now`.
    pub(super) fn begin(&mut self, layer: u32, now: u64) {
        self.first.get_or_insert(now);
        self.open = Some(match self.early.remove(&layer) {
            Some(passage) => passage,
            None => self.passage(layer),
        });
    }

    /// `layer.end` has executed; `now` is the cycle after it.
    pub(super) fn end(&mut self, now: u64) {
        if let Some(passage) = self.open.take() {
            self.finish(passage, now);
            self.ended.push(passage);
        }
    }

    /// The passage that an instruction of `layer` belongs to; `None` outside of layers.
    pub(super) fn of(&mut self, layer: Option<u32>) -> Option<PassageId> {
        let layer = layer?;
        if let Some(open) = self.open.filter(|p| self.passages[*p as usize].layer == layer) {
            return Some(open);
        }
        if let Some(early) = self.early.get(&layer) {
            return Some(*early);
        }
        let passage = self.passage(layer);
        self.early.insert(layer, passage);
        Some(passage)
    }

    /// The layer of a passage.
    pub(super) fn layer(&self, passage: PassageId) -> u32 {
        self.passages[passage as usize].layer
    }

    /// An instruction of a passage ends in cycle `end`.
    pub(super) fn finish(&mut self, passage: PassageId, end: u64) {
        let latest = &mut self.passages[passage as usize].latest;
        *latest = end.max(*latest);
    }

    /// Distributes the total over prologue, layers and epilogue: layer `k` gets `T_k − T_(k−1)`.
    pub(super) fn distribute(&self, report: &mut ClockReport) {
        let mut boundary = self.first.unwrap_or(report.total);
        report.prologue = boundary;
        for id in &self.ended {
            let Passage { layer, latest } = self.passages[*id as usize];
            let next = latest.max(boundary);
            if let Some(row) = report.layers.get_mut(layer as usize) {
                row.cycles += next - boundary;
                row.end = next;
            }
            boundary = next;
        }
        report.epilogue = report.total - boundary;
    }

    /// The row of a layer's report, if the program names the layer.
    pub(super) fn row<'r>(
        &self,
        report: &'r mut ClockReport,
        passage: Option<PassageId>,
    ) -> Option<&'r mut LayerCycles> {
        report.layers.get_mut(self.layer(passage?) as usize)
    }
}
