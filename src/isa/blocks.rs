//! Pruned weights: the blocks of a stream and their order (manual, *Layouts*).

/// Channels of a block, on both sides.
pub const BLOCK: usize = 16;

/// Elements of a block.
pub const BLOCK_ELEMENTS: usize = BLOCK * BLOCK;

/// What a mask keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Blocks in the stream.
    pub blocks: u64,
    /// Steps of a MAC array that contain at least one of them.
    pub steps: u64,
}

/// The blocks of weights `[OC, KH, KW, IC]`, in the order of their bits in the mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockGrid {
    /// Blocks of output channels.
    pub outer: u64,
    /// Taps of the kernel.
    pub taps: u64,
    /// Blocks of input channels.
    pub inner: u64,
}

impl BlockGrid {
    /// The grid of weights with these extents.
    #[must_use]
    pub fn of([oc, kh, kw, ic]: [u32; 4]) -> BlockGrid {
        let blocks = |channels: u32| u64::from(channels.div_ceil(BLOCK as u32));
        BlockGrid { outer: blocks(oc), taps: u64::from(kh) * u64::from(kw), inner: blocks(ic) }
    }

    /// Number of blocks; `None` on overflow.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        self.outer.checked_mul(self.taps)?.checked_mul(self.inner)
    }

    /// Bytes of the mask: a multiple of 8.
    #[must_use]
    pub fn mask_bytes(&self) -> Option<u64> {
        Some(self.count()?.div_ceil(64) * 8)
    }

    /// Output-channel block, tap and input-channel block of bit `index`.
    #[must_use]
    pub fn position(&self, index: u64) -> [u64; 3] {
        [index / self.inner / self.taps, index / self.inner % self.taps, index % self.inner]
    }

    /// Counts the blocks that a mask keeps, and the steps of an array with `lanes` output and input channels
    /// that contain them. `dims` are the extents that the grid was made from.
    #[must_use]
    pub fn kept(&self, mask: &[u8], dims: [u32; 4], lanes: [u32; 2]) -> Kept {
        let channels = [dims[0], dims[3]].map(u64::from);
        let lanes = lanes.map(|n| u64::from(n.max(1)));
        let across = channels[1].div_ceil(lanes[1]);
        // An array may be wider or narrower than a block, so the steps are marked.
        let mut met = vec![false; (channels[0].div_ceil(lanes[0]) * self.taps * across) as usize];
        let range = |axis: usize, block: u64| {
            let last = ((block + 1) * BLOCK as u64).min(channels[axis]) - 1;
            block * BLOCK as u64 / lanes[axis]..=last / lanes[axis]
        };
        let mut blocks = 0;
        for [o, tap, i] in self.present(mask) {
            blocks += 1;
            for a in range(0, o) {
                for b in range(1, i) {
                    met[((a * self.taps + tap) * across + b) as usize] = true;
                }
            }
        }
        Kept { blocks, steps: met.iter().filter(|m| **m).count() as u64 }
    }

    /// The blocks of the stream, in its order. Bits beyond the grid are ignored.
    pub fn present<'a>(&self, mask: &'a [u8]) -> impl Iterator<Item = [u64; 3]> + 'a {
        let grid = *self;
        let bits = mask.iter().enumerate().flat_map(|(at, byte)| {
            (0..8).filter(move |bit| byte >> bit & 1 == 1).map(move |bit| at as u64 * 8 + bit)
        });
        bits.take_while(move |i| grid.count().is_some_and(|n| *i < n)).map(move |i| grid.position(i))
    }
}

/// Offset of an element in its block: output channel and input channel, both modulo 16.
#[must_use]
pub fn in_block(output: usize, input: usize) -> usize {
    let (o, i) = (output % BLOCK, input % BLOCK);
    i / 4 * 64 + o * 4 + i % 4
}
