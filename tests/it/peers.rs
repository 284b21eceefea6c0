//! Cycles beside those that other designs' makers publish, at equal size: `tests/peers/peers.toml` has the
//! sizes, their figures and ours.
//!
//! Weights do not change cycles here (zeros aside), so the networks are their topologies.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcar_iss::internals::compiler::CompileOptions;
use rcar_iss::internals::compiler::estimate::{Estimate, estimate};
use rcar_iss::internals::graph::{
    DType, Graph, MacEpilogue, Node, Op, Quant, Tensor, TensorId, Weights, Window,
};
use rcar_iss::internals::machine::Machine;
use serde::{Deserialize, Serialize};

use crate::repository::root;

#[derive(Deserialize, Serialize)]
struct Peers {
    machine: BTreeMap<String, Size>,
    point: Vec<Point>,
}

/// A machine, by what differs from a shipped one.
#[derive(Deserialize, Serialize)]
struct Size {
    base: String,
    set: toml::Table,
}

#[derive(Deserialize, Serialize)]
struct Point {
    machine: String,
    network: String,
    /// All layers, or the depthwise ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    depthwise: bool,
    /// Cycles.
    published: u64,
    ours: u64,
    /// How far ours may be from theirs, in percent.
    within: f64,
}

impl Size {
    fn machine(&self, name: &str) -> Machine {
        let base = Machine::named(&self.base).unwrap();
        let mut table = toml::Table::try_from(&base).unwrap();
        table["name"] = name.into();
        for (path, value) in &self.set {
            let (section, field) = path.split_once('.').unwrap();
            let slot = table[section].as_table_mut().unwrap().get_mut(field);
            *slot.unwrap_or_else(|| panic!("{name}: no field {path}")) = value.clone();
        }
        Machine::parse(&toml::to_string(&table).unwrap()).unwrap()
    }
}

/// A network under construction: 8 bits, weights of one value, ReLU behind every convolution.
struct Net {
    graph: Graph,
    /// The last tensor: its channels, and its height and width.
    last: (TensorId, usize, usize),
}

impl Net {
    fn new(name: &str, size: usize) -> Net {
        let mut net =
            Net { graph: Graph { name: name.into(), ..Graph::default() }, last: (TensorId(0), 3, size) };
        let input = net.tensor(vec![1, 3, size, size]);
        net.graph.inputs.push(input);
        net
    }

    fn tensor(&mut self, shape: Vec<usize>) -> TensorId {
        let id = TensorId(self.graph.tensors.len() as u32);
        let quant = Some(Quant { scale: 0.02, zero_point: 128 });
        self.graph.tensors.push(Tensor { name: format!("t{}", id.0), shape, dtype: DType::U8, quant });
        id
    }

    fn node(&mut self, op: Op, inputs: &[TensorId], shape: Vec<usize>) -> TensorId {
        let output = self.tensor(shape);
        let name = format!("{}_{}", op.kind(), output.0);
        let node = Node {
            name: name.clone(),
            op,
            inputs: inputs.to_vec(),
            outputs: vec![output],
            onnx_nodes: vec![name],
        };
        self.graph.nodes.push(node);
        output
    }

    fn conv(&mut self, channels: usize, kernel: usize, stride: usize, groups: usize) -> &mut Net {
        let (from, before, size) = self.last;
        let pad = (kernel - 1) / 2;
        let window = Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [1; 2], pads: [pad; 4] };
        let out = (size + 2 * pad - kernel) / stride + 1;
        let shape = [channels, before / groups, kernel, kernel];
        let op = Op::Conv { window, groups, weights: weights(shape), epilogue: epilogue(channels) };
        let to = self.node(op, &[from], vec![1, channels, out, out]);
        self.last = (to, channels, out);
        self
    }

    fn maxpool(&mut self) -> &mut Net {
        let (from, channels, size) = self.last;
        let window = Window { kernel: [3; 2], stride: [2; 2], dilation: [1; 2], pads: [1; 4] };
        let out = (size - 1) / 2 + 1;
        let op = Op::MaxPool { window };
        let to = self.node(op, &[from], vec![1, channels, out, out]);
        self.last = (to, channels, out);
        self
    }

    fn add(&mut self, other: TensorId) -> &mut Net {
        let (from, channels, size) = self.last;
        let to = self.node(Op::Add { clamp: [0, 255] }, &[from, other], vec![1, channels, size, size]);
        self.last.0 = to;
        self
    }

    /// Global average pool and classifier of 1000 classes.
    fn head(mut self) -> Graph {
        let (from, channels, _) = self.last;
        let pooled = self.node(Op::GlobalAvgPool, &[from], vec![1, channels, 1, 1]);
        let flat = self.node(Op::Reshape, &[pooled], vec![1, channels]);
        let op = Op::Gemm { weights: weights([1000, channels, 1, 1]), epilogue: epilogue(1000) };
        let out = self.node(op, &[flat], vec![1, 1000]);
        self.graph.outputs.push(out);
        self.graph
    }
}

fn weights(shape: [usize; 4]) -> Weights {
    let data = vec![1; shape.iter().product()].into();
    Weights { name: "w".into(), shape, dtype: DType::S8, data, scale: vec![0.01], zero_point: 0 }
}

