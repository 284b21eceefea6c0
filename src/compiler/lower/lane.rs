//! Float expressions, tile by tile: operands are dequantized, every step is one instruction, the result is
//! quantized. A value's buffer is reused after its last reader.

use super::super::CompileError;
use super::super::tile::{Buffer, Code, Quant, Stmt, TileOp, View};
use super::{Lowering, load_constants, spm_view, too_large};
use crate::graph::{LaneStep, Node};
use crate::isa::EType;

/// Location of a value of the expression.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// A source of the layer that is already float.
    Source(usize),
    /// A number, by its index among the numbers.
    Number(usize),
    /// A float buffer.
    Slot(usize),
}

/// The expression with a location for every value.
struct Plan {
    places: Vec<Place>,
    slots: usize,
    numbers: Vec<f32>,
}

impl Plan {
    /// Assigns slots to the steps; `integer(i)` returns whether source `i` must be dequantized.
    fn new(steps: &[LaneStep], integer: impl Fn(usize) -> bool) -> Plan {
        let mut last = vec![0; steps.len()];
        for (i, s) in steps.iter().enumerate() {
            match *s {
                LaneStep::One(_, a) => last[a] = i,
                LaneStep::Two(_, a, b) => {
                    last[a] = i;
                    last[b] = i;
                }
                LaneStep::Input(_) | LaneStep::Number(_) => {}
            }
        }
        let mut plan = Plan { places: Vec::new(), slots: 0, numbers: Vec::new() };
        let mut free: Vec<usize> = Vec::new();
        for (i, s) in steps.iter().enumerate() {
            // Operands read for the last time pass their slots to the result: element-wise in place.
            let operands = match *s {
                LaneStep::One(_, a) => vec![a],
                LaneStep::Two(_, a, b) if a == b => vec![a],
                LaneStep::Two(_, a, b) => vec![a, b],
                LaneStep::Input(_) | LaneStep::Number(_) => vec![],
            };
            for a in operands {
                if let (Place::Slot(slot), true) = (plan.places[a], last[a] == i) {
                    free.push(slot);
                }
            }
            let place = match *s {
                LaneStep::Number(x) => {
                    let at = plan.numbers.iter().position(|n| n.to_bits() == x.to_bits());
                    Place::Number(at.unwrap_or_else(|| {
                        plan.numbers.push(x);
                        plan.numbers.len() - 1
                    }))
                }
                LaneStep::Input(n) if !integer(n) => Place::Source(n),
                _ => Place::Slot(free.pop().unwrap_or_else(|| {
                    plan.slots += 1;
                    plan.slots - 1
                })),
            };
            plan.places.push(place);
        }
        plan
    }
}

impl Lowering<'_> {
    pub(super) fn lane(&mut self, node: &Node, steps: &[LaneStep]) -> Result<Vec<Stmt>, CompileError> {
        let operands = self.operands(node)?;
        let float = |i: usize| operands.sources.get(i).is_some_and(|s| s.storage.etype == EType::F32);
        let plan = Plan::new(steps, |i| !float(i));
        let mut spm = self.spm();
        let mut body = Vec::new();
        let mut numbers = Buffer::new(0, 0);
        if !plan.numbers.is_empty() {
            let bytes: Vec<u8> = plan.numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
            numbers = spm
                .take(bytes.len() as i64)
                .ok_or_else(|| too_large(node, "scratchpad", bytes.len() as i64, self.machine.spm.bytes))?;
            let from = self.constants.append_loaded(&bytes);
            let segment = Buffer::new(0, self.constants.len() as i64);
            let n = (bytes.len() as i64).into();
            body.push(Stmt::Op(load_constants(segment, from.into(), numbers, n)));
        }
        let mut scales = Vec::new();
        for id in &node.inputs {
            scales.push(if self.graph.tensor(*id).quant.is_some() {
                Some(self.float_quant(node, *id)?)
            } else {
                None
            });
        }
        let result = match self.graph.tensor(node.outputs[0]).quant {
            Some(_) => Some(self.float_quant(node, node.outputs[0])?),
            None => None,
        };
        body.extend(self.map_steps(node, spm, operands, plan.slots, |views, slots| {
            tile(steps, &plan, numbers, &scales, result.as_ref(), &views, slots)
        })?);
        Ok(body)
    }
}

/// The operations of one tile. `views` are destination and sources.
fn tile(
    steps: &[LaneStep],
    plan: &Plan,
    numbers: Buffer,
    scales: &[Option<Quant>],
    result: Option<&Quant>,
    views: &[View],
    slots: &[View],
) -> Vec<TileOp> {
    let at = |place: Place| match place {
        Place::Source(n) => views[n + 1].clone(),
        Place::Slot(n) => slots[n].clone(),
        Place::Number(n) => {
            let base = (numbers.start + 4 * n as i64).into();
            spm_view(numbers, EType::F32, base, views[0].dims.clone(), [0; 4], 0, 1)
        }
    };
    let mut ops = Vec::new();
    for (i, step) in steps.iter().enumerate() {
        // The last step of a float result writes to the destination.
        let to = if i + 1 == steps.len() && result.is_none() { views[0].clone() } else { at(plan.places[i]) };
        ops.push(match *step {
            LaneStep::Number(_) => continue,
            LaneStep::Input(n) => match &scales[n] {
                Some(q) => {
                    TileOp::new(Code::Dequantize, vec![to, views[n + 1].clone()]).with_quant(q.clone())
                }
                None => continue,
            },
            LaneStep::One(f, a) => TileOp::new(Code::F1(f), vec![to, at(plan.places[a])]),
            LaneStep::Two(f, a, b) => {
                TileOp::new(Code::F2(f), vec![to, at(plan.places[a]), at(plan.places[b])])
            }
        });
    }
    if let (Some(q), Some(last)) = (result, plan.places.last()) {
        ops.push(TileOp::new(Code::Quantize, vec![views[0].clone(), at(*last)]).with_quant(q.clone()));
    }
    ops
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Float1, Float2};

    #[test]
    fn values_share_buffers() {
        // x · sigmoid(x): the sigmoid needs a slot of its own, the product reuses one of the two.
        let steps = [
            LaneStep::Input(0),
            LaneStep::One(Float1::Sigmoid, 0),
            LaneStep::Two(Float2::Mul, 0, 1),
            LaneStep::Number(2.0),
            LaneStep::Two(Float2::Add, 2, 3),
        ];
        let plan = Plan::new(&steps, |_| true);
        assert_eq!(plan.slots, 2);
        assert_eq!(plan.places[3], Place::Number(0));
        assert_eq!(Plan::new(&steps, |_| false).slots, 1);
    }
}
