//! Adding tensors and layers to the graph, with unique names.

use super::importer::{Fate, Importer, same_quant};
use super::node::OnnxNode;
use super::value::Refusal;
use crate::graph::{DType, Node, Op, Quant, Tensor, TensorId};

impl<'a> Importer<'a> {
    /// Adds a tensor without a producer.
    pub(super) fn tensor(&mut self, tensor: Tensor) -> TensorId {
        let id = TensorId(self.graph.tensors.len() as u32);
        self.tensor_names.insert(tensor.name.clone());
        self.graph.tensors.push(tensor);
        id
    }

    /// Adds a layer with one output. `nodes` are the ONNX nodes that it absorbs, `own` the one that names it.
    pub(super) fn layer(
        &mut self,
        own: usize,
        op: Op,
        inputs: Vec<TensorId>,
        output: Tensor,
        nodes: &[usize],
    ) -> TensorId {
        let level = inputs.iter().map(|id| self.level_of(*id)).max().unwrap_or(0);
        let id = self.tensor(output);
        self.levels.insert(id, level);
        let name = self.layer_name(own);
        let mut absorbed: Vec<usize> = nodes.to_vec();
        absorbed.push(own);
        absorbed.sort_unstable();
        absorbed.dedup();
        for &i in &absorbed {
            self.mark(i, if i == own { Fate::Layer(name.clone()) } else { Fate::Fused(name.clone()) });
        }
        let onnx_nodes = absorbed.iter().map(|i| self.nodes[*i].name.clone()).collect();
        self.made_by.insert(id, self.graph.nodes.len());
        self.graph.nodes.push(Node { name, op, inputs, outputs: vec![id], onnx_nodes });
        id
    }

    /// The name of the node, with a number if a layer has it already.
    pub(super) fn layer_name(&mut self, own: usize) -> String {
        self.unique_layer(self.nodes[own].name.clone())
    }

    pub(super) fn unique_layer(&mut self, base: String) -> String {
        let mut name = base.clone();
        while !self.layer_names.insert(name.clone()) {
            let number = self.repeats.entry(base.clone()).or_insert(1);
            *number += 1;
            name = format!("{base}#{number}");
        }
        name
    }

    /// The integers of a tensor under a scale and zero point. A tensor that has others is read again under
    /// these: the integers are the same, and only the reader interprets them (ONNX).
    pub(super) fn read_as(
        &mut self,
        n: &OnnxNode<'a>,
        id: TensorId,
        quant: Quant,
    ) -> Result<TensorId, Refusal> {
        let tensor = &mut self.graph.tensors[id.0 as usize];
        let Some((least, most)) = tensor.dtype.int_range() else {
            return Err(Refusal::Unsupported(format!(
                "it reads the float tensor \"{}\" as integers",
                tensor.name
            )));
        };
        if !(least..=most).contains(&i64::from(quant.zero_point)) {
            return Err(Refusal::Malformed(format!(
                "the zero point {} is outside {}, the type of \"{}\"",
                quant.zero_point,
                tensor.dtype.name(),
                tensor.name
            )));
        }
        match tensor.quant {
            None => {
                tensor.quant = Some(quant);
                Ok(id)
            }
            Some(known) if same_quant(known, quant) => Ok(id),
            Some(_) => {
                let key = (id, quant.scale.to_bits(), quant.zero_point);
                if let Some(known) = self.readings.get(&key) {
                    return Ok(*known);
                }
                let name = format!("{}.read_by.{}", tensor.name, n.name);
                let output = Tensor { name, quant: Some(quant), ..tensor.clone() };
                let reading = self.unnamed_layer(n.index, "reading", Op::Reshape, vec![id], output);
                self.readings.insert(key, reading);
                Ok(reading)
            }
        }
    }

    /// A tensor of booleans as ones and zeros of 8 bits.
    pub(super) fn flags(&mut self, n: &OnnxNode<'a>, id: TensorId) -> Result<TensorId, Refusal> {
        let tensor = self.graph.tensor(id);
        if tensor.dtype != DType::Bool {
            return Err(Refusal::Unsupported(format!("\"{}\" has no booleans", tensor.name)));
        }
        let quant = Quant { scale: 1.0, zero_point: 0 };
        let key = (id, quant.scale.to_bits(), quant.zero_point);
        if let Some(known) = self.readings.get(&key) {
            return Ok(*known);
        }
        let name = format!("{}.flags_for.{}", tensor.name, n.name);
        let output = Tensor { name, dtype: DType::U8, quant: Some(quant), ..tensor.clone() };
        let flags = self.unnamed_layer(n.index, "flags", Op::Reshape, vec![id], output);
        self.readings.insert(key, flags);
        Ok(flags)
    }

    /// Adds a layer without an ONNX node; `what` it does is part of its name.
    pub(super) fn unnamed_layer(
        &mut self,
        own: usize,
        what: &str,
        op: Op,
        inputs: Vec<TensorId>,
        output: Tensor,
    ) -> TensorId {
        let level = inputs.iter().map(|id| self.level_of(*id)).max().unwrap_or(0);
        let id = self.tensor(output);
        self.levels.insert(id, level);
        let name = self.unique_layer(format!("{}.{what}", self.nodes[own].name));
        self.made_by.insert(id, self.graph.nodes.len());
        self.graph.nodes.push(Node { name, op, inputs, outputs: vec![id], onnx_nodes: Vec::new() });
        id
    }
}
