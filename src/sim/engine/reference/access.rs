//! Memory as one operation sees it, with the map of written bytes.

use crate::isa::{EType, Space, TensorDesc};
use crate::sim::load::Decoded;
use crate::sim::memory::Memory;
use crate::sim::validate::Memories;

/// Plain loops over elements, with a map of written bytes.
#[derive(Debug, Clone)]
pub struct Reference {
    pub(super) sizes: Memories,
    pub(super) constants: usize,
    /// Written bytes of DRAM behind the constants, scratchpad, accumulators.
    pub(super) written: [Vec<bool>; 3],
}

impl Reference {
    /// An engine for memories of these sizes.
    #[must_use]
    pub fn new(sizes: Memories, constants: usize) -> Reference {
        let map = |n: u64| vec![false; usize::try_from(n).unwrap_or(0)];
        let written = [map(sizes.dram.saturating_sub(sizes.writable)), map(sizes.spm), map(sizes.acc)];
        Reference { sizes, constants, written }
    }

    /// An engine for a program.
    #[must_use]
    pub fn of(decoded: &Decoded) -> Reference {
        Reference::new(decoded.sizes, decoded.program.constants.len())
    }
}

impl Reference {
    pub(super) fn mark(&mut self, space: Space, address: i64) {
        if let Some((map, at)) = self.slot(space, address)
            && let Some(bit) = self.written[map].get_mut(at)
        {
            *bit = true;
        }
    }

    pub(super) fn is_written(&self, space: Space, address: i64) -> bool {
        if space == Space::Dram && (address as u64) < self.sizes.writable {
            return address < self.constants as i64;
        }
        self.slot(space, address).is_some_and(|(map, at)| self.written[map].get(at) == Some(&true))
    }

    fn slot(&self, space: Space, address: i64) -> Option<(usize, usize)> {
        let at = if space == Space::Dram { address - self.sizes.writable as i64 } else { address };
        Some((space.index(), usize::try_from(at).ok()?))
    }
}

/// Memory as one operation sees it.
pub(super) struct Access<'a> {
    pub(super) engine: &'a Reference,
    pub(super) memory: &'a mut Memory,
    pub(super) lowest: Option<(Space, i64)>,
    pub(super) wraps: u64,
    pub(super) written: Vec<(Space, i64)>,
}

/// Address of an element.
pub(super) fn address(d: &TensorDesc, index: [i64; 4]) -> i64 {
    d.base + index.iter().zip(d.strides).map(|(i, s)| i * s).sum::<i64>()
}

impl Access<'_> {
    /// Reads `N` bytes; notes undefined ones.
    pub(super) fn bytes<const N: usize>(&mut self, space: Space, start: i64) -> [u8; N] {
        for a in start..start + N as i64 {
            if !self.engine.is_written(space, a) {
                self.lowest = Some(self.lowest.map_or((space, a), |l| l.min((space, a))));
            }
        }
        self.memory.read(space, start, N).try_into().unwrap_or([0; N])
    }

    /// Counts an element as read.
    pub(super) fn reads(&mut self, d: &TensorDesc, index: [i64; 4]) {
        let at = address(d, index);
        for a in at..at + d.etype.bytes() as i64 {
            if !self.engine.is_written(d.space, a) {
                self.lowest = Some(self.lowest.map_or((d.space, a), |l| l.min((d.space, a))));
            }
        }
    }

    /// Reads an integer element.
    pub(super) fn int(&mut self, d: &TensorDesc, index: [i64; 4]) -> i64 {
        let at = address(d, index);
        match d.etype {
            EType::U8 => self.bytes::<1>(d.space, at)[0].into(),
            EType::S8 => i8::from_le_bytes(self.bytes(d.space, at)).into(),
            EType::U16 => u16::from_le_bytes(self.bytes(d.space, at)).into(),
            EType::S16 => i16::from_le_bytes(self.bytes(d.space, at)).into(),
            EType::S32 | EType::F32 => i32::from_le_bytes(self.bytes(d.space, at)).into(),
            EType::S64 => i64::from_le_bytes(self.bytes(d.space, at)),
        }
    }

    /// Reads an element of at most 16 bits, minus its zero point.
    pub(super) fn difference(&mut self, d: &TensorDesc, index: [i64; 4]) -> i64 {
        self.int(d, index) - i64::from(d.zero_point)
    }

    /// Reads a float element.
    pub(super) fn float(&mut self, d: &TensorDesc, index: [i64; 4]) -> f32 {
        f32::from_le_bytes(self.bytes(d.space, address(d, index)))
    }

    /// Writes bytes.
    pub(super) fn put(&mut self, space: Space, start: i64, bytes: &[u8]) {
        let to = self.memory.write(space, start, bytes.len());
        if to.len() == bytes.len() {
            to.copy_from_slice(bytes);
        }
        self.written.extend((start..).take(bytes.len()).map(|a| (space, a)));
    }

    /// Writes an integer element; the value fits the type.
    pub(super) fn put_int(&mut self, d: &TensorDesc, index: [i64; 4], value: impl Into<i64>) {
        let bytes = value.into().to_le_bytes();
        self.put(d.space, address(d, index), &bytes[..d.etype.bytes()]);
    }

    /// Writes a float element.
    pub(super) fn put_float(&mut self, d: &TensorDesc, index: [i64; 4], value: f32) {
        self.put(d.space, address(d, index), &value.to_le_bytes());
    }

    /// Writes the zero point into the padding lanes of every pixel.
    pub(super) fn pad_lanes(&mut self, d: &TensorDesc) {
        let padded = crate::sim::access::padded_dims(d)[3];
        for_each([d.dims[0], d.dims[1], d.dims[2], 1], |[a, b, c, _]| {
            for lane in d.dims[3]..padded {
                self.put_zero(d, [a, b, c, lane.into()]);
            }
        });
    }

    /// Writes the zero point of a tensor (0.0 for floats).
    pub(super) fn put_zero(&mut self, d: &TensorDesc, index: [i64; 4]) {
        let mut bytes = [0_u8; 8];
        bytes[..4].copy_from_slice(&d.zero_point.to_le_bytes());
        self.put(d.space, address(d, index), &bytes[..d.etype.bytes()]);
    }
}

/// Calls `f` for every index of a box, innermost fastest.
pub(super) fn for_each(dims: [u32; 4], mut f: impl FnMut([i64; 4])) {
    for a in 0..i64::from(dims[0]) {
        for b in 0..i64::from(dims[1]) {
            for c in 0..i64::from(dims[2]) {
                for e in 0..i64::from(dims[3]) {
                    f([a, b, c, e]);
                }
            }
        }
    }
}
