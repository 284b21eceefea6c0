//! The fields of a machine file.

use serde::{Deserialize, Serialize};

use super::host::HostCosts;
use super::rate::Rate;

/// A modeled accelerator. Field names carry their units; the comments in `isa/machines/rcn-m.toml` and the
/// ISA manual explain them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Name, as in `--machine rcn-m`.
    pub name: String,
    /// Version of the instruction set that it executes.
    pub isa_version: u32,
    /// Clock frequency; turns cycles into time.
    pub clock_mhz: u32,
    /// Rounding profiles that the vector unit supports (`onnx`, `q31`, `q31double`).
    pub profiles: Vec<String>,
    /// The MAC array.
    pub mac: Mac,
    /// The vector unit.
    pub vec: Vector,
    /// Accumulator memory.
    pub acc: Acc,
    /// Scratchpad memory.
    pub spm: Spm,
    /// Main memory.
    pub dram: Dram,
    /// DMA queues.
    pub dma: Dma,
    /// Control core.
    pub control: Control,
    /// What an invocation costs outside the accelerator; unknown if it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostCosts>,
}

/// The MAC array: `oc_lanes · ic_lanes · pixel_lanes` multiply-accumulates of 8×8 bits a cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mac {
    /// Output channels in parallel.
    pub oc_lanes: u32,
    /// Products summed for each output in a cycle.
    pub ic_lanes: u32,
    /// Taps of a depthwise kernel that are summed in a cycle, if there are as many `ic_lanes`.
    pub depthwise_taps: u32,
    /// Output pixels in parallel.
    pub pixel_lanes: u32,
    /// Cycles before the first product.
    pub fill_cycles: u32,
    /// Cycles after the last product.
    pub drain_cycles: u32,
    /// Width of the port of activations.
    pub activation_bytes_per_cycle: u32,
    /// Width of the port of weights.
    pub weight_bytes_per_cycle: u32,
    /// Width of the port to the accumulator memory, in each direction.
    pub sum_bytes_per_cycle: u32,
    /// Depth of the queue: instructions that have not started.
    pub queue_depth: u32,
}

/// The vector unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// Elements in a cycle.
    pub lanes: u32,
    /// Cycles before the first result.
    pub latency_cycles: u32,
    /// Width of the port of each source in the scratchpad.
    pub source_bytes_per_cycle: u32,
    /// Width of the port of results to the scratchpad.
    pub result_bytes_per_cycle: u32,
    /// Width of the port to the accumulator memory, in each direction.
    pub sum_bytes_per_cycle: u32,
    /// Depth of the queue: instructions that have not started.
    pub queue_depth: u32,
}

/// Accumulator memory; one tile takes at most half of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acc {
    /// Size.
    pub bytes: u64,
    /// Contiguous banks of equal size.
    pub banks: u32,
}

/// Scratchpad memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spm {
    /// Size.
    pub bytes: u64,
    /// Contiguous banks of equal size.
    pub banks: u32,
    /// Rate of fills and of copies inside the scratchpad.
    pub bytes_per_cycle: u32,
}

/// Main memory and its channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dram {
    /// The memory (`isa/memories/`) that its values come from, unless the machine file has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Size of the address space.
    pub bytes: u64,
    /// Rate of the channel, with at most three decimals.
    pub bytes_per_cycle: Rate,
    /// Share of the channel that other masters take, in percent.
    pub other_masters_percent: u32,
    /// Latency of a DMA-in instruction before its first segment.
    pub read_latency_cycles: u32,
    /// Latency of a DMA-out instruction after its last segment.
    pub write_latency_cycles: u32,
    /// Every segment is rounded out to bursts of this size (a power of two).
    pub burst_bytes: u32,
    /// Largest segment moved under one grant of the channel, in bytes.
    pub grant_bytes: u32,
    /// Segments of one direction that are served in a row while the other direction waits.
    pub batch_segments: u32,
    /// Size of a row (a power of two).
    pub row_bytes: u32,
    /// Banks, each with one open row; row `r` lies in bank `r` modulo their number.
    pub banks: u32,
    /// Cycles in which a row is closed and another one opened.
    pub row_miss_cycles: u32,
    /// Cycles between the last data of one direction and the first of the other.
    pub turnaround_cycles: u32,
    /// Cycles from one refresh to the next.
    pub refresh_interval_cycles: u32,
    /// Cycles of a refresh, which closes all rows; 0 for none.
    pub refresh_cycles: u32,
    /// DMA instructions of one queue that may have started and not ended.
    pub outstanding: u32,
}

impl Dram {
    /// What the program's DMA has of the channel, in thousandths of a byte a cycle; at least 1.
    #[must_use]
    pub fn rate(&self) -> u64 {
        (self.bytes_per_cycle.thousandths() * u64::from(100 - self.other_masters_percent.min(100)) / 100)
            .max(1)
    }

    /// Cycles in which so many bytes pass the channel at least: at its rate, and no byte passes in a refresh.
    #[must_use]
    pub fn least_cycles(&self, bytes: u64) -> u64 {
        let busy = (bytes * 1000).div_ceil(self.rate());
        let refreshes = busy / u64::from(self.refresh_interval_cycles).max(1);
        busy + refreshes * u64::from(self.refresh_cycles)
    }
}

/// Queues of the DMA units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dma {
    /// DMA-in instructions that wait at most.
    pub in_queue_depth: u32,
    /// DMA-out instructions that wait at most.
    pub out_queue_depth: u32,
}

/// Control core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Duration of scalar and descriptor loads from the constants that are in the cache.
    pub const_load_cycles: u32,
    /// Size of the direct-mapped cache of constants (a power of two); 0 for none.
    pub const_cache_bytes: u32,
    /// Size of its lines (a power of two).
    pub const_line_bytes: u32,
    /// Cycles more for each line that a load touches and that is not in the cache.
    pub const_miss_cycles: u32,
}

impl Machine {
    /// Identifies the machine: xxh3-64 of its fields in canonical form. Comments, the order of keys and the
    /// costs of the host do not count.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let device = Machine { host: None, ..self.clone() };
        let canonical = serde_json::to_vec(&device).unwrap_or_default();
        xxhash_rust::xxh3::xxh3_64(&canonical)
    }

    /// Multiply-accumulates of 8×8 bits a cycle at full use.
    #[must_use]
    pub fn macs_per_cycle(&self) -> u64 {
        u64::from(self.mac.oc_lanes) * u64::from(self.mac.ic_lanes) * u64::from(self.mac.pixel_lanes)
    }
}
