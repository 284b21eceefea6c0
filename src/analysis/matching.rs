//! Matching of the quantized tensors of a program with tensors of a float reference.
//!
//! Quantizers keep the names: ONNX Runtime's names the quantized form of `x` `x_QuantizeLinear_Output` (QDQ)
//! or `x_quantized` (QOperator). Where it folded a Relu or Clip into the quantization of the operator before
//! it, the quantized tensor keeps the operator's name but holds the Relu's result, which the float network
//! shows.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::onnx::proto::GraphProto;
use crate::program::{Layer, Meta, Role, TensorEntry};
use crate::tensor_file::file_name;

/// Suffixes that quantizers append to the name of a tensor; a number may follow.
const SUFFIXES: [&str; 6] = [
    "_QuantizeLinear_Output",
    "_DequantizeLinear_Output",
    "_quantized",
    "_dequantized",
    ".quantized",
    ".before_reshape",
];

/// A name in a map that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// On the program's side.
    #[error("the map names \"{name}\", which is no tensor, layer or ONNX node of the program{}", .removed.as_ref().map_or_else(String::new, |why| format!(": {why}")))]
    Ours {
        /// As the map has it.
        name: String,
        /// Why the program has no tensor of that name, if the model has one.
        removed: Option<String>,
        /// The names that the program has.
        known: Vec<String>,
    },
    /// On the reference's side.
    #[error("the map names \"{name}\", which the reference does not have")]
    Theirs {
        /// As the map has it.
        name: String,
        /// The names that the reference has.
        known: Vec<String>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Map {
    tensors: BTreeMap<String, String>,
}

/// Reads a map: in TOML, a table `[tensors]` from tensors, layers or ONNX nodes of a program to tensors or
/// nodes of a reference.
///
/// # Errors
/// It is not TOML, or has another structure.
pub fn map_from_toml(text: &str) -> Result<BTreeMap<String, String>, toml::de::Error> {
    toml::from_str(text).map(|map: Map| map.tensors)
}

/// The names that a reference has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Offer {
    /// Tensors.
    pub names: BTreeSet<String>,
    /// Tensors that only a Relu or Clip reads, with its result.
    pub clamped: BTreeMap<String, String>,
    /// For each node name its first output.
    pub nodes: BTreeMap<String, String>,
    /// Names are file names: characters that those cannot contain are replaced.
    pub files: bool,
}

impl Offer {
    /// The names of a float network: all its values that are not constant.
    #[must_use]
    pub fn of_network(graph: &GraphProto) -> Offer {
        let steps = crate::onnx::steps(graph);
        let mut names: BTreeSet<String> = crate::onnx::given_inputs(graph).into_iter().collect();
        let known: BTreeSet<&str> = graph.initializer.iter().map(|t| t.name()).collect();
        for step in &steps {
            // Values computed from initializers alone, such as weights stored in half precision, are not
            // activations.
            let constant = |i: &String| i.is_empty() || known.contains(i.as_str()) || !names.contains(i);
            if !step.inputs.iter().all(constant) {
                names.extend(step.outputs.iter().cloned());
            }
        }
        let outputs: BTreeSet<&str> = graph.output.iter().map(|o| o.name()).collect();
        let mut readers: BTreeMap<&str, u32> = BTreeMap::new();
        for input in steps.iter().flat_map(|s| &s.inputs) {
            *readers.entry(input).or_default() += 1;
        }
        let clamps = graph.node.iter().filter(|n| matches!(n.op_type(), "Relu" | "Clip"));
        let clamped = clamps.filter_map(|n| {
            let (from, to) = (n.input.first()?, n.output.first()?);
            let only = readers.get(from.as_str()) == Some(&1) && !outputs.contains(from.as_str());
            only.then(|| (from.clone(), to.clone()))
        });
        let named = graph.node.iter().filter(|n| !n.name().is_empty());
        let first = named.filter_map(|n| Some((n.name().to_string(), n.output.first()?.clone())));
        let nodes = first.filter(|(_, output)| names.contains(output)).collect();
        Offer { names, clamped: clamped.collect(), nodes, files: false }
    }

    fn find(&self, name: &str) -> Option<String> {
        let stem = file_name(name);
        let candidates = if self.files { vec![name, stem.as_str()] } else { vec![name] };
        candidates.into_iter().find(|c| self.names.contains(*c)).map(str::to_string)
    }

