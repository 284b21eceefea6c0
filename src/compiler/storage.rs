//! Layouts of tensors.
//!
//! Integer activations are channels-last with the channels padded to a lane block (16; 4 with at most 4
//! channels, 1 with one), which the MAC array and the vector unit read at full rate. Floats, graph inputs and
//! operands of host layers are row-major in ONNX order, without gaps. Every lowering accepts both, because
//! DMA copies any strides.

use crate::graph::{DType, Tensor};
use crate::isa::{EType, Space};
use crate::program::{Place, PlaceMemory};

/// The layout of a tensor, as four extents `[A, B, C, D]`, slowest first; images are `[N, H, W, C]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// Which memory.
    pub space: Space,
    /// Address of element 0. In DRAM it counts from [`TENSOR_BASE`] until the size of the constants is known.
    pub address: i64,
    /// Extents.
    pub dims: [i64; 4],
    /// Byte strides.
    pub strides: [i64; 4],
    /// Lane block of D in memory: 1 means no padding.
    pub lanes: i64,
    /// The order of the four extents in which the elements are row-major in ONNX.
    pub onnx_order: [usize; 4],
    /// Element type.
    pub etype: EType,
    /// Bytes from `address` on.
    pub bytes: i64,
}

/// Base of DRAM addresses of tensors before the size of the constants is known.
pub const TENSOR_BASE: i64 = 1 << 41;

/// Base of addresses of scratchpad buffers until they are placed.
pub(super) const WORK_BASE: i64 = 1 << 40;

/// Extents `[A, B, C, D]` of an ONNX shape, and the order in which they are row-major. Rank 4 is NCHW →
/// `[N, H, W, C]`; rank 2 `[M, K]` → `[M, 1, 1, K]`; every other rank keeps its order, leading extents
/// merged.
#[must_use]
pub fn canonical(shape: &[usize]) -> ([i64; 4], [usize; 4]) {
    let s = |i: usize| shape[i] as i64;
    match shape.len() {
        0 => ([1, 1, 1, 1], [0, 1, 2, 3]),
        1 => ([1, 1, 1, s(0)], [0, 1, 2, 3]),
        2 => ([s(0), 1, 1, s(1)], [0, 1, 2, 3]),
        3 => ([1, s(0), s(1), s(2)], [0, 1, 2, 3]),
        4 => ([s(0), s(2), s(3), s(1)], [0, 3, 1, 2]),
        r => {
            ([shape[..r - 3].iter().map(|d| *d as i64).product(), s(r - 3), s(r - 2), s(r - 1)], [0, 1, 2, 3])
        }
    }
}

/// The machine's element type of an IR type.
#[must_use]
pub fn etype(dtype: DType) -> EType {
    match dtype {
        // Booleans are bytes that are only moved.
        DType::U8 | DType::Bool => EType::U8,
        DType::S8 => EType::S8,
        DType::U16 => EType::U16,
        DType::S16 => EType::S16,
        DType::S32 => EType::S32,
        DType::S64 => EType::S64,
        DType::F32 => EType::F32,
    }
}

/// Lane block for `channels` channels in the scratchpad.
#[must_use]
pub fn lane_block(channels: i64) -> i64 {
    match channels {
        1 => 1,
        2..=4 => 4,
        _ => 16,
    }
}

impl Storage {
    /// Channels-last with padded channels.
    #[must_use]
    pub fn blocked(tensor: &Tensor, address: i64) -> Storage {
        let (dims, _) = canonical(&tensor.shape);
        Storage::packed(tensor, address, lane_block(dims[3]))
    }

    /// Channels-last without padding.
    #[must_use]
    pub fn channels_last(tensor: &Tensor, address: i64) -> Storage {
        Storage::packed(tensor, address, 1)
    }

    /// Row-major in ONNX order, without gaps.
    #[must_use]
    pub fn row_major(tensor: &Tensor, address: i64) -> Storage {
        let mut storage = Storage::packed(tensor, address, 1);
        let mut step = tensor.dtype.bytes() as i64;
        for &axis in storage.onnx_order.iter().rev() {
            storage.strides[axis] = step;
            step *= storage.dims[axis];
        }
        storage
    }

    fn packed(tensor: &Tensor, address: i64, lanes: i64) -> Storage {
        let (dims, onnx_order) = canonical(&tensor.shape);
        let size = tensor.dtype.bytes() as i64;
        let padded = next_multiple(dims[3], lanes);
        let strides = [dims[1] * dims[2] * padded * size, dims[2] * padded * size, padded * size, size];
        let bytes = dims[0] * strides[0];
        Storage {
            space: Space::Dram,
            address,
            dims,
            strides,
            lanes,
            onnx_order,
            etype: etype(tensor.dtype),
            bytes,
        }
    }

    /// D including its padding lanes.
    #[must_use]
    pub fn padded_channels(&self) -> i64 {
        next_multiple(self.dims[3], self.lanes)
    }

