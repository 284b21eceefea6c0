//! The whole invocation: what passes between the call and its answer, of which the device's cycles are a
//! part.

use serde::Serialize;

use crate::dtype::DType;
use crate::machine::{HostCosts, HostRate, Machine};
use crate::program::{HostEntry, Program, Role};

/// Seconds of one invocation. Parts that the machine file does not give are unknown (`null`), never 0, and so
/// is then the whole.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Invocation {
    /// The device's cycles.
    pub device_seconds: f64,
    /// Layers that the host computes; 0 if there are none.
    pub host_seconds: Option<f64>,
    /// Copying inputs and outputs to and from the device's memory.
    pub transfer_seconds: Option<f64>,
    /// Starting the device, and launching its layers.
    pub start_seconds: Option<f64>,
    /// From the call to its answer: the sum.
    pub end_to_end_seconds: Option<f64>,
    /// Invocations in a second, one after the other.
    pub frames_per_second: Option<f64>,
    /// Bytes of inputs and outputs.
    pub transfer_bytes: u64,
    /// Layers that are launched: those with instructions, and those of the host.
    pub launches: u64,
    /// The CPU that the costs are said to be of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Fields of the machine file that would make known what is not.
    pub unknown: Vec<String>,
}

/// Seconds of a host layer; `None` if the machine file does not say how fast one of its operators is. All its
/// operators pass over about its operands, one after the other, and its products are bounded by the slowest.
pub(super) fn host_seconds(entry: &HostEntry, macs: u64, costs: Option<&HostCosts>) -> Option<f64> {
    let bytes: u64 = entry.inputs.iter().chain(&entry.outputs).map(|t| size(&t.shape, t.dtype)).sum();
    let rates = entry.op_types.iter().map(|op| costs?.rate(op)).collect::<Option<Vec<HostRate>>>()?;
    let passes: f64 = rates.iter().map(|rate| rate.seconds(0, bytes)).sum();
    Some(rates.iter().map(|rate| rate.seconds(macs, 0)).fold(passes, f64::max))
}

fn size(shape: &[u64], dtype: DType) -> u64 {
    shape.iter().product::<u64>() * dtype.bytes() as u64
}

impl Invocation {
    /// Of a program whose device part takes `device_seconds` and whose layers, as far as they have
    /// instructions, are `launched`.
    pub(super) fn new(
        program: &Program,
        machine: &Machine,
        device_seconds: f64,
        launched: u64,
        hosts: &[Option<f64>],
    ) -> Invocation {
        let costs = machine.host.as_ref();
        let mut unknown = Vec::new();
        let mut known = |field: String, value: Option<f64>| {
            if value.is_none() && !unknown.contains(&field) {
                unknown.push(field);
            }
            value
        };
        let tensors = program.meta.tensors.iter();
        let outside = tensors.filter(|t| matches!(t.role, Role::Input | Role::Output));
        let transfer_bytes = outside.map(|t| size(&t.shape, t.dtype)).sum::<u64>();
        let launches = launched + hosts.len() as u64;

        let start = known("host.start_ns".into(), costs.and_then(|c| c.start_ns).map(|ns| ns as f64 * 1e-9));
        let layers = costs.and_then(|c| c.layer_ns).map(|ns| ns as f64 * 1e-9 * launches as f64);
        let layers = known("host.layer_ns".into(), layers);
        let start_seconds = start.zip(layers).map(|(start, layers)| start + layers);
        let rate = costs.and_then(|c| c.megabytes_per_second);
        let transfer_seconds = known(
            "host.megabytes_per_second".into(),
            rate.map(|rate| transfer_bytes as f64 / (rate as f64 * 1e6)),
        );
        for entry in &program.meta.hosts {
            for op in &entry.op_types {
                let rate = costs.and_then(|c| c.rate(op));
                known(format!("host.operators.{op}"), rate.map(|_| 0.0));
            }
        }
        let sum = |parts: &[Option<f64>]| parts.iter().try_fold(0.0, |sum, part| Some(sum + (*part)?));
        let host_seconds = sum(hosts);
        let end_to_end_seconds = sum(&[Some(device_seconds), host_seconds, transfer_seconds, start_seconds]);
        Invocation {
            device_seconds,
            host_seconds,
            transfer_seconds,
            start_seconds,
            end_to_end_seconds,
            frames_per_second: end_to_end_seconds.filter(|s| *s > 0.0).map(f64::recip),
            transfer_bytes,
            launches,
            cpu: costs.and_then(|c| c.cpu.clone()),
            unknown,
        }
    }
}