    /// A tensor by its own name, or by that of the node that computes it.
    fn find_mapped(&self, name: &str) -> Option<String> {
        self.find(name).or_else(|| self.nodes.get(name).cloned())
    }
}

/// A tensor without a reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Unmatched {
    /// Layer that computes it.
    pub layer: String,
    /// ONNX name.
    pub tensor: String,
    /// Why, in one sentence.
    pub reason: String,
}

/// The reference tensor of each tensor of a program.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matching {
    /// Reference tensor by the program's tensor.
    pub pairs: BTreeMap<String, String>,
    /// Tensors of the program without a reference.
    pub unmatched: Vec<Unmatched>,
    /// Reference tensors without a counterpart.
    pub unused: Vec<String>,
}

/// The name of the float tensor that a quantized tensor was made from.
#[must_use]
pub fn float_name(tensor: &str) -> &str {
    let mut name = tensor;
    while let Some(shorter) = SUFFIXES.iter().find_map(|s| {
        // `x_QuantizeLinear_Output_1`: a tensor that got a second quantizer.
        let numbered = name.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix('_').unwrap_or(name);
        name.strip_suffix(s).or_else(|| numbered.strip_suffix(s)).filter(|n| !n.is_empty())
    }) {
        name = shorter;
    }
    name
}

impl Matching {
    /// Matches a program's tensors with the names of a reference. `map` gives the reference of a tensor, a
    /// layer or an ONNX node where names differ; both sides may also be given by the names in the models.
    ///
    /// # Errors
    /// The map has a name that neither side has.
    pub fn of(meta: &Meta, offer: &Offer, map: &BTreeMap<String, String>) -> Result<Matching, MapError> {
        let is_layer = |t: &&TensorEntry| t.role != Role::Input;
        let known = meta.tensors.iter().map(|t| &t.name).chain(meta.removed.iter().map(|r| &r.tensor));
        let present: BTreeSet<&str> = known.map(|n| float_name(n)).collect();
        for (ours, theirs) in map {
            if offer.find_mapped(theirs).is_none() {
                let known = offer.names.iter().chain(offer.nodes.keys()).cloned().collect();
                return Err(MapError::Theirs { name: theirs.clone(), known });
            }
            if !meta.tensors.iter().any(|t| names_of(t, layer_of(meta, t)).any(|n| n == ours)) {
                return Err(MapError::Ours {
                    name: ours.clone(),
                    removed: meta.removed.iter().find(|r| r.tensor == *ours).map(|r| r.reason.clone()),
                    known: meta
                        .tensors
                        .iter()
                        .flat_map(|t| names_of(t, layer_of(meta, t)))
                        .map(str::to_string)
                        .collect(),
                });
            }
        }
        let mut matching = Matching::default();
        for tensor in meta.tensors.iter().filter(is_layer) {
            let layer = layer_of(meta, tensor);
            match find(tensor, layer, offer, map, &present) {
                Ok(name) => {
                    matching.pairs.insert(tensor.name.clone(), name);
                }
                Err(reason) => matching.unmatched.push(Unmatched {
                    layer: layer.map_or_else(String::new, |l| l.name.clone()),
                    tensor: tensor.name.clone(),
                    reason,
                }),
            }
        }
        let used: BTreeSet<&String> = matching.pairs.values().collect();
        matching.unused = offer.names.iter().filter(|n| !used.contains(n)).cloned().collect();
        Ok(matching)
    }

    /// Removes a pair whose tensors do not fit.
    pub fn refuse(&mut self, meta: &Meta, tensor: &str, reason: String) {
        self.pairs.remove(tensor);
        let entry = meta.tensors.iter().find(|t| t.name == tensor);
        let layer = entry.and_then(|t| layer_of(meta, t));
        self.unmatched.push(Unmatched {
            layer: layer.map_or_else(String::new, |l| l.name.clone()),
            tensor: tensor.into(),
            reason,
        });
    }
}

fn layer_of<'a>(meta: &'a Meta, tensor: &TensorEntry) -> Option<&'a Layer> {
    tensor.layer.and_then(|l| meta.layers.get(l as usize))
}

/// The names by which a map may refer to a tensor, closest first: its own, its layer's, that of the float
/// tensor it was made from, those of the layer's ONNX nodes.
fn names_of<'a>(tensor: &'a TensorEntry, layer: Option<&'a Layer>) -> impl Iterator<Item = &'a str> {
    let nodes = layer.into_iter().flat_map(|l| &l.onnx_nodes).map(String::as_str);
    let own = std::iter::once(tensor.name.as_str());
    own.chain(layer.map(|l| l.name.as_str())).chain(std::iter::once(float_name(&tensor.name))).chain(nodes)
}

