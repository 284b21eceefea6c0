//! A program that can be run.

use std::ffi::OsStr;

use crate::files::Reader;
use crate::inputs::{Feed, InputError, Pictures, Ports, Reading};
use crate::machine::Machine;
use crate::profile::Profile;
use crate::program::{Role, TensorEntry};
use crate::sim;
use crate::tensor_file::Element;

/// A program that passed every check. Its cycles are known, since they do not depend on inputs. A clone
/// shares its contents.
#[derive(Debug, Clone)]
pub struct Loaded(pub(super) sim::Loaded);

/// An input, an output, or a tensor between layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// Its ONNX name.
    pub name: String,
    /// The type of its elements.
    pub element: Element,
    /// Its extents.
    pub shape: Vec<usize>,
    /// Scale of a quantized value: `real = scale · (value − zero_point)`; `None` for floats, and where each
    /// channel has its own.
    pub scale: Option<f32>,
    /// Zero point of a quantized value.
    pub zero_point: Option<i32>,
}

/// A layer of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// The kind of operator: `conv`, `add` …
    pub kind: String,
    /// The ONNX nodes that it came from.
    pub onnx_nodes: Vec<String>,
    /// Whether it runs on the host, outside the clock.
    pub host: bool,
    /// Multiply-accumulates, without padding.
    pub macs: u64,
    /// Its share of the cycles.
    pub cycles: u64,
    /// The tensors that it computes.
    pub tensors: Vec<String>,
}

impl From<&TensorEntry> for Port {
    fn from(t: &TensorEntry) -> Port {
        let shape = t.shape.iter().map(|n| *n as usize).collect();
        let (scale, zero_point) = (t.scale, t.zero_point);
        Port { name: t.name.clone(), element: t.dtype.into(), shape, scale, zero_point }
    }
}

impl Loaded {
    pub(super) fn sim(&self) -> &sim::Loaded {
        &self.0
    }

    /// Samples: pictures, arrays and folders of either, each as `[NAME=]PATH`.
    ///
    /// # Errors
    /// A file cannot be read or does not fit, or an input has no sample.
    pub fn samples(&self, paths: &[impl AsRef<OsStr>], pictures: &Pictures) -> Result<Feed, InputError> {
        let ports = Ports::of_program(&self.0.program().meta, pictures, None);
        let paths: Vec<String> =
            paths.iter().map(|path| path.as_ref().to_string_lossy().into_owned()).collect();
        Feed::open(ports, &paths, Reading::AtOnce, &Reader::new())
    }

    /// The name of the network.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.program().meta.name
    }

    /// The machine.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        self.0.machine()
    }

    /// The cycles of one run.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.0.clock().total
    }

    /// Where the cycles went, by layer and unit, and what bounds each layer.
    #[must_use]
    pub fn profile(&self) -> Profile {
        Profile::of(&self.0)
    }

    /// The inputs, in the order of the model.
    #[must_use]
    pub fn inputs(&self) -> Vec<Port> {
        self.ports(|t| t.role == Role::Input)
    }

    /// The outputs, in the order of the model.
    #[must_use]
    pub fn outputs(&self) -> Vec<Port> {
        self.ports(|t| t.role == Role::Output)
    }

    /// All tensors that can be read: inputs, those at the ends of layers, outputs.
    #[must_use]
    pub fn tensors(&self) -> Vec<Port> {
        self.ports(|_| true)
    }

    /// The layers, in the order in which they run.
    #[must_use]
    pub fn layers(&self) -> Vec<Layer> {
        let meta = &self.0.program().meta;
        let clock = &self.0.clock().layers;
        let one = |(at, layer): (usize, &crate::program::Layer)| {
            let of_layer = |t: &&TensorEntry| t.layer.is_some_and(|l| l as usize == at);
            Layer {
                name: layer.name.clone(),
                kind: layer.kind.clone(),
                onnx_nodes: layer.onnx_nodes.clone(),
                host: layer.host,
                macs: layer.macs,
                cycles: clock.get(at).map_or(0, |c| c.cycles),
                tensors: meta.tensors.iter().filter(of_layer).map(|t| t.name.clone()).collect(),
            }
        };
        meta.layers.iter().enumerate().map(one).collect()
    }

    /// The text of an instruction, by the index of its word; `None` beyond the end.
    #[must_use]
    pub fn instruction(&self, pc: u32) -> Option<String> {
        self.0.code().get(pc as usize).map(crate::isa::disasm::disassemble)
    }

    fn ports(&self, wanted: impl Fn(&TensorEntry) -> bool) -> Vec<Port> {
        self.0.program().meta.tensors.iter().filter(|t| wanted(t)).map(Port::from).collect()
    }
}
