//! What a tile shape costs.

use super::super::super::cost::{Runs, turning_cycles};
use super::super::super::passes::buffer_placement::Apart;
use super::super::super::storage::next_multiple;
use super::{MacShape, MacTile};
use crate::isa::Space;
use crate::machine::Machine;
use crate::machine::timing::{self, Product};

impl MacShape {
    /// Cycles of the whole layer, if these are less than `least`.
    pub(super) fn cost(&self, tile: &MacTile, m: &Machine, room: i64, least: i64) -> Option<i64> {
        let up = |a: i64, b: i64| (a + b - 1) / b;
        let [n_rows, n_cols] = [up(self.out_height, tile.rows), up(self.out_width, tile.cols)];
        let spatial = self.batch * n_rows * n_cols;
        let channel = up(self.channel_total(), tile.channels);
        let reduce = up(self.ic, tile.reduce);
        let mut work = [0, 0];
        let ends =
            |total: i64, size: i64| [(total / size, size), (i64::from(total % size > 0), total % size)];
        for (n_rows, rows) in ends(self.out_height, tile.rows) {
            for (n_cols, cols) in ends(self.out_width, tile.cols) {
                for (n_channels, channels) in ends(self.channel_total(), tile.channels) {
                    let count = self.batch * n_rows * n_cols * n_channels;
                    if count > 0 {
                        let (mac, vec) = self.work(&MacTile { rows, cols, channels, ..*tile }, m);
                        work = [work[0] + count * mac, work[1] + count * vec];
                    }
                }
            }
        }
        if work[0].max(work[1]) >= least {
            return None;
        }
        let buffers = self.buffers(tile);
        let [input, weights, bias, table, output, _] = buffers;

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

        let all_inputs = if self.groups > 1 { self.groups * self.ic } else { self.ic };
        let all_outputs = self.oc_total() * if self.depthwise { 1 } else { self.groups };
        let [in_rows, in_cols] = self.input_extent(tile.rows, tile.cols);
        let (in_cols, width, all_inputs) =
            self.fold.map_or((in_cols, self.width, all_inputs), |f| (f.columns, f.columns, f.pixel));
        let carried = if tile.carry { self.window_rows() - self.stride[0] } else { 0 };
        let local = self.fold.is_some_and(|fold| fold.local);
        let input = if input == 0 || local {
            0
        } else {
            let slice = self.in_channels(tile) * self.sizes[0];
            let pixel = next_multiple(all_inputs, self.in_lanes) * self.sizes[0];
            Runs::of([in_rows - carried, in_cols, slice], [width * pixel, pixel]).cycles(&m.dram)
        };
        let output = if output == 0 {
            0
        } else {
            let slice = next_multiple(self.tile_oc(tile), self.out_lanes) * self.sizes[3];
            let pixel = next_multiple(all_outputs, self.out_lanes) * self.sizes[3];
            Runs::of([tile.rows, tile.cols, slice], [self.out_width * pixel, pixel]).cycles(&m.dram)
        };
        let copied_rows = if local { in_rows } else { carried };
        let copied = copied_rows * in_cols * self.in_channels(tile) * self.sizes[0];
        let copy = timing::copy(m, copied as u64) as i64;
        let [weights, bias, table] = [weights, bias, table].map(|n| Runs::whole(n).cycles(&m.dram));
        let loads = input_loads * input + weight_loads * weights + parameter_loads * (bias + table);
        let dram = loads + (stores * output).max(input_loads * copy);
        // The copy holds the read port that the array needs.
        let [mac, vec] = [work[0] + stores * copy, work[1]];
        let (mac_tile, vec_tile) = self.work(tile, m);
        let mac_tile = mac_tile + copy;

        // Control instructions between tiles.
        let control = CONTROL_CYCLES * (input_loads + weight_loads + stores);

        // What the units take one after the other because a buffer has one side only; and, for buffers with
        // two, the time in which each is filled and used again.
        let [arrives, leaves] = [m.dram.read_latency_cycles, m.dram.write_latency_cycles].map(i64::from);
        let transfers = [
            Transfer { trips: input_loads, channel: input, latency: arrives, of: mac },
            Transfer { trips: weight_loads, channel: weights, latency: arrives, of: mac },
            Transfer { trips: parameter_loads, channel: bias, latency: arrives, of: mac },
            Transfer { trips: parameter_loads, channel: table, latency: arrives, of: vec },
            Transfer { trips: stores, channel: output, latency: leaves, of: vec },
            Transfer { trips: 1, channel: 0, latency: 0, of: 0 },
        ];
        let mut sides = [1; 6];
        let mut used: i64 = buffers.iter().map(|b| next_multiple(*b, 64)).sum();
        let mut turning: Vec<usize> = (0..6).filter(|i| transfers[*i].trips > 1).collect();
        turning.sort_by_key(|i| buffers[*i]);
        let [mut serial, mut alone, mut turns] = [0; 3];
        for i in turning {
            let transfer = &transfers[i];
            if used + next_multiple(buffers[i], 64) <= room {
                used += next_multiple(buffers[i], 64);
                sides[i] = 2;
                turns = turns.max(transfer.turns());
            } else {
                serial += transfer.trips * transfer.channel;
                // Transfers of one trip are under way together.
                alone = alone.max(transfer.trips * transfer.exposed());
            }
        }
        serial += alone;
        if reduce == 2 {
            // Both parts of a reduction use the same side.
            serial += stores * (input + weights);
        }
        // Units wait for each other's ports where buffers share banks.
        let bank = (m.spm.bytes / u64::from(m.spm.banks)) as i64;
        let of = |i: usize| sides[i] * buffers[i];
        let needs = [of(3) + of(5), of(4), of(0) + of(1) + of(2)];
        let in_turn = match Apart::of(needs, room, bank) {
            Apart::All => 0,
            Apart::Array => vec + stores * output,
            Apart::Output => mac + vec,
            Apart::None => mac + vec + stores * output,
        };
        // The groups of a tile share one side of the accumulators.
        let shared = self.groups > 1 && !self.depthwise && tile.channels > 1;
        let in_turn = if shared { in_turn.max(mac + vec) } else { in_turn };
        // The control core gets to the next weights once the tiles before them fit the queues.
        let between = if tile.channels_outer { spatial } else { 1 };
        let waits = (between - i64::from(m.mac.queue_depth.min(m.vec.queue_depth))).max(0);
        if waits > 0 {
            turns = turns.max(weight_loads * (waits * mac_tile.max(vec_tile) + weights + arrives));
        }
        // The units work on different tiles at once, but for the first tile's way in and the last one's way
        // out. Weights come early if there is room for them beside those of the layer before, as far as the
        // channel has time for them: more or less half of the way.
        let early = used * 2 <= room;
        let [input, weights] = [0, 1].map(|i| transfers[i].channel + transfers[i].exposed());
        let way_in = if early { input + weights / 2 } else { input + weights };
        let way_out = output + transfers[4].exposed();
        // The layer behind begins with the first rows, if they have all channels by then.
        let chained = self.resident == [true; 2] && channel == 1 && spatial > 1;
        let array = way_in + mac + if chained { 0 } else { vec_tile + way_out };
        let vector = way_in + mac_tile + vec + way_out;
        // The last transfer is followed by the work on the last part of the last tile.
        let after = mac_tile / reduce + vec_tile + transfers[4].exposed();
        let longest = array.max(vector).max(dram + after).max(turns + after).max(in_turn).max(control);
        // A busy channel turns between reading and writing; one that is not does each in its turn.
        let busy = (2 * dram - longest).max(0);
        let turned = turning_cycles(stores * output, loads, &m.dram) * busy / longest.max(1);
        let longest = longest.max(dram + after + turned);
        // Sums that are read and written again cost energy, and a simulator as much as half of the product:
        // they have to be worth it.
        let again = if reduce > 1 { longest / 8 } else { 0 };
        // Where nothing else differs, fewer instructions.
        Some(longest + again + serial + control / 16).filter(|cost| *cost < least)
    }