    /// Whether row-major enumeration in ONNX order walks memory without gaps.
    #[must_use]
    pub fn is_row_major(&self) -> bool {
        let mut step = self.etype.bytes() as i64;
        for &axis in self.onnx_order.iter().rev() {
            if self.dims[axis] != 1 && self.strides[axis] != step {
                return false;
            }
            step *= self.dims[axis];
        }
        true
    }

    /// Whether `other` describes the same elements at the same addresses, with the same padding.
    #[must_use]
    pub fn same_memory(&self, other: &Storage) -> bool {
        let steps = |s: &Storage| -> Vec<(i64, i64)> {
            s.onnx_order.iter().filter(|a| s.dims[**a] != 1).map(|a| (s.dims[*a], s.strides[*a])).collect()
        };
        self.lanes == other.lanes
            && self.padded_channels() == other.padded_channels()
            && self.bytes == other.bytes
            && steps(self) == steps(other)
    }

    /// The bytes of a tensor that lies as this says, from those of its elements as ONNX enumerates them.
    /// Padding lanes hold `zero`.
    pub(super) fn packed_from_row_major(&self, data: &[u8], zero: i32) -> Vec<u8> {
        if self.is_row_major() && data.len() as i64 == self.bytes {
            return data.to_vec();
        }
        let size = self.etype.bytes();
        let fill = i64::from(zero).to_le_bytes();
        let mut packed: Vec<u8> = fill[..size].iter().copied().cycle().take(self.bytes as usize).collect();
        let [a, b, c, d] =
            self.onnx_order.map(|axis| (self.dims[axis] as usize, self.strides[axis] as usize));
        let mut elements = data.chunks_exact(size);
        for i in 0..a.0 {
            for j in 0..b.0 {
                for k in 0..c.0 {
                    for l in 0..d.0 {
                        let at = i * a.1 + j * b.1 + k * c.1 + l * d.1;
                        if let Some(element) = elements.next() {
                            packed[at..at + size].copy_from_slice(element);
                        }
                    }
                }
            }
        }
        packed
    }

    /// The entry for the program's tensor table.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            memory: if self.space == Space::Spm { PlaceMemory::Spm } else { PlaceMemory::Dram },
            address: self.address as u64,
            dims: self.onnx_order.iter().map(|a| self.dims[*a] as u64).collect(),
            strides: self.onnx_order.iter().map(|a| self.strides[*a]).collect(),
        }
    }
}

/// `value` rounded up to a multiple of `step`.
#[must_use]
pub fn next_multiple(value: i64, step: i64) -> i64 {
    (value + step - 1) / step * step
}

/// Whether a matrix product can read this image as if it were flattened.
pub(super) fn flattens(src: &Storage, flat_shape: &[usize]) -> bool {
    let (dims, _) = canonical(flat_shape);
    flat_shape.len() == 2
        && src.onnx_order == [0, 3, 1, 2]
        && dims[0] == src.dims[0]
        && dims[3] == src.dims[1] * src.dims[2] * src.dims[3]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(shape: &[usize], dtype: DType) -> Tensor {
        Tensor { name: "t".into(), shape: shape.to_vec(), dtype, quant: None }
    }

    #[test]
    fn images_are_channels_last_and_padded() {
        let s = Storage::blocked(&tensor(&[2, 24, 5, 7], DType::U8), 0);
        assert_eq!(
            (s.dims, s.strides, s.bytes),
            ([2, 5, 7, 24], [5 * 7 * 32, 7 * 32, 32, 1], 2 * 5 * 7 * 32)
        );
        assert!(!s.is_row_major());
        let p = s.place();
        assert_eq!((p.dims, p.strides), (vec![2, 24, 5, 7], vec![1120, 1, 224, 32]));
    }

    #[test]
    fn constants_are_packed_as_they_lie() {
        let data: Vec<u8> = (0..2 * 6).collect();
        let s = Storage::blocked(&tensor(&[1, 2, 2, 3], DType::U8), 0);
        // Two channels of six places, in lanes of four.
        let packed = s.packed_from_row_major(&data, 9);
        assert_eq!(packed[..8], [0, 6, 9, 9, 1, 7, 9, 9]);
        assert_eq!(packed[20..], [5, 11, 9, 9]);
        assert_eq!(
            Storage::row_major(&tensor(&[1, 2, 2, 3], DType::U8), 0).packed_from_row_major(&data, 9),
            data
        );
    }

    #[test]
    fn a_pooled_image_and_its_flatten_share_memory() {
        let image = Storage::blocked(&tensor(&[1, 1280, 1, 1], DType::U8), 0);
        let flat = Storage::blocked(&tensor(&[1, 1280], DType::U8), 0);
        assert!(image.same_memory(&flat) && image.is_row_major());
        let wide = Storage::blocked(&tensor(&[1, 128, 3, 3], DType::U8), 0);
        assert!(!wide.same_memory(&Storage::blocked(&tensor(&[1, 1152], DType::U8), 0)));
    }

    #[test]
    fn floats_lie_as_onnx_sees_them() {
        let s = Storage::row_major(&tensor(&[1, 3, 4, 5], DType::F32), 0);
        assert_eq!(s.strides, [240, 20, 4, 80]);
        assert!(s.is_row_major());
    }
}