fn epilogue(channels: usize) -> MacEpilogue {
    let bias: Arc<[i64]> = vec![1; channels].into();
    MacEpilogue { bias: Some(bias), multiplier: vec![0.01; channels], clamp: [0, 255], tail: None }
}

/// He et al. 2015, with the stride in the convolution of 3 × 3 (version 1.5).
fn resnet(name: &str, blocks: [usize; 4], bottleneck: bool) -> Graph {
    let mut net = Net::new(name, 224);
    net.conv(64, 7, 2, 1).maxpool();
    for (stage, count) in blocks.into_iter().enumerate() {
        let width = 64 << stage;
        for block in 0..count {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let input = net.last;
            let out = if bottleneck { 4 * width } else { width };
            let other = if stride == 2 || input.1 != out {
                net.conv(out, 1, stride, 1);
                std::mem::replace(&mut net.last, input).0
            } else {
                input.0
            };
            if bottleneck {
                net.conv(width, 1, 1, 1).conv(width, 3, stride, 1).conv(out, 1, 1, 1).add(other);
            } else {
                net.conv(width, 3, stride, 1).conv(width, 3, 1, 1).add(other);
            }
        }
    }
    net.head()
}

/// An inverted residual: expansion, depthwise convolution, projection.
fn inverted(net: &mut Net, expand: usize, kernel: usize, stride: usize, out: usize) {
    let input = net.last;
    let width = expand * input.1;
    if expand > 1 {
        net.conv(width, 1, 1, 1);
    }
    net.conv(width, kernel, stride, width).conv(out, 1, 1, 1);
    if stride == 1 && input.1 == out {
        net.add(input.0);
    }
}

/// Sandler et al. 2018, table 2.
fn mobilenet_v2() -> Graph {
    let mut net = Net::new("mobilenet_v2", 224);
    net.conv(32, 3, 2, 1);
    for (expand, out, count, stride) in [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ] {
        for block in 0..count {
            inverted(&mut net, expand, 3, if block == 0 { stride } else { 1 }, out);
        }
    }
    net.conv(1280, 1, 1, 1);
    net.head()
}

/// EfficientNet-B0 (Tan and Le 2019, table 1) without squeeze and excitation.
fn efficientnet_lite0() -> Graph {
    let mut net = Net::new("efficientnet_lite0", 224);
    net.conv(32, 3, 2, 1);
    for (expand, kernel, out, count, stride) in [
        (1, 3, 16, 1, 1),
        (6, 3, 24, 2, 2),
        (6, 5, 40, 2, 2),
        (6, 3, 80, 3, 2),
        (6, 5, 112, 3, 1),
        (6, 5, 192, 4, 2),
        (6, 3, 320, 1, 1),
    ] {
        for block in 0..count {
            inverted(&mut net, expand, kernel, if block == 0 { stride } else { 1 }, out);
        }
    }
    net.conv(1280, 1, 1, 1);
    net.head()
}

fn network(name: &str) -> Graph {
    match name {
        "ResNet-18" => resnet(name, [2, 2, 2, 2], false),
        "ResNet-50" => resnet(name, [3, 4, 6, 3], true),
        "MobileNetV2" => mobilenet_v2(),
        "EfficientNet-Lite0" => efficientnet_lite0(),
        other => panic!("no network {other}"),
    }
}

fn cycles(graph: &Graph, Estimate { clock, .. }: &Estimate, depthwise: bool) -> u64 {
    let counts = |node: &Node| match &node.op {
        Op::Conv { groups, .. } => *groups > 1,
        _ => false,
    };
    if !depthwise {
        return clock.total;
    }
    graph.nodes.iter().zip(&clock.layers).filter(|(n, _)| counts(n)).map(|(_, l)| l.cycles).sum()
}

/// `RCN_BLESS=1` writes our side of the table.
#[test]
fn cycles_are_near_those_of_designs_of_equal_size() {
    let path: PathBuf = root().join("tests/peers/peers.toml");
    let text = fs::read_to_string(&path).unwrap();
    let mut peers: Peers = toml::from_str(&text).unwrap();
    let mut known = BTreeMap::new();
    let mut wrong = Vec::new();
    let bless = std::env::var_os("RCN_BLESS").is_some();
    let Peers { machine: sizes, point: points } = &mut peers;
    for point in points {
        let (graph, found) =
            known.entry((point.machine.clone(), point.network.clone())).or_insert_with(|| {
                let graph = network(&point.network);
                let machine = sizes[&point.machine].machine(&point.machine);
                let found = estimate(&graph, &machine, &CompileOptions::default()).unwrap();
                (graph, found)
            });
        let now = cycles(graph, found, point.depthwise);
        let off = 100.0 * (now as f64 / point.published as f64 - 1.0);
        let what = format!(
            "{} on {}: {now} cycles, {} published ({off:+.0} %)",
            point.network, point.machine, point.published
        );
        if off.abs() > point.within {
            wrong.push(format!("{what}, more than {} % off", point.within));
        } else if now != point.ours && !bless {
            wrong.push(format!("{what}, the table has {}", point.ours));
        }
        println!("{what}");
        point.ours = now;
    }
    if bless {
        let head: String =
            text.lines().take_while(|l| l.starts_with('#')).map(|l| format!("{l}\n")).collect();
        fs::write(&path, format!("{head}\n{}", toml::to_string(&peers).unwrap())).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
