//! Tile shapes of MAC layers, chosen by a closed form.
//!
//! The cost of a candidate is that of its slowest unit (DRAM traffic at the channel's rate, MAC and VEC with partial tiles
//! as the machine charges them, scalar code), and what does not overlap: the first tile's way in, the last one's way
//! out, everything if buffers cannot be double. It needs no exact clock: what it must get right is the order of
//! candidates.

use super::super::constants::packed_bytes;
use super::super::storage::next_multiple;
use crate::machine::Machine;

/// What a MAC layer computes, in machine terms.
#[derive(Debug, Clone)]
pub(super) struct MacShape {
    pub(super) batch: i64,
    pub(super) height: i64,
    pub(super) width: i64,
    pub(super) out_height: i64,
    pub(super) out_width: i64,
    /// Input channels of one group.
    pub(super) ic: i64,
    /// Output channels of one group.
    pub(super) oc: i64,
    pub(super) groups: i64,
    pub(super) depthwise: bool,
    pub(super) kernel: [i64; 2],
    pub(super) stride: [i64; 2],
    pub(super) dilation: [i64; 2],
    /// Bytes of the input's channels in one pixel as a full tile holds them.
    pub(super) in_lanes: i64,
    pub(super) out_lanes: i64,
    pub(super) per_channel: bool,
    /// Bytes of a multiplier.
    pub(super) entry: i64,
    pub(super) bias: bool,
    /// How often the vector unit goes over the output.
    pub(super) passes: i64,
    /// Input and output lie in the scratchpad and need no buffer.
    pub(super) resident: [bool; 2],
    /// Bytes of an element of the input, the weights, the accumulators (and the bias), the output.
    pub(super) sizes: [i64; 4],
}

/// Tile extents of a MAC layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MacTile {
    /// Output rows.
    pub(super) rows: i64,
    /// Output columns.
    pub(super) cols: i64,
    /// Output channels (dense), channels (depthwise), or groups (grouped).
    pub(super) channels: i64,
    /// Input channels (dense).
    pub(super) reduce: i64,
    /// The loop over output channels is outside the spatial loops: weights are loaded once, inputs repeatedly.
    pub(super) channels_outer: bool,
}

/// Longest reduction of one instruction, so that the sum of 8×8-bit products fits 32 bits.
const MAX_REDUCTION: i64 = 33_025;
/// The same with operands of 16 bits.
const MAX_WIDE_REDUCTION: i64 = 1 << 30;

impl MacShape {
    /// Input rows and columns that a tile needs at most.
    pub(super) fn input_extent(&self, rows: i64, cols: i64) -> [i64; 2] {
        let span = |axis: usize, n: i64| {
            (n - 1) * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1
        };
        [span(0, rows).min(self.height), span(1, cols).min(self.width)]
    }

    pub(super) fn taps(&self) -> i64 {
        self.kernel[0] * self.kernel[1]
    }

    /// Output channels that one channel tile covers.
    pub(super) fn tile_oc(&self, tile: &MacTile) -> i64 {
        if self.groups > 1 && !self.depthwise { tile.channels * self.oc } else { tile.channels }
    }

    /// Scratchpad bytes of the five buffers of a tile: input, weights, bias, multipliers, output.
    pub(super) fn buffers(&self, tile: &MacTile) -> [i64; 5] {
        let oc = self.tile_oc(tile);
        let [rows, cols] = self.input_extent(tile.rows, tile.cols);
        let parameters = next_multiple(oc, 16) * self.entry;
        let [input, _, sums, output] = self.sizes;
        [
            if self.resident[0] { 0 } else { rows * cols * self.in_channels(tile) * input },
            self.weight_bytes(tile),
            if self.bias { next_multiple(oc, 16) * sums } else { 0 },
            if self.per_channel { parameters } else { 0 },
            if self.resident[1] {
                0
            } else {
                tile.rows * tile.cols * next_multiple(oc, self.out_lanes) * output
            },
        ]
    }

    /// Elements of one input pixel in the scratchpad.
    pub(super) fn in_channels(&self, tile: &MacTile) -> i64 {
        if self.depthwise {
            next_multiple(tile.channels, self.in_lanes)
        } else if self.groups > 1 {
            if tile.channels == self.groups {
                next_multiple(self.groups * self.ic, self.in_lanes)
            } else {
                tile.channels * self.ic
            }
        } else {
            next_multiple(tile.reduce, self.in_lanes)
        }
    }

    fn weight_bytes(&self, tile: &MacTile) -> i64 {
        let elements = if self.depthwise {
            self.taps() * next_multiple(tile.channels, 16)
        } else if self.groups > 1 {
            tile.channels * packed_bytes(self.oc, self.taps(), self.ic)
        } else {
            packed_bytes(tile.channels, self.taps(), tile.reduce)
        };
        elements * self.sizes[1]
    }

    /// Accumulator bytes of a tile: pixels × output channels rounded up to 16.
    pub(super) fn accumulator_bytes(&self, tile: &MacTile) -> i64 {
        tile.rows * tile.cols * next_multiple(self.tile_oc(tile), 16) * self.sizes[2]
    }