    /// Cycles of MAC and VEC for a tile.
    fn work(&self, tile: &MacTile, m: &Machine) -> (i64, i64) {
        let pixels = (tile.rows * tile.cols) as u64;
        let bytes = [self.sizes[0], self.sizes[1], self.sizes[2]].map(|n| n as u64);
        let product = |channels: i64, reduction: i64| Product {
            pixels,
            channels: channels as u64,
            taps: self.taps() as u64,
            reduction: reduction as u64,
            bytes,
        };
        let dense = |channels: i64, reduction: i64| product(channels, reduction).dense(m).cycles(m) as i64;
        let mac = if self.depthwise {
            let [rows, cols] = [0, 1].map(|axis| {
                let outputs = if axis == 0 { tile.rows } else { tile.cols };
                let [kernel, stride, dilation] =
                    [self.kernel, self.stride, self.dilation].map(|n| n[axis] as u64);
                timing::window(outputs as u64, kernel, stride, dilation)
            });
            product(tile.channels, 1).depthwise(m, rows * cols).cycles(m) as i64
        } else if self.groups > 1 {
            tile.channels * dense(self.oc, tile.reduce)
        } else {
            let last = self.ic % tile.reduce;
            self.ic / tile.reduce * dense(tile.channels, tile.reduce)
                + if last > 0 { dense(tile.channels, last) } else { 0 }
        };
        let results = [1, 1, pixels, self.tile_oc(tile) as u64];
        let written = (Space::Spm, results[2] * results[3] * self.sizes[3] as u64);
        (mac, self.passes * timing::vector(m, results, 1, &[(Space::Acc, bytes[2])], written) as i64)
    }
}

/// The transfers that fill or empty a buffer.
struct Transfer {
    trips: i64,
    /// Cycles of the channel in a trip.
    channel: i64,
    /// Cycles between a request and its answer.
    latency: i64,
    /// Cycles of the unit that reads or writes the buffer, in all trips.
    of: i64,
}

impl Transfer {
    /// Cycles of a trip in which the channel is free for others.
    fn exposed(&self) -> i64 {
        if self.channel == 0 { 0 } else { self.latency }
    }

    /// Cycles of all trips if the buffer has two sides: a side is filled again once it was used.
    fn turns(&self) -> i64 {
        if self.channel == 0 {
            return 0;
        }
        (self.trips * (self.latency + self.channel) + self.of) / 2
    }
}

/// Control instructions for a tile's operation and its descriptors.
const CONTROL_CYCLES: i64 = 12;
