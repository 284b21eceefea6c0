//! Tile shapes of MAC layers, chosen by a closed-form cost.
//!
//! The cost of a candidate is that of its slowest unit (DRAM traffic at the channel's rate, MAC and VEC with
//! partial tiles as the machine charges them, control instructions), plus what does not overlap: the first
//! tile's loads, the last one's store, and everything if buffers cannot be double. Only the order of the
//! candidates must be right, not the cycles.

mod price;

use super::super::constants::packed_bytes;
use super::super::storage::next_multiple;
use crate::isa::limits::{MAX_REDUCTION, MAX_WIDE_REDUCTION};
use crate::machine::Machine;

/// What a MAC layer computes, in machine terms.
#[derive(Debug, Clone)]
pub(super) struct MacShape {
    pub(super) batch: i64,
    /// Whether the layer is one loop nest, whose buffers no other part of it uses.
    pub(super) alone: bool,
    /// Rows of padding above the input.
    pub(super) pad_top: i64,
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
    /// Bytes of the input's channels in one pixel of a full tile.
    pub(super) in_lanes: i64,
    pub(super) out_lanes: i64,
    pub(super) per_channel: bool,
    /// Bytes of a multiplier.
    pub(super) entry: i64,
    pub(super) bias: bool,
    /// Passes of the vector unit over the output.
    pub(super) passes: i64,
    /// Whether input and output are in the scratchpad and need no buffer.
    pub(super) resident: [bool; 2],
    /// Bytes of an element of the input, the weights, the accumulators (and the bias), the output.
    pub(super) sizes: [i64; 4],
    /// How rows lie, if kernel columns are folded into the reduction; `ic`, `kernel` and `width` are then
    /// what the array sees.
    pub(super) fold: Option<Fold>,
}

/// Rows of the input in the scratchpad, whose pixels overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fold {
    /// Elements of a pixel of the image, padding lanes included.
    pub(super) pixel: i64,
    /// Channels of the image.
    pub(super) channels: i64,
    /// Padding columns before the image.
    pub(super) left: i64,
    /// Columns of the image that are loaded.
    pub(super) columns: i64,
    /// Columns of a row, padding included.
    pub(super) width: i64,
    /// Columns between two windows.
    pub(super) stride: i64,
    /// Whether the image lies in the scratchpad already, though without padding columns.
    pub(super) local: bool,
}

impl Fold {
    /// Columns of padding behind the image.
    pub(super) fn right(&self) -> i64 {
        self.width - self.left - self.columns
    }
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
    /// Whether the loop over output channels is outside the spatial loops: weights are then loaded once,
    /// inputs repeatedly.
    pub(super) channels_outer: bool,
    /// Whether input rows shared with the next tile are carried over inside the scratchpad.
    pub(super) carry: bool,
}

impl MacShape {
    /// Input rows and columns that a tile needs at most.
    pub(super) fn input_extent(&self, rows: i64, cols: i64) -> [i64; 2] {
        let span = |axis: usize, n: i64| {
            (n - 1) * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1
        };
        [span(0, rows).min(self.height), span(1, cols).min(self.width)]
    }

    /// Rows under the window of one output row.
    pub(super) fn window_rows(&self) -> i64 {
        (self.kernel[0] - 1) * self.dilation[0] + 1
    }

    /// Columns of a row in the buffer of a tile.
    pub(super) fn buffer_columns(&self, tile: &MacTile) -> i64 {
        let [_, cols] = self.input_extent(tile.rows, tile.cols);
        self.fold.map_or(cols, |fold| fold.width)
    }

    /// Input rows and columns that the buffer of a tile holds.
    fn buffer_extent(&self, tile: &MacTile) -> [i64; 2] {
        let [rows, _] = self.input_extent(tile.rows, tile.cols);
        // With carried rows, the padding has rows in the buffer too.
        let carried = (tile.rows - 1) * self.stride[0] + self.window_rows();
        [if tile.carry { carried } else { rows }, self.buffer_columns(tile)]
    }

    /// Whether tiles can carry rows over: there are several, of whole rows, one after the other; the last one
    /// begins inside the image; and the buffer has two sides.
    fn carries(&self, tile: &MacTile, room: i64) -> bool {
        let buffers = self.buffers(tile);
        let spm: i64 = buffers.iter().map(|b| next_multiple(*b, 64)).sum();
        self.alone
            && self.window_rows() > self.stride[0]
            && !self.resident[0]
            && tile.cols == self.out_width
            && tile.rows < self.out_height
            && tile.reduce == self.ic
            && (tile.channels_outer || tile.channels >= self.channel_total() || self.groups == 1)
            && tile.rows * self.stride[0] >= self.pad_top
            && (self.out_height - 1) * self.stride[0] - self.pad_top < self.height
            && spm + next_multiple(buffers[0], 64) <= room
    }

    pub(super) fn taps(&self) -> i64 {
        self.kernel[0] * self.kernel[1]
    }