fn find(
    tensor: &TensorEntry,
    layer: Option<&Layer>,
    offer: &Offer,
    map: &BTreeMap<String, String>,
    present: &BTreeSet<&str>,
) -> Result<String, String> {
    let mapped = names_of(tensor, layer).find_map(|name| map.get(name));
    if let Some(name) = mapped.and_then(|m| offer.find_mapped(m)) {
        return Ok(name);
    }
    let base = float_name(&tensor.name);
    let mut found = offer.find(&tensor.name).or_else(|| offer.find(base));
    if found.is_none() && offer.files {
        // Frameworks name files after layers.
        let names = layer.into_iter().flat_map(|l| std::iter::once(&l.name).chain(&l.onnx_nodes));
        found = names.filter_map(|n| offer.find(n)).next_back();
    }
    let Some(mut name) = found else {
        return Err(format!("the reference has no tensor \"{base}\""));
    };
    while let Some(after) = offer.clamped.get(&name).filter(|after| !present.contains(after.as_str())) {
        name.clone_from(after);
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::RemovedEntry;

    fn tensor(name: &str) -> TensorEntry {
        TensorEntry { name: name.into(), layer: Some(0), ..TensorEntry::default() }
    }

    #[test]
    fn quantizers_suffixes_are_taken_off() {
        for (name, float) in [
            ("x_QuantizeLinear_Output", "x"),
            ("x_quantized", "x"),
            ("/c/Conv_output_0_QuantizeLinear_Output_1", "/c/Conv_output_0"),
            ("x_quantized.before_reshape", "x"),
            ("conv_0", "conv_0"),
            ("_quantized", "_quantized"),
        ] {
            assert_eq!(float_name(name), float);
        }
    }

    #[test]
    fn a_folded_relu_gives_the_reference() {
        let offer = Offer {
            names: ["conv_o", "relu_o", "add_o"].map(String::from).into(),
            clamped: [("conv_o".to_string(), "relu_o".to_string())].into(),
            nodes: [("Add_7".to_string(), "add_o".to_string())].into(),
            files: false,
        };
        let nodes = vec!["/conv/Conv".into(), "/conv/Relu".into()];
        let layers = vec![Layer { name: "conv".into(), onnx_nodes: nodes, ..Layer::default() }];
        let mut meta = Meta { layers, tensors: vec![tensor("conv_o_quantized")], ..Meta::default() };
        let matching = Matching::of(&meta, &offer, &BTreeMap::new()).unwrap();
        assert_eq!(matching.pairs["conv_o_quantized"], "relu_o");
        assert_eq!(matching.unused, ["add_o", "conv_o"]);
        // With a Relu of its own, the tensor is what its name says.
        meta.tensors.push(tensor("relu_o_quantized"));
        let matching = Matching::of(&meta, &offer, &BTreeMap::new()).unwrap();
        assert_eq!(matching.pairs["conv_o_quantized"], "conv_o");
        // By the tensor's name, the layer's, the float tensor's or a node's; the reference by its tensor or
        // node.
        for ours in ["conv_o_quantized", "conv", "conv_o", "/conv/Relu"] {
            for theirs in ["add_o", "Add_7"] {
                let map = [(ours.to_string(), theirs.to_string())].into();
                let matching = Matching::of(&meta, &offer, &map).unwrap();
                assert_eq!(matching.pairs["conv_o_quantized"], "add_o", "{ours} {theirs}");
            }
        }
        let map = [("conv".to_string(), "other".to_string())].into();
        let error = Matching::of(&meta, &offer, &map).unwrap_err();
        assert!(matches!(&error, MapError::Theirs { name, .. } if name == "other"), "{error}");
        let map = [("konv".to_string(), "add_o".to_string())].into();
        let error = Matching::of(&meta, &offer, &map).unwrap_err();
        assert!(matches!(&error, MapError::Ours { known, .. } if known.contains(&"conv".to_string())));
        meta.removed.push(RemovedEntry { tensor: "konv".into(), reason: "fused".into() });
        let error = Matching::of(&meta, &offer, &map).unwrap_err().to_string();
        assert!(error.contains("konv") && error.contains(": fused"), "{error}");
    }
}
