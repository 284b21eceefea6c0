//! What an invocation costs outside the accelerator: the section `[host]` of a machine file.
//!
//! Nothing of it changes a program or its cycles. What is not given is unknown, never zero.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rate::Rate;

/// The name in [`HostCosts::operators`] of all operators that have no row of their own.
pub const OTHERS: &str = "others";

/// Costs of starting the accelerator and of layers that the host computes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostCosts {
    /// Whose figures these are, as reports name them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Nanoseconds from the call to the first cycle and from the last cycle to the return, in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ns: Option<u64>,
    /// Nanoseconds to launch one layer, on the device or on the host; 0 for a device that runs a program by
    /// itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_ns: Option<u64>,
    /// Rate at which inputs and outputs of the network are copied to and from the device's memory, in 10⁶
    /// bytes a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub megabytes_per_second: Option<u64>,
    /// How fast the host computes, by ONNX operator; [`OTHERS`] stands for all that are not listed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub operators: BTreeMap<String, HostRate>,
}

/// How fast the host computes an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostRate {
    /// 10⁹ operations a second, two for each multiply-accumulate.
    pub gflops: Rate,
    /// 10⁹ bytes a second, read and written.
    pub gb_per_second: Rate,
}

impl HostCosts {
    /// How fast the host computes an operator; `None` if the machine file does not say it.
    #[must_use]
    pub fn rate(&self, operator: &str) -> Option<HostRate> {
        self.operators.get(operator).or_else(|| self.operators.get(OTHERS)).copied()
    }
}

impl HostRate {
    /// Seconds of a layer with so many multiply-accumulates and bytes of operands: the larger of the two
    /// bounds.
    #[must_use]
    pub fn seconds(self, macs: u64, bytes: u64) -> f64 {
        let flops = 2.0 * macs as f64 / (self.gflops.to_f64() * 1e9);
        flops.max(bytes as f64 / (self.gb_per_second.to_f64() * 1e9))
    }
}