    /// Whether the tile fits the machine's memories and instruction limits.
    pub(super) fn fits(&self, tile: &MacTile, machine: &Machine, room: i64) -> bool {
        let spm: i64 = self.buffers(tile).iter().map(|b| next_multiple(*b, 64)).sum();
        spm <= room
            && self.accumulator_bytes(tile) <= machine.acc.bytes as i64 / 2
            && self.taps() * if self.depthwise { 1 } else { tile.reduce } <= self.longest_reduction()
    }

    fn longest_reduction(&self) -> i64 {
        if self.sizes[2] == 8 { MAX_WIDE_REDUCTION } else { MAX_REDUCTION }
    }

    fn channel_total(&self) -> i64 {
        if self.groups > 1 && !self.depthwise { self.groups } else { self.oc_total() }
    }

    fn oc_total(&self) -> i64 {
        if self.depthwise { self.groups } else { self.oc }
    }

    /// The cheapest tile that fits; `None` if even the smallest does not.
    pub(super) fn search(&self, machine: &Machine, room: i64) -> Option<MacTile> {
        let mut best: Option<(i64, MacTile)> = None;
        let spatial = self.spatial_candidates();
        for channels in self.channel_candidates() {
            for reduce in self.reduce_candidates() {
                // Within one (channels, reduce), fewer rows never fit worse: stop looking once costs rise again
                // would be wrong (partial tiles), so all candidates are priced; there are a few dozen.
                for &(rows, cols) in &spatial {
                    for channels_outer in [true, false] {
                        let tile = MacTile { rows, cols, channels, reduce, channels_outer };
                        if self.fits(&tile, machine, room) {
                            let cost = self.cost(&tile, machine, room);
                            if best.is_none_or(|(c, _)| cost < c) {
                                best = Some((cost, tile));
                            }
                        }
                    }
                }
            }
        }
        best.map(|(_, tile)| tile)
    }

    fn spatial_candidates(&self) -> Vec<(i64, i64)> {
        let mut list: Vec<(i64, i64)> = split_sizes(self.out_height).map(|r| (r, self.out_width)).collect();
        list.extend(split_sizes(self.out_width).skip(1).flat_map(|c| [1, 2, 4, 8].map(|r| (r, c))));
        list.retain(|(r, _)| *r <= self.out_height);
        list
    }

    fn channel_candidates(&self) -> Vec<i64> {
        let total = self.channel_total();
        if self.groups > 1 && !self.depthwise {
            // A block of groups must fill whole output lanes, or be all of them.
            return (1..=total)
                .filter(|n| total % n == 0 && (*n == total || (n * self.oc) % 16 == 0))
                .rev()
                .take(24)
                .collect();
        }
        let mut list = vec![total];
        let mut size = 16;
        while size < total {
            list.push(size);
            size *= 2;
        }
        list.extend([48, 96, 192, 320].into_iter().filter(|n| *n < total));
        list
    }

    fn reduce_candidates(&self) -> Vec<i64> {
        let mut list = vec![self.ic];
        if self.groups == 1 {
            let mut size = next_multiple((self.ic + 1) / 2, 16);
            while size < *list.last().unwrap_or(&0) {
                list.push(size);
                size = next_multiple((size + 1) / 2, 16);
            }
        }
        list
    }