    /// Output channels that one channel tile covers.
    pub(super) fn tile_oc(&self, tile: &MacTile) -> i64 {
        if self.groups > 1 && !self.depthwise { tile.channels * self.oc } else { tile.channels }
    }

    /// Scratchpad bytes of a tile's buffers: input, weights, bias, multipliers, output, and what is
    /// requantized before a table lookup.
    pub(super) fn buffers(&self, tile: &MacTile) -> [i64; 6] {
        let oc = self.tile_oc(tile);
        let [rows, cols] = self.buffer_extent(tile);
        let parameters = next_multiple(oc, 16) * self.entry;
        let results = tile.rows * tile.cols * next_multiple(oc, self.out_lanes);
        let [input, _, sums, output] = self.sizes;
        [
            if self.resident[0] { 0 } else { rows * cols * self.in_channels(tile) * input },
            self.weight_bytes(tile),
            if self.bias { next_multiple(oc, 16) * sums } else { 0 },
            if self.per_channel { parameters } else { 0 },
            if self.resident[1] { 0 } else { results * output },
            if self.resident[1] || self.passes == 1 { 0 } else { results },
        ]
    }

    /// Elements of one input pixel in the scratchpad.
    pub(super) fn in_channels(&self, tile: &MacTile) -> i64 {
        if let Some(fold) = self.fold {
            fold.pixel
        } else if self.depthwise {
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
            && (!tile.carry || self.carries(tile, room))
            && (self.fold.is_none() || tile.cols == self.out_width)
    }

    fn longest_reduction(&self) -> i64 {
        (if self.sizes[2] == 8 { MAX_WIDE_REDUCTION } else { MAX_REDUCTION }) as i64
    }

    fn channel_total(&self) -> i64 {
        if self.groups > 1 && !self.depthwise { self.groups } else { self.oc_total() }
    }

    fn oc_total(&self) -> i64 {
        if self.depthwise { self.groups } else { self.oc }
    }

    /// The cheapest tile that fits, with its cost; `None` if even the smallest does not.
    pub(super) fn search(&self, machine: &Machine, room: i64) -> Option<(i64, MacTile)> {
        let mut best: Option<(i64, MacTile)> = None;
        let spatial = self.spatial_candidates();
        for channels in self.channel_candidates() {
            for reduce in self.reduce_candidates() {
                // Costs are not monotonic because of partial tiles, so all candidates are priced; there are a
                // few dozen.
                for &(rows, cols) in &spatial {
                    for (channels_outer, carry) in
                        [(true, false), (false, false), (true, true), (false, true)]
                    {
                        // With one block of channels there is one order of the loops.
                        if !channels_outer && channels >= self.channel_total() {
                            continue;
                        }
                        // An image with fewer rows than two windows share has nothing to carry.
                        if carry && self.input_extent(rows, cols)[0] <= self.window_rows() - self.stride[0] {
                            continue;
                        }
                        let tile = MacTile { rows, cols, channels, reduce, channels_outer, carry };
                        let least = best.map_or(i64::MAX, |(cost, _)| cost);
                        if self.fits(&tile, machine, room)
                            && let Some(cost) = self.cost(&tile, machine, room, least)
                        {
                            best = Some((cost, tile));
                        }
                    }
                }
            }
        }
        best
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
            // A block of groups must fill whole output lanes, or be all groups.
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
        if self.groups == 1 && self.fold.is_none() {
            let mut size = next_multiple((self.ic + 1) / 2, 16);
            while size < *list.last().unwrap_or(&0) {
                list.push(size);
                size = next_multiple((size + 1) / 2, 16);
            }
        }
        list
    }
}

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
            pad_top: k / 2,
            alone: true,
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
            fold: None,
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
                let (_, tile) = s.search(&machine, machine.spm.bytes as i64).unwrap();
                assert!(s.fits(&tile, &machine, machine.spm.bytes as i64), "{name} {tile:?}");
            }
        }
    }

    #[test]
    fn a_small_layer_loads_its_weights_once() {
        let machine = Machine::named("rcn-m").unwrap();
        let (_, tile) = shape(14, 64, 64, 3).search(&machine, machine.spm.bytes as i64).unwrap();
        assert_eq!((tile.cols, tile.channels, tile.reduce), (14, 64, 64));
    }

    #[test]
    fn rows_under_two_windows_are_carried_over_where_dram_is_slow() {
        let machine = Machine::named("rcn-s").unwrap();
        let depthwise = MacShape { groups: 144, depthwise: true, ..shape(56, 1, 1, 3) };
        let (_, tile) = depthwise.search(&machine, machine.spm.bytes as i64).unwrap();
        assert!(tile.carry && tile.cols == 56, "{tile:?}");
    }

    #[test]
    fn sizes_split_evenly() {
        assert_eq!(split_sizes(7).collect::<Vec<_>>(), [7, 4, 3, 2, 1]);
    }
}