    /// Cycles of the whole layer.
    fn cost(&self, tile: &MacTile, m: &Machine, room: i64) -> i64 {
        let up = |a: i64, b: i64| (a + b - 1) / b;
        let [n_rows, n_cols] = [up(self.out_height, tile.rows), up(self.out_width, tile.cols)];
        let spatial = self.batch * n_rows * n_cols;
        let channel = up(self.channel_total(), tile.channels);
        let reduce = up(self.ic, tile.reduce);
        let buffers = self.buffers(tile);
        let [input, weights, bias, table, output] = buffers;

        let shared_channels = self.depthwise || self.groups > 1;
        let input_loads = if tile.channels_outer || reduce > 1 || shared_channels {
            spatial * channel * reduce
        } else {
            spatial
        };
        let weight_loads =
            if tile.channels_outer && reduce == 1 { channel } else { spatial * channel * reduce };
        let parameter_loads = if tile.channels_outer { channel } else { spatial * channel };
        let stores = spatial * channel;

        let rate = i64::from(m.dram.bytes_per_cycle);
        // Channel slices of pixels travel in bursts.
        let burst = i64::from(m.dram.burst_bytes);
        let bursts = |bytes: i64, run: i64, whole: i64| {
            if run < whole { bytes / run * (next_multiple(run, burst) + burst / 4) } else { bytes }
        };
        let all_inputs = if self.groups > 1 { self.groups * self.ic } else { self.ic };
        let input = bursts(
            input,
            self.in_channels(tile) * self.sizes[0],
            next_multiple(all_inputs, self.in_lanes) * self.sizes[0],
        );
        let all_outputs = self.oc_total() * if self.depthwise { 1 } else { self.groups };
        let output = bursts(
            output,
            next_multiple(self.tile_oc(tile), self.out_lanes) * self.sizes[3],
            next_multiple(all_outputs, self.out_lanes) * self.sizes[3],
        );
        // Two loads are under way at a time, one for each side of a double buffer, so half of the latency shows in short
        // ones.
        let under_way = |bytes: i64, latency: u32| {
            let moves = up(bytes, rate);
            if bytes == 0 { 0 } else { moves.max((moves + i64::from(latency)) / 2) }
        };
        let load = |bytes: i64| under_way(bytes, m.dram.read_latency_cycles);
        let dram = input_loads * load(input)
            + weight_loads * load(weights)
            + parameter_loads * (load(bias) + load(table))
            + stores * under_way(output, m.dram.write_latency_cycles);

        let pixels = tile.rows * tile.cols;
        let [oc_lanes, ic_lanes, pixel_lanes] =
            [i64::from(m.mac.oc_lanes), i64::from(m.mac.ic_lanes), i64::from(m.mac.pixel_lanes)];
        let ends = i64::from(m.mac.fill_cycles + m.mac.drain_cycles);
        let passes = up(pixels, pixel_lanes) * self.sizes[0] * self.sizes[1];
        let mac_tile = if self.depthwise {
            ends + up(tile.channels, oc_lanes) * passes * up(self.taps(), ic_lanes)
        } else {
            let per_group = up(if self.groups > 1 { self.oc } else { tile.channels }, oc_lanes)
                * passes
                * self.taps()
                * up(tile.reduce, ic_lanes);
            let instructions = if self.groups > 1 { tile.channels } else { reduce };
            instructions * (ends + per_group)
        };
        let vectors = pixels * up(self.tile_oc(tile), i64::from(m.vec.lanes));
        let vec_tile = self.passes * (i64::from(m.vec.latency_cycles) + vectors);
        // Scalar code between tiles.
        let control = CONTROL_CYCLES * (input_loads + weight_loads + stores);

        // The units overlap, but for the first tile's way in and the last one's way out. Weights come early if there is
        // room for them beside those of the layer before.
        let doubled = 2 * (buffers[0] + weights + buffers[4]) + bias + table;
        let early = doubled * 2 <= room;
        let way_in = load(input) + if early { 0 } else { load(weights) };
        let serial =
            if doubled > room { input_loads * load(input) + weight_loads * load(weights) } else { 0 };
        let longest = dram.max(stores * mac_tile).max(stores * vec_tile).max(control);
        // The control core comes to the next weights once the tiles before them have found room in the queues.
        let between = if tile.channels_outer { spatial } else { 1 };
        let waits = (between - i64::from(m.mac.queue_depth.min(m.vec.queue_depth))).max(0);
        let step = waits * mac_tile.max(vec_tile) + load(weights);
        let longest = longest.max(weight_loads * step);
        longest + serial + way_in + mac_tile + vec_tile + load(output)
    }
}

/// Control instructions for a tile's operation and its descriptors.
const CONTROL_CYCLES: i64 = 12;

/// Tile sizes that split `n` evenly: `n`, ⌈n/2⌉, ⌈n/3⌉ … 1, without repetition.
fn split_sizes(n: i64) -> impl Iterator<Item = i64> {
    let mut last = 0;
    (1..=n.min(64))
        .map(move |parts| (n + parts - 1) / parts)
        .chain([16, 8, 4, 2, 1].into_iter().filter(move |s| *s < n / 64))
        .filter(move |size| {
            let new = *size != last;
            last = *size;
            new
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(h: i64, ic: i64, oc: i64, k: i64) -> MacShape {
        MacShape {
            batch: 1,
            height: h,
            width: h,
            out_height: h,
            out_width: h,
            ic,
            oc,
            groups: 1,
            depthwise: false,
            kernel: [k, k],
            stride: [1, 1],
            dilation: [1, 1],
            in_lanes: 16,
            out_lanes: 16,
            per_channel: true,
            entry: 4,
            bias: true,
            passes: 1,
            resident: [false; 2],
            sizes: [1, 1, 4, 1],
        }
    }

    #[test]
    fn every_layer_finds_a_tile_on_every_machine() {
        for name in Machine::names() {
            let machine = Machine::named(name).unwrap();
            for s in [
                shape(224, 3, 64, 7),
                shape(7, 2048, 512, 1),
                shape(1, 25088, 4096, 1),
                shape(14, 512, 512, 3),
            ] {
                let tile = s.search(&machine, machine.spm.bytes as i64).unwrap();
                assert!(s.fits(&tile, &machine, machine.spm.bytes as i64), "{name} {tile:?}");
            }
        }
    }

    #[test]
    fn a_small_layer_loads_its_weights_once() {
        let machine = Machine::named("rcn-m").unwrap();
        let tile = shape(14, 64, 64, 3).search(&machine, machine.spm.bytes as i64).unwrap();
        assert_eq!((tile.cols, tile.channels, tile.reduce), (14, 64, 64));
    }

    #[test]
    fn sizes_split_evenly() {
        assert_eq!(split_sizes(7).collect::<Vec<_>>(), [7, 4, 3, 2, 1]);
    }
}
