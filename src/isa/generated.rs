// Generated from isa/rcn.toml by `RCN_BLESS=1 cargo test --test it generated`. Do not edit.

use super::decode::{self, DecodeError, DescriptorError};
use super::kinds::*;
use super::operand::{Class, FieldInfo, OpcodeInfo, Unit, Wait};

/// How a result is brought to its output type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantDesc {
    /// Rounding profile; the machine lists those that it supports; vec.requant, vec.add and vec.mul know the q31 ones.
    pub profile: Profile,
    /// Channel: the multiplier of channel c is the f32 at SPM address table + 4·c, in the q31 profiles the i32 at table + 8·c with its shift, modulo 64, in the byte at table + 8·c + 4; tensor: it is m0, or k0 with s0.
    pub mode: QuantMode,
    /// Zero point of the output.
    pub zero_point: i32,
    /// Lower clamp, after the zero point.
    pub lo: i32,
    /// Upper clamp; lo ≤ hi.
    pub hi: i32,
    /// Multiplier; factor of the first operand in vec.add; scale in vec.quant, vec.dequant and of the input in vec.avgpool.
    pub m0: f32,
    /// Factor of the second operand in vec.add; scale of the output in vec.avgpool.
    pub m1: f32,
    /// Addend in vec.add.
    pub c: f32,
    /// Q31: shift of k0, 0 to 63.
    pub s0: u8,
    /// Q31: shift of k1.
    pub s1: u8,
    /// Q31: shift of k2.
    pub s2: u8,
    /// Q31: multiplier; of the first operand in vec.add.
    pub k0: i32,
    /// Q31: multiplier of the second operand in vec.add.
    pub k1: i32,
    /// Q31: multiplier of the sum in vec.add.
    pub k2: i32,
    /// SPM address of the per-channel multipliers [bytes].
    pub table: i64,
}

impl QuantDesc {
    /// Size of the record.
    pub const BYTES: usize = 56;

    /// The record as it stands in the constants, little endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 56] {
        let mut out = [0; 56];
        out[0..1].copy_from_slice(&(self.profile as u8).to_le_bytes());
        out[1..2].copy_from_slice(&(self.mode as u8).to_le_bytes());
        out[4..8].copy_from_slice(&self.zero_point.to_le_bytes());
        out[8..12].copy_from_slice(&self.lo.to_le_bytes());
        out[12..16].copy_from_slice(&self.hi.to_le_bytes());
        out[16..20].copy_from_slice(&self.m0.to_le_bytes());
        out[20..24].copy_from_slice(&self.m1.to_le_bytes());
        out[24..28].copy_from_slice(&self.c.to_le_bytes());
        out[28..29].copy_from_slice(&self.s0.to_le_bytes());
        out[29..30].copy_from_slice(&self.s1.to_le_bytes());
        out[30..31].copy_from_slice(&self.s2.to_le_bytes());
        out[32..36].copy_from_slice(&self.k0.to_le_bytes());
        out[36..40].copy_from_slice(&self.k1.to_le_bytes());
        out[40..44].copy_from_slice(&self.k2.to_le_bytes());
        out[48..56].copy_from_slice(&self.table.to_le_bytes());
        out
    }

    /// Reads a record.
    ///
    /// # Errors
    /// A wrong length, a reserved byte that is not zero, a value that is not legal.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DescriptorError> {
        let b: &[u8; 56] = bytes.try_into().map_err(|_| DescriptorError::Length {
            descriptor: "QuantDesc",
            found: bytes.len(),
            wanted: 56,
        })?;
        decode::reserved_bytes("QuantDesc", b, &[2, 3, 31, 44, 45, 46, 47])?;
        Ok(Self {
            profile: Profile::new(b[0]).ok_or(DescriptorError::Field {
                descriptor: "QuantDesc",
                field: "profile",
                value: b[0],
            })?,
            mode: QuantMode::new(b[1]).ok_or(DescriptorError::Field {
                descriptor: "QuantDesc",
                field: "mode",
                value: b[1],
            })?,
            zero_point: i32::from_le_bytes(decode::part(b, 4)),
            lo: i32::from_le_bytes(decode::part(b, 8)),
            hi: i32::from_le_bytes(decode::part(b, 12)),
            m0: f32::from_le_bytes(decode::part(b, 16)),
            m1: f32::from_le_bytes(decode::part(b, 20)),
            c: f32::from_le_bytes(decode::part(b, 24)),
            s0: b[28],
            s1: b[29],
            s2: b[30],
            k0: i32::from_le_bytes(decode::part(b, 32)),
            k1: i32::from_le_bytes(decode::part(b, 36)),
            k2: i32::from_le_bytes(decode::part(b, 40)),
            table: i64::from_le_bytes(decode::part(b, 48)),
        })
    }
}

/// A box of elements in one memory. The address of element (i0,i1,i2,i3) is base + Σ i·stride. The base may lie outside the memory (a window onto a larger tensor): only accessed elements must be inside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TensorDesc {
    /// Address of element (0,0,0,0) [bytes].
    pub base: i64,
    /// Extents, slowest first; images are [1, H, W, C]; each at least 1 and at most 2^24 [elements].
    pub dims: [u32; 4],
    /// Step of each dimension; 0 repeats (broadcast), for reading only [bytes].
    pub strides: [i64; 4],
    /// Zero point of the elements; what padding and fills write.
    pub zero_point: i32,
    /// Which memory.
    pub space: Space,
    /// Element type.
    pub etype: EType,
    /// The innermost dimension is padded to a multiple of this; a writer fills the padding lanes with the zero point, a reader ignores them.
    pub lanes: u8,
}

impl TensorDesc {
    /// Size of the record.
    pub const BYTES: usize = 64;

    /// The record as it stands in the constants, little endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 64] {
        let mut out = [0; 64];
        out[0..8].copy_from_slice(&self.base.to_le_bytes());
        for (i, v) in self.dims.iter().enumerate() {
            out[8 + 4 * i..8 + 4 * (i + 1)].copy_from_slice(&v.to_le_bytes());
        }
        for (i, v) in self.strides.iter().enumerate() {
            out[24 + 8 * i..24 + 8 * (i + 1)].copy_from_slice(&v.to_le_bytes());
        }
        out[56..60].copy_from_slice(&self.zero_point.to_le_bytes());
        out[60..61].copy_from_slice(&(self.space as u8).to_le_bytes());
        out[61..62].copy_from_slice(&(self.etype as u8).to_le_bytes());
        out[62..63].copy_from_slice(&self.lanes.to_le_bytes());
        out
    }

    /// Reads a record.
    ///
    /// # Errors
    /// A wrong length, a reserved byte that is not zero, a value that is not legal.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DescriptorError> {
        let b: &[u8; 64] = bytes.try_into().map_err(|_| DescriptorError::Length {
            descriptor: "TensorDesc",
            found: bytes.len(),
            wanted: 64,
        })?;
        decode::reserved_bytes("TensorDesc", b, &[63])?;
        decode::legal_byte("TensorDesc", "lanes", b[62], &[1, 4, 16])?;
        Ok(Self {
            base: i64::from_le_bytes(decode::part(b, 0)),
            dims: [
                u32::from_le_bytes(decode::part(b, 8)),
                u32::from_le_bytes(decode::part(b, 12)),
                u32::from_le_bytes(decode::part(b, 16)),
                u32::from_le_bytes(decode::part(b, 20)),
            ],
            strides: [
                i64::from_le_bytes(decode::part(b, 24)),
                i64::from_le_bytes(decode::part(b, 32)),
                i64::from_le_bytes(decode::part(b, 40)),
                i64::from_le_bytes(decode::part(b, 48)),
            ],
            zero_point: i32::from_le_bytes(decode::part(b, 56)),
            space: Space::new(b[60]).ok_or(DescriptorError::Field {
                descriptor: "TensorDesc",
                field: "space",
                value: b[60],
            })?,
            etype: EType::new(b[61]).ok_or(DescriptorError::Field {
                descriptor: "TensorDesc",
                field: "etype",
                value: b[61],
            })?,
            lanes: b[62],
        })
    }
}

/// Geometry of a convolution or pooling window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowDesc {
    /// Height, width; at least 1 [elements].
    pub kernel: [u16; 2],
    /// Height, width; at least 1 [elements].
    pub stride: [u16; 2],
    /// Height, width; at least 1 [elements].
    pub dilation: [u16; 2],
    /// Top, left, bottom, right of the whole tensor, each at least 0; addresses follow from top and left alone [elements].
    pub pads: [i16; 4],
}

impl WindowDesc {
    /// Size of the record.
    pub const BYTES: usize = 24;

    /// The record as it stands in the constants, little endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 24] {
        let mut out = [0; 24];
        for (i, v) in self.kernel.iter().enumerate() {
            out[0 + 2 * i..0 + 2 * (i + 1)].copy_from_slice(&v.to_le_bytes());
        }
        for (i, v) in self.stride.iter().enumerate() {
            out[4 + 2 * i..4 + 2 * (i + 1)].copy_from_slice(&v.to_le_bytes());
        }
        for (i, v) in self.dilation.iter().enumerate() {
            out[8 + 2 * i..8 + 2 * (i + 1)].copy_from_slice(&v.to_le_bytes());
        }
        for (i, v) in self.pads.iter().enumerate() {
            out[12 + 2 * i..12 + 2 * (i + 1)].copy_from_slice(&v.to_le_bytes());
        }
        out
    }

    /// Reads a record.
    ///
    /// # Errors
    /// A wrong length, a reserved byte that is not zero, a value that is not legal.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DescriptorError> {
        let b: &[u8; 24] = bytes.try_into().map_err(|_| DescriptorError::Length {
            descriptor: "WindowDesc",
            found: bytes.len(),
            wanted: 24,
        })?;
        decode::reserved_bytes("WindowDesc", b, &[20, 21, 22, 23])?;
        Ok(Self {
            kernel: [u16::from_le_bytes(decode::part(b, 0)), u16::from_le_bytes(decode::part(b, 2))],
            stride: [u16::from_le_bytes(decode::part(b, 4)), u16::from_le_bytes(decode::part(b, 6))],
            dilation: [u16::from_le_bytes(decode::part(b, 8)), u16::from_le_bytes(decode::part(b, 10))],
            pads: [
                i16::from_le_bytes(decode::part(b, 12)),
                i16::from_le_bytes(decode::part(b, 14)),
                i16::from_le_bytes(decode::part(b, 16)),
                i16::from_le_bytes(decode::part(b, 18)),
            ],
        })
    }
}

/// Operation codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// `nop`: nothing
    Nop = 0x01,
    /// `li`: rd ← imm
    Li = 0x02,
    /// `add`: rd ← rs1 + rs2, modulo 2^64
    Add = 0x08,
    /// `sub`: rd ← rs1 − rs2, modulo 2^64
    Sub = 0x09,
    /// `mul`: rd ← rs1 · rs2, modulo 2^64
    Mul = 0x0a,
    /// `and`: rd ← rs1 and rs2, bitwise
    And = 0x0b,
    /// `or`: rd ← rs1 or rs2, bitwise
    Or = 0x0c,
    /// `xor`: rd ← rs1 exclusive-or rs2, bitwise
    Xor = 0x0d,
    /// `sll`: rd ← rs1 shifted left by rs2 modulo 64
    Sll = 0x0e,
    /// `srl`: rd ← rs1 shifted right by rs2 modulo 64, zeros enter
    Srl = 0x0f,
    /// `sra`: rd ← rs1 shifted right by rs2 modulo 64, the sign enters
    Sra = 0x10,
    /// `slt`: rd ← 1 if rs1 < rs2 (signed), else 0
    Slt = 0x11,
    /// `min`: rd ← the smaller of rs1 and rs2 (signed)
    Min = 0x12,
    /// `max`: rd ← the larger of rs1 and rs2 (signed)
    Max = 0x13,
    /// `addi`: rd ← rs1 + imm, modulo 2^64
    Addi = 0x18,
    /// `muli`: rd ← rs1 · imm, modulo 2^64
    Muli = 0x19,
    /// `andi`: rd ← rs1 and imm, bitwise
    Andi = 0x1a,
    /// `mini`: rd ← the smaller of rs1 and imm (signed)
    Mini = 0x1b,
    /// `maxi`: rd ← the larger of rs1 and imm (signed)
    Maxi = 0x1c,
    /// `beq`: if rs1 = rs2, go to target
    Beq = 0x20,
    /// `bne`: if rs1 ≠ rs2, go to target
    Bne = 0x21,
    /// `blt`: if rs1 < rs2 (signed), go to target
    Blt = 0x22,
    /// `bge`: if rs1 ≥ rs2 (signed), go to target
    Bge = 0x23,
    /// `jal`: rd ← index of the next instruction; go to target
    Jal = 0x28,
    /// `jalr`: rd ← index of the next instruction; go to instruction rs1 + imm
    Jalr = 0x29,
    /// `ld.d`: rd ← the 64 bits at constant address rs1 + imm, a multiple of 8
    LdD = 0x30,
    /// `ld.w`: rd ← the 32 bits at constant address rs1 + imm, a multiple of 4, sign-extended
    LdW = 0x31,
    /// `tdesc.load`: td ← the tensor descriptor at constant address rs1 + imm, a multiple of 8
    TdescLoad = 0x34,
    /// `tdesc.set`: field of td ← rs1, which must fit
    TdescSet = 0x35,
    /// `tdesc.add`: field of td ← field + rs1, which must fit
    TdescAdd = 0x36,
    /// `tdesc.mov`: td ← ts
    TdescMov = 0x37,
    /// `qdesc.load`: qd ← the quantization descriptor at constant address rs1 + imm, a multiple of 8
    QdescLoad = 0x38,
    /// `qdesc.set`: field of qd ← rs1, which must fit
    QdescSet = 0x39,
    /// `wdesc.load`: wd ← the window descriptor at constant address rs1 + imm, a multiple of 8
    WdescLoad = 0x3a,
    /// `wdesc.set`: field of wd ← rs1, which must fit
    WdescSet = 0x3b,
    /// `layer.begin`: marks the begin of a layer of the layer table; layers do not nest
    LayerBegin = 0x40,
    /// `layer.end`: marks the end of the open layer: in program order its tensor now lies complete where the layer table says
    LayerEnd = 0x41,
    /// `mark`: writes the id and the cycle into the trace
    Mark = 0x42,
    /// `fence`: waits until everything issued has ended
    Fence = 0x44,
    /// `host`: a fence, then the host layer of the host table runs: it reads and writes the DRAM ranges declared there
    Host = 0x45,
    /// `halt`: a fence, then the program ends
    Halt = 0x46,
    /// `qnop`: nothing, in the queue named: carries two more conditions for what follows there
    Qnop = 0x50,
    /// `dma.in`: DRAM → SPM: dst[i] ← src[i]; same dims, element types of the same size; padding lanes of dst get its zero point
    DmaIn = 0x58,
    /// `dma.pad`: DRAM → SPM with a border: dst[n,y,x,c] ← src[n,y−pt,x−pl,c] where that exists, else dst's zero point; D0 and D3 of dst and src are equal, and the source lies inside dst
    DmaPad = 0x59,
    /// `dma.fill`: SPM: every element and padding lane of dst ← its zero point
    DmaFill = 0x5a,
    /// `dma.copy`: SPM → SPM: dst[i] ← src[i]; same dims, element types of the same size; padding lanes of dst get its zero point
    DmaCopy = 0x5b,
    /// `dma.out`: SPM → DRAM: dst[i] ← src[i]; same dims, element types of the same size; padding lanes of dst get its zero point
    DmaOut = 0x5c,
    /// `dma.gather`: DRAM → SPM: dst[0,0,r,c] ← src[0,0,ids[r],c], an id below 0 counted from the end. dst [1,1,R,C], src [1,1,N,C] whose rows have no gaps, element types of the same size; ids: SPM [1,1,1,R], integers of any type. All of src counts as read. An id outside −N … N − 1 is a fault, found when the program runs
    DmaGather = 0x5d,
    /// `mac.conv`: dst[0,y,x,o] ← start + Σ(ky,kx,i) (src[0,iy,ix,i] − zs)·(w[o,ky,kx,i] − zw) with iy = (oy+y)·sh − pt + ky·dh, ix = (ox+x)·sw − pl + kx·dw; taps outside src add nothing. dst: ACC [1,TH,TW,OC]; s32 if src and weights have 8 bits, else s64. src: SPM [1,H,W,IC] 8 or 16 bits, full extents. weights: SPM [OC,KH,KW,IC] 8 or 16 bits, packed (see the layout section), strides zero. bias: SPM [1,1,1,OC], of dst's type. KH·KW·IC ≤ 33025 for s32, 2^30 for s64
    MacConv = 0x60,
    /// `mac.pruned`: as mac.conv, with weights whose zero blocks are absent from the stream (see the layout section). mask: the register holds the address, a multiple of 8, of the mask in the constants, which the control core loads before it issues (*Time*: Constants)
    MacPruned = 0x63,
    /// `mac.dw`: depthwise: dst[0,y,x,c] ← start + Σ(ky,kx) (src[0,iy,ix,c] − zs)·(w[0,ky,kx,c] − zw), iy and ix as in mac.conv. weights: SPM [1,KH,KW,C], strides as given. bias: SPM [1,1,1,C]; types as in mac.conv
    MacDw = 0x61,
    /// `mac.matmul`: dst[0,0,m,n] ← start + Σ(k) (a[0,0,m,k] − za)·(b[0,0,k,n] − zb). dst: ACC [1,1,M,N]. a: SPM [1,1,M,K], b: SPM [1,1,K,N], strides as given. bias: SPM [1,1,1,N]. Types and the limit of K as in mac.conv
    MacMatmul = 0x62,
    /// `vec.requant`: ACC → SPM: dst[i] ← requantize(src[i]) with the multiplier of channel i3; src: ACC s32 or s64, dst: 8 or 16 bits, same dims
    VecRequant = 0x70,
    /// `vec.store`: ACC → SPM: dst[i] ← src[i]; s32 or s64 on both sides, or s64 to s32, which keeps the low 32 bits; same dims
    VecStore = 0x71,
    /// `vec.add`: dst[i] ← sat(rne(fma(a[i], m0, fma(b[i], m1, c)))), f32; 8 or 16 bits each, same dims (stride 0 broadcasts)
    VecAdd = 0x74,
    /// `vec.mul`: dst[i] ← sat(rne(f32((a[i] − za)·(b[i] − zb))·m0 + zy)), f32; 8 or 16 bits each, same dims (stride 0 broadcasts)
    VecMul = 0x75,
    /// `vec.lut`: dst[i] ← table[src[i] as an unsigned byte]; src: 8 bits; table: SPM [1,1,1,256], 8 or 16 bits, of dst's size
    VecLut = 0x76,
    /// `vec.maxpool`: dst[0,y,x,c] ← the largest src[0,iy,ix,c] of the window, iy and ix as in mac.conv; taps outside src do not count, and a window wholly outside gives the least value of the type
    VecMaxpool = 0x78,
    /// `vec.avgpool`: dst[0,y,x,c] ← the average of the window as ONNX Runtime's QLinearAveragePool computes it (see the numbers section); m0 = scale of src, m1 = scale of dst
    VecAvgpool = 0x79,
    /// `vec.rsum`: SPM → ACC: dst[0,0,0,c] ← start + Σ(y,x) (src[0,y,x,c] − zs); dst: ACC [1,1,1,C], s32 if src has 8 bits, s64 if it has 16
    VecRsum = 0x7a,
    /// `vec.quant`: dst[i] ← sat(rne(src[i] / m0) + zy); src: SPM f32, dst: 8 or 16 bits, same dims
    VecQuant = 0x7c,
    /// `vec.dequant`: dst[i] ← f32(src[i] − zs)·m0, or the multiplier of channel i3; src: SPM 8 or 16 bits, or ACC s32 or s64 with zs = 0; dst: f32, same dims
    VecDequant = 0x7d,
    /// `vec.f1`: dst[i] ← op(src[i]); SPM f32, same dims
    VecF1 = 0x80,
    /// `vec.f2`: dst[i] ← op(a[i], b[i]); SPM f32, same dims (stride 0 broadcasts)
    VecF2 = 0x81,
    /// `vec.fold`: dst[a,b,c,0] ← op over i of src[a,b,c,i], from i = 0 upwards; SPM f32; dst [A,B,C,1], src [A,B,C,N]
    VecFold = 0x82,
    /// `vec.softmax`: each row along the innermost extent: e[i] = table[src[i] + greatest of the type − largest src, as an unsigned byte]; dst[i] ← sat(rne(e[i]·m0 / Σe) + zy), f32, Σ from the first element to the last; a Σ of 0 counts as 1. src, dst: 8 bits, same dims; table: SPM [1,1,1,256] f32
    VecSoftmax = 0x84,
    /// `vec.resize`: linear interpolation: with {y1, y2, v1, v2} = rows[0,0,y] and {x1, x2, u1, u2} = cols[0,0,x], dst[0,y,x,c] ← u1·v1·src[y1,x1] + u2·v1·src[y1,x2] + u1·v2·src[y2,x1] + u2·v2·src[y2,x2], f32, in this order; integers are truncated towards zero. Indices are clamped to src. dst [1,TH,TW,C], src [1,H,W,C]: SPM, 8 bits or f32, of one type; rows: SPM [1,1,TH,4], cols: SPM [1,1,TW,4] s32, the weights as bits of f32
    VecResize = 0x85,
}

impl Opcode {
    /// All operation codes, in the table's order.
    pub const ALL: [Self; 67] = [
        Self::Nop,
        Self::Li,
        Self::Add,
        Self::Sub,
        Self::Mul,
        Self::And,
        Self::Or,
        Self::Xor,
        Self::Sll,
        Self::Srl,
        Self::Sra,
        Self::Slt,
        Self::Min,
        Self::Max,
        Self::Addi,
        Self::Muli,
        Self::Andi,
        Self::Mini,
        Self::Maxi,
        Self::Beq,
        Self::Bne,
        Self::Blt,
        Self::Bge,
        Self::Jal,
        Self::Jalr,
        Self::LdD,
        Self::LdW,
        Self::TdescLoad,
        Self::TdescSet,
        Self::TdescAdd,
        Self::TdescMov,
        Self::QdescLoad,
        Self::QdescSet,
        Self::WdescLoad,
        Self::WdescSet,
        Self::LayerBegin,
        Self::LayerEnd,
        Self::Mark,
        Self::Fence,
        Self::Host,
        Self::Halt,
        Self::Qnop,
        Self::DmaIn,
        Self::DmaPad,
        Self::DmaFill,
        Self::DmaCopy,
        Self::DmaOut,
        Self::DmaGather,
        Self::MacConv,
        Self::MacPruned,
        Self::MacDw,
        Self::MacMatmul,
        Self::VecRequant,
        Self::VecStore,
        Self::VecAdd,
        Self::VecMul,
        Self::VecLut,
        Self::VecMaxpool,
        Self::VecAvgpool,
        Self::VecRsum,
        Self::VecQuant,
        Self::VecDequant,
        Self::VecF1,
        Self::VecF2,
        Self::VecFold,
        Self::VecSoftmax,
        Self::VecResize,
    ];

    /// Mnemonic, unit, timing class, syntax and fields.
    #[must_use]
    pub fn info(self) -> &'static OpcodeInfo {
        &INFO[self as usize]
    }
}

static INFO: [OpcodeInfo; 134] = [
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x01,
        mnemonic: "nop",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "",
        reads: &[],
        writes: &[],
        fields: &[],
    },
    OpcodeInfo {
        opcode: 0x02,
        mnemonic: "li",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {imm}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "imm", lo: 64, width: 64, class: Class::Signed },
        ],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x08,
        mnemonic: "add",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {rs2}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs2", lo: 18, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x09,
        mnemonic: "sub",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {rs2}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs2", lo: 18, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x0a,
        mnemonic: "mul",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {rs2}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs2", lo: 18, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x0b,
        mnemonic: "and",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {rs2}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs2", lo: 18, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x0c,
        mnemonic: "or",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {rs2}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs2", lo: 18, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x0d,
        mnemonic: "xor",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {rs2}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs2", lo: 18, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x0e,
        mnemonic: "sll",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {rs2}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs2", lo: 18, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x0f,
        mnemonic: "srl",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {rs2}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs2", lo: 18, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x10,
        mnemonic: "sra",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {rs2}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs2", lo: 18, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x11,
        mnemonic: "slt",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {rs2}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs2", lo: 18, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x12,
        mnemonic: "min",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {rs2}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs2", lo: 18, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x13,
        mnemonic: "max",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {rs2}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs2", lo: 18, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x18,
        mnemonic: "addi",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {imm}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "imm", lo: 32, width: 32, class: Class::Signed },
        ],
    },
    OpcodeInfo {
        opcode: 0x19,
        mnemonic: "muli",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {imm}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "imm", lo: 32, width: 32, class: Class::Signed },
        ],
    },
    OpcodeInfo {
        opcode: 0x1a,
        mnemonic: "andi",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {imm}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "imm", lo: 32, width: 32, class: Class::Signed },
        ],
    },
    OpcodeInfo {
        opcode: 0x1b,
        mnemonic: "mini",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {imm}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "imm", lo: 32, width: 32, class: Class::Signed },
        ],
    },
    OpcodeInfo {
        opcode: 0x1c,
        mnemonic: "maxi",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {imm}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "imm", lo: 32, width: 32, class: Class::Signed },
        ],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x20,
        mnemonic: "beq",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rs1}, {rs2}, {target}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs2", lo: 18, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "target", lo: 32, width: 32, class: Class::Relative },
        ],
    },
    OpcodeInfo {
        opcode: 0x21,
        mnemonic: "bne",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rs1}, {rs2}, {target}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs2", lo: 18, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "target", lo: 32, width: 32, class: Class::Relative },
        ],
    },
    OpcodeInfo {
        opcode: 0x22,
        mnemonic: "blt",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rs1}, {rs2}, {target}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs2", lo: 18, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "target", lo: 32, width: 32, class: Class::Relative },
        ],
    },
    OpcodeInfo {
        opcode: 0x23,
        mnemonic: "bge",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rs1}, {rs2}, {target}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs2", lo: 18, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "target", lo: 32, width: 32, class: Class::Relative },
        ],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x28,
        mnemonic: "jal",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {target}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "target", lo: 32, width: 32, class: Class::Relative },
        ],
    },
    OpcodeInfo {
        opcode: 0x29,
        mnemonic: "jalr",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{rd}, {rs1}, {imm}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "imm", lo: 32, width: 32, class: Class::Signed },
        ],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x30,
        mnemonic: "ld.d",
        unit: Unit::Control,
        timing: Timing::ConstLoad,
        syntax: "{rd}, {imm}({rs1})",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "imm", lo: 32, width: 32, class: Class::Signed },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x31,
        mnemonic: "ld.w",
        unit: Unit::Control,
        timing: Timing::ConstLoad,
        syntax: "{rd}, {imm}({rs1})",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "rd", lo: 8, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "imm", lo: 32, width: 32, class: Class::Signed },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x34,
        mnemonic: "tdesc.load",
        unit: Unit::Control,
        timing: Timing::ConstLoad,
        syntax: "{td}, {imm}({rs1})",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "td", lo: 8, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "imm", lo: 32, width: 32, class: Class::Signed },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x35,
        mnemonic: "tdesc.set",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{td}.{field}, {rs1}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "td", lo: 8, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo {
                name: "field",
                lo: 18,
                width: 4,
                class: Class::Enum(&[
                    ("base", 0),
                    ("d0", 1),
                    ("d1", 2),
                    ("d2", 3),
                    ("d3", 4),
                    ("s0", 5),
                    ("s1", 6),
                    ("s2", 7),
                    ("s3", 8),
                    ("zp", 9),
                ]),
            },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x36,
        mnemonic: "tdesc.add",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{td}.{field}, {rs1}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "td", lo: 8, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo {
                name: "field",
                lo: 18,
                width: 4,
                class: Class::Enum(&[
                    ("base", 0),
                    ("d0", 1),
                    ("d1", 2),
                    ("d2", 3),
                    ("d3", 4),
                    ("s0", 5),
                    ("s1", 6),
                    ("s2", 7),
                    ("s3", 8),
                    ("zp", 9),
                ]),
            },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x37,
        mnemonic: "tdesc.mov",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{td}, {ts}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "td", lo: 8, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "ts", lo: 13, width: 5, class: Class::Register { prefix: "t" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x38,
        mnemonic: "qdesc.load",
        unit: Unit::Control,
        timing: Timing::ConstLoad,
        syntax: "{qd}, {imm}({rs1})",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "qd", lo: 8, width: 4, class: Class::Register { prefix: "q" } },
            FieldInfo { name: "imm", lo: 32, width: 32, class: Class::Signed },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x39,
        mnemonic: "qdesc.set",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{qd}.{field}, {rs1}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "qd", lo: 8, width: 4, class: Class::Register { prefix: "q" } },
            FieldInfo {
                name: "field",
                lo: 18,
                width: 4,
                class: Class::Enum(&[("zp", 0), ("lo", 1), ("hi", 2), ("table", 3)]),
            },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x3a,
        mnemonic: "wdesc.load",
        unit: Unit::Control,
        timing: Timing::ConstLoad,
        syntax: "{wd}, {imm}({rs1})",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "wd", lo: 8, width: 3, class: Class::Register { prefix: "w" } },
            FieldInfo { name: "imm", lo: 32, width: 32, class: Class::Signed },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x3b,
        mnemonic: "wdesc.set",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{wd}.{field}, {rs1}",
        reads: &[],
        writes: &[],
        fields: &[
            FieldInfo { name: "wd", lo: 8, width: 3, class: Class::Register { prefix: "w" } },
            FieldInfo {
                name: "field",
                lo: 18,
                width: 4,
                class: Class::Enum(&[
                    ("kh", 0),
                    ("kw", 1),
                    ("sh", 2),
                    ("sw", 3),
                    ("dh", 4),
                    ("dw", 5),
                    ("pt", 6),
                    ("pl", 7),
                    ("pb", 8),
                    ("pr", 9),
                ]),
            },
            FieldInfo { name: "rs1", lo: 13, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x40,
        mnemonic: "layer.begin",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{id}",
        reads: &[],
        writes: &[],
        fields: &[FieldInfo { name: "id", lo: 32, width: 32, class: Class::Unsigned }],
    },
    OpcodeInfo {
        opcode: 0x41,
        mnemonic: "layer.end",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{id}",
        reads: &[],
        writes: &[],
        fields: &[FieldInfo { name: "id", lo: 32, width: 32, class: Class::Unsigned }],
    },
    OpcodeInfo {
        opcode: 0x42,
        mnemonic: "mark",
        unit: Unit::Control,
        timing: Timing::Control,
        syntax: "{id}",
        reads: &[],
        writes: &[],
        fields: &[FieldInfo { name: "id", lo: 32, width: 32, class: Class::Unsigned }],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x44,
        mnemonic: "fence",
        unit: Unit::Control,
        timing: Timing::Sync,
        syntax: "",
        reads: &[],
        writes: &[],
        fields: &[],
    },
    OpcodeInfo {
        opcode: 0x45,
        mnemonic: "host",
        unit: Unit::Control,
        timing: Timing::Sync,
        syntax: "{id}",
        reads: &[],
        writes: &[],
        fields: &[FieldInfo { name: "id", lo: 32, width: 32, class: Class::Unsigned }],
    },
    OpcodeInfo {
        opcode: 0x46,
        mnemonic: "halt",
        unit: Unit::Control,
        timing: Timing::Sync,
        syntax: "",
        reads: &[],
        writes: &[],
        fields: &[],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x50,
        mnemonic: "qnop",
        unit: Unit::Named,
        timing: Timing::Qnop,
        syntax: "{queue}",
        reads: &[],
        writes: &[],
        fields: &[FieldInfo {
            name: "queue",
            lo: 30,
            width: 2,
            class: Class::Enum(&[("dmain", 0), ("dmaout", 1), ("mac", 2), ("vec", 3)]),
        }],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x58,
        mnemonic: "dma.in",
        unit: Unit::Queue(Queue::Dmain),
        timing: Timing::DmaIn,
        syntax: "{dst}, {src}",
        reads: &["src"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x59,
        mnemonic: "dma.pad",
        unit: Unit::Queue(Queue::Dmain),
        timing: Timing::DmaIn,
        syntax: "{dst}, {src}, {window}",
        reads: &["src"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "window", lo: 56, width: 3, class: Class::Register { prefix: "w" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x5a,
        mnemonic: "dma.fill",
        unit: Unit::Queue(Queue::Dmain),
        timing: Timing::DmaLocal,
        syntax: "{dst}",
        reads: &[],
        writes: &["dst"],
        fields: &[FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } }],
    },
    OpcodeInfo {
        opcode: 0x5b,
        mnemonic: "dma.copy",
        unit: Unit::Queue(Queue::Dmain),
        timing: Timing::DmaLocal,
        syntax: "{dst}, {src}",
        reads: &["src"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x5c,
        mnemonic: "dma.out",
        unit: Unit::Queue(Queue::Dmaout),
        timing: Timing::DmaOut,
        syntax: "{dst}, {src}",
        reads: &["src"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x5d,
        mnemonic: "dma.gather",
        unit: Unit::Queue(Queue::Dmain),
        timing: Timing::DmaGather,
        syntax: "{dst}, {src}, {ids}",
        reads: &["src", "ids"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "ids", lo: 42, width: 5, class: Class::Register { prefix: "t" } },
        ],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x60,
        mnemonic: "mac.conv",
        unit: Unit::Queue(Queue::Mac),
        timing: Timing::MacConv,
        syntax: "{dst}, {src}, {weights}, {bias}, {window}, {oy}, {ox}{flags}",
        reads: &["src", "weights", "bias"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "weights", lo: 42, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "bias", lo: 47, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "window", lo: 56, width: 3, class: Class::Register { prefix: "w" } },
            FieldInfo { name: "oy", lo: 64, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "ox", lo: 69, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "flags", lo: 80, width: 8, class: Class::Flags(&[("acc", 0), ("bias", 1)]) },
        ],
    },
    OpcodeInfo {
        opcode: 0x61,
        mnemonic: "mac.dw",
        unit: Unit::Queue(Queue::Mac),
        timing: Timing::MacDepthwise,
        syntax: "{dst}, {src}, {weights}, {bias}, {window}, {oy}, {ox}{flags}",
        reads: &["src", "weights", "bias"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "weights", lo: 42, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "bias", lo: 47, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "window", lo: 56, width: 3, class: Class::Register { prefix: "w" } },
            FieldInfo { name: "oy", lo: 64, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "ox", lo: 69, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "flags", lo: 80, width: 8, class: Class::Flags(&[("acc", 0), ("bias", 1)]) },
        ],
    },
    OpcodeInfo {
        opcode: 0x62,
        mnemonic: "mac.matmul",
        unit: Unit::Queue(Queue::Mac),
        timing: Timing::MacMatmul,
        syntax: "{dst}, {a}, {b}, {bias}{flags}",
        reads: &["a", "b", "bias"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "a", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "b", lo: 42, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "bias", lo: 47, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "flags", lo: 80, width: 8, class: Class::Flags(&[("acc", 0), ("bias", 1)]) },
        ],
    },
    OpcodeInfo {
        opcode: 0x63,
        mnemonic: "mac.pruned",
        unit: Unit::Queue(Queue::Mac),
        timing: Timing::MacPruned,
        syntax: "{dst}, {src}, {weights}, {bias}, {window}, {oy}, {ox}, {mask}{flags}",
        reads: &["src", "weights", "bias"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "weights", lo: 42, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "bias", lo: 47, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "window", lo: 56, width: 3, class: Class::Register { prefix: "w" } },
            FieldInfo { name: "oy", lo: 64, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "ox", lo: 69, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "mask", lo: 74, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "flags", lo: 80, width: 8, class: Class::Flags(&[("acc", 0), ("bias", 1)]) },
        ],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x70,
        mnemonic: "vec.requant",
        unit: Unit::Queue(Queue::Vec),
        timing: Timing::VecMap,
        syntax: "{dst}, {src}, {quant}",
        reads: &["src"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "quant", lo: 52, width: 4, class: Class::Register { prefix: "q" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x71,
        mnemonic: "vec.store",
        unit: Unit::Queue(Queue::Vec),
        timing: Timing::VecMap,
        syntax: "{dst}, {src}",
        reads: &["src"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
        ],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x74,
        mnemonic: "vec.add",
        unit: Unit::Queue(Queue::Vec),
        timing: Timing::VecMap,
        syntax: "{dst}, {a}, {b}, {quant}",
        reads: &["a", "b"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "a", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "b", lo: 42, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "quant", lo: 52, width: 4, class: Class::Register { prefix: "q" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x75,
        mnemonic: "vec.mul",
        unit: Unit::Queue(Queue::Vec),
        timing: Timing::VecMap,
        syntax: "{dst}, {a}, {b}, {quant}",
        reads: &["a", "b"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "a", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "b", lo: 42, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "quant", lo: 52, width: 4, class: Class::Register { prefix: "q" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x76,
        mnemonic: "vec.lut",
        unit: Unit::Queue(Queue::Vec),
        timing: Timing::VecMap,
        syntax: "{dst}, {src}, {table}",
        reads: &["src", "table"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "table", lo: 42, width: 5, class: Class::Register { prefix: "t" } },
        ],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x78,
        mnemonic: "vec.maxpool",
        unit: Unit::Queue(Queue::Vec),
        timing: Timing::VecWindow,
        syntax: "{dst}, {src}, {window}, {oy}, {ox}",
        reads: &["src"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "window", lo: 56, width: 3, class: Class::Register { prefix: "w" } },
            FieldInfo { name: "oy", lo: 64, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "ox", lo: 69, width: 5, class: Class::Register { prefix: "x" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x79,
        mnemonic: "vec.avgpool",
        unit: Unit::Queue(Queue::Vec),
        timing: Timing::VecWindow,
        syntax: "{dst}, {src}, {quant}, {window}, {oy}, {ox}{flags}",
        reads: &["src"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "quant", lo: 52, width: 4, class: Class::Register { prefix: "q" } },
            FieldInfo { name: "window", lo: 56, width: 3, class: Class::Register { prefix: "w" } },
            FieldInfo { name: "oy", lo: 64, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "ox", lo: 69, width: 5, class: Class::Register { prefix: "x" } },
            FieldInfo { name: "flags", lo: 80, width: 8, class: Class::Flags(&[("include_pad", 0)]) },
        ],
    },
    OpcodeInfo {
        opcode: 0x7a,
        mnemonic: "vec.rsum",
        unit: Unit::Queue(Queue::Vec),
        timing: Timing::VecReduce,
        syntax: "{dst}, {src}{flags}",
        reads: &["src"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "flags", lo: 80, width: 8, class: Class::Flags(&[("acc", 0)]) },
        ],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x7c,
        mnemonic: "vec.quant",
        unit: Unit::Queue(Queue::Vec),
        timing: Timing::VecMap,
        syntax: "{dst}, {src}, {quant}",
        reads: &["src"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "quant", lo: 52, width: 4, class: Class::Register { prefix: "q" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x7d,
        mnemonic: "vec.dequant",
        unit: Unit::Queue(Queue::Vec),
        timing: Timing::VecMap,
        syntax: "{dst}, {src}, {quant}",
        reads: &["src"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "quant", lo: 52, width: 4, class: Class::Register { prefix: "q" } },
        ],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x80,
        mnemonic: "vec.f1",
        unit: Unit::Queue(Queue::Vec),
        timing: Timing::VecMap,
        syntax: "{dst}, {src}, {op}",
        reads: &["src"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo {
                name: "op",
                lo: 80,
                width: 8,
                class: Class::Enum(&[
                    ("neg", 0),
                    ("abs", 1),
                    ("sqrt", 2),
                    ("exp", 3),
                    ("log", 4),
                    ("erf", 5),
                    ("tanh", 6),
                    ("sigmoid", 7),
                    ("sin", 8),
                    ("cos", 9),
                    ("floor", 10),
                    ("ceil", 11),
                    ("round", 12),
                ]),
            },
        ],
    },
    OpcodeInfo {
        opcode: 0x81,
        mnemonic: "vec.f2",
        unit: Unit::Queue(Queue::Vec),
        timing: Timing::VecMap,
        syntax: "{dst}, {a}, {b}, {op}",
        reads: &["a", "b"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "a", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "b", lo: 42, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo {
                name: "op",
                lo: 80,
                width: 8,
                class: Class::Enum(&[
                    ("add", 0),
                    ("sub", 1),
                    ("mul", 2),
                    ("div", 3),
                    ("min", 4),
                    ("max", 5),
                    ("pow", 6),
                ]),
            },
        ],
    },
    OpcodeInfo {
        opcode: 0x82,
        mnemonic: "vec.fold",
        unit: Unit::Queue(Queue::Vec),
        timing: Timing::VecRows,
        syntax: "{dst}, {src}, {op}",
        reads: &["src"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo {
                name: "op",
                lo: 80,
                width: 8,
                class: Class::Enum(&[("sum", 0), ("max", 1), ("min", 2)]),
            },
        ],
    },
    OpcodeInfo::UNUSED,
    OpcodeInfo {
        opcode: 0x84,
        mnemonic: "vec.softmax",
        unit: Unit::Queue(Queue::Vec),
        timing: Timing::VecSoftmax,
        syntax: "{dst}, {src}, {table}, {quant}",
        reads: &["src", "table"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "table", lo: 42, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "quant", lo: 52, width: 4, class: Class::Register { prefix: "q" } },
        ],
    },
    OpcodeInfo {
        opcode: 0x85,
        mnemonic: "vec.resize",
        unit: Unit::Queue(Queue::Vec),
        timing: Timing::VecResize,
        syntax: "{dst}, {src}, {rows}, {cols}",
        reads: &["src", "rows", "cols"],
        writes: &["dst"],
        fields: &[
            FieldInfo { name: "dst", lo: 32, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "src", lo: 37, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "rows", lo: 42, width: 5, class: Class::Register { prefix: "t" } },
            FieldInfo { name: "cols", lo: 47, width: 5, class: Class::Register { prefix: "t" } },
        ],
    },
];

/// A pattern: every instruction of the control core.
macro_rules! control_insn {
    () => {
        $crate::isa::Insn::Nop { .. }
            | $crate::isa::Insn::Li { .. }
            | $crate::isa::Insn::Add { .. }
            | $crate::isa::Insn::Sub { .. }
            | $crate::isa::Insn::Mul { .. }
            | $crate::isa::Insn::And { .. }
            | $crate::isa::Insn::Or { .. }
            | $crate::isa::Insn::Xor { .. }
            | $crate::isa::Insn::Sll { .. }
            | $crate::isa::Insn::Srl { .. }
            | $crate::isa::Insn::Sra { .. }
            | $crate::isa::Insn::Slt { .. }
            | $crate::isa::Insn::Min { .. }
            | $crate::isa::Insn::Max { .. }
            | $crate::isa::Insn::Addi { .. }
            | $crate::isa::Insn::Muli { .. }
            | $crate::isa::Insn::Andi { .. }
            | $crate::isa::Insn::Mini { .. }
            | $crate::isa::Insn::Maxi { .. }
            | $crate::isa::Insn::Beq { .. }
            | $crate::isa::Insn::Bne { .. }
            | $crate::isa::Insn::Blt { .. }
            | $crate::isa::Insn::Bge { .. }
            | $crate::isa::Insn::Jal { .. }
            | $crate::isa::Insn::Jalr { .. }
            | $crate::isa::Insn::LdD { .. }
            | $crate::isa::Insn::LdW { .. }
            | $crate::isa::Insn::TdescLoad { .. }
            | $crate::isa::Insn::TdescSet { .. }
            | $crate::isa::Insn::TdescAdd { .. }
            | $crate::isa::Insn::TdescMov { .. }
            | $crate::isa::Insn::QdescLoad { .. }
            | $crate::isa::Insn::QdescSet { .. }
            | $crate::isa::Insn::WdescLoad { .. }
            | $crate::isa::Insn::WdescSet { .. }
            | $crate::isa::Insn::LayerBegin { .. }
            | $crate::isa::Insn::LayerEnd { .. }
            | $crate::isa::Insn::Mark { .. }
            | $crate::isa::Insn::Fence { .. }
            | $crate::isa::Insn::Host { .. }
            | $crate::isa::Insn::Halt { .. }
    };
}
pub(crate) use control_insn;

/// A pattern: every instruction for a queue.
macro_rules! queue_insn {
    () => {
        $crate::isa::Insn::Qnop { .. }
            | $crate::isa::Insn::DmaIn { .. }
            | $crate::isa::Insn::DmaPad { .. }
            | $crate::isa::Insn::DmaFill { .. }
            | $crate::isa::Insn::DmaCopy { .. }
            | $crate::isa::Insn::DmaOut { .. }
            | $crate::isa::Insn::DmaGather { .. }
            | $crate::isa::Insn::MacConv { .. }
            | $crate::isa::Insn::MacPruned { .. }
            | $crate::isa::Insn::MacDw { .. }
            | $crate::isa::Insn::MacMatmul { .. }
            | $crate::isa::Insn::VecRequant { .. }
            | $crate::isa::Insn::VecStore { .. }
            | $crate::isa::Insn::VecAdd { .. }
            | $crate::isa::Insn::VecMul { .. }
            | $crate::isa::Insn::VecLut { .. }
            | $crate::isa::Insn::VecMaxpool { .. }
            | $crate::isa::Insn::VecAvgpool { .. }
            | $crate::isa::Insn::VecRsum { .. }
            | $crate::isa::Insn::VecQuant { .. }
            | $crate::isa::Insn::VecDequant { .. }
            | $crate::isa::Insn::VecF1 { .. }
            | $crate::isa::Insn::VecF2 { .. }
            | $crate::isa::Insn::VecFold { .. }
            | $crate::isa::Insn::VecSoftmax { .. }
            | $crate::isa::Insn::VecResize { .. }
    };
}
pub(crate) use queue_insn;

/// An instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Insn {
    /// nothing
    Nop,
    /// rd ← imm
    Li {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// Signed immediate, sign-extended to 64 bits
        imm: i64,
    },
    /// rd ← rs1 + rs2, modulo 2^64
    Add {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs2: XReg,
    },
    /// rd ← rs1 − rs2, modulo 2^64
    Sub {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs2: XReg,
    },
    /// rd ← rs1 · rs2, modulo 2^64
    Mul {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs2: XReg,
    },
    /// rd ← rs1 and rs2, bitwise
    And {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs2: XReg,
    },
    /// rd ← rs1 or rs2, bitwise
    Or {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs2: XReg,
    },
    /// rd ← rs1 exclusive-or rs2, bitwise
    Xor {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs2: XReg,
    },
    /// rd ← rs1 shifted left by rs2 modulo 64
    Sll {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs2: XReg,
    },
    /// rd ← rs1 shifted right by rs2 modulo 64, zeros enter
    Srl {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs2: XReg,
    },
    /// rd ← rs1 shifted right by rs2 modulo 64, the sign enters
    Sra {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs2: XReg,
    },
    /// rd ← 1 if rs1 < rs2 (signed), else 0
    Slt {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs2: XReg,
    },
    /// rd ← the smaller of rs1 and rs2 (signed)
    Min {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs2: XReg,
    },
    /// rd ← the larger of rs1 and rs2 (signed)
    Max {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs2: XReg,
    },
    /// rd ← rs1 + imm, modulo 2^64
    Addi {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// Signed immediate, sign-extended to 64 bits
        imm: i32,
    },
    /// rd ← rs1 · imm, modulo 2^64
    Muli {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// Signed immediate, sign-extended to 64 bits
        imm: i32,
    },
    /// rd ← rs1 and imm, bitwise
    Andi {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// Signed immediate, sign-extended to 64 bits
        imm: i32,
    },
    /// rd ← the smaller of rs1 and imm (signed)
    Mini {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// Signed immediate, sign-extended to 64 bits
        imm: i32,
    },
    /// rd ← the larger of rs1 and imm (signed)
    Maxi {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// Signed immediate, sign-extended to 64 bits
        imm: i32,
    },
    /// if rs1 = rs2, go to target
    Beq {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs2: XReg,
        /// Branch target, in words from this instruction
        target: i32,
    },
    /// if rs1 ≠ rs2, go to target
    Bne {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs2: XReg,
        /// Branch target, in words from this instruction
        target: i32,
    },
    /// if rs1 < rs2 (signed), go to target
    Blt {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs2: XReg,
        /// Branch target, in words from this instruction
        target: i32,
    },
    /// if rs1 ≥ rs2 (signed), go to target
    Bge {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs2: XReg,
        /// Branch target, in words from this instruction
        target: i32,
    },
    /// rd ← index of the next instruction; go to target
    Jal {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// Branch target, in words from this instruction
        target: i32,
    },
    /// rd ← index of the next instruction; go to instruction rs1 + imm
    Jalr {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
        /// Signed immediate, sign-extended to 64 bits
        imm: i32,
    },
    /// rd ← the 64 bits at constant address rs1 + imm, a multiple of 8
    LdD {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// Signed immediate, sign-extended to 64 bits
        imm: i32,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
    },
    /// rd ← the 32 bits at constant address rs1 + imm, a multiple of 4, sign-extended
    LdW {
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rd: XReg,
        /// Signed immediate, sign-extended to 64 bits
        imm: i32,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
    },
    /// td ← the tensor descriptor at constant address rs1 + imm, a multiple of 8
    TdescLoad {
        /// Tensor descriptor register
        td: TReg,
        /// Signed immediate, sign-extended to 64 bits
        imm: i32,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
    },
    /// field of td ← rs1, which must fit
    TdescSet {
        /// Tensor descriptor register
        td: TReg,
        /// A field of a tensor descriptor that scalar code may change
        field: TField,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
    },
    /// field of td ← field + rs1, which must fit
    TdescAdd {
        /// Tensor descriptor register
        td: TReg,
        /// A field of a tensor descriptor that scalar code may change
        field: TField,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
    },
    /// td ← ts
    TdescMov {
        /// Tensor descriptor register
        td: TReg,
        /// Tensor descriptor register
        ts: TReg,
    },
    /// qd ← the quantization descriptor at constant address rs1 + imm, a multiple of 8
    QdescLoad {
        /// Quantization descriptor register
        qd: QReg,
        /// Signed immediate, sign-extended to 64 bits
        imm: i32,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
    },
    /// field of qd ← rs1, which must fit
    QdescSet {
        /// Quantization descriptor register
        qd: QReg,
        /// A field of a quantization descriptor that scalar code may change
        field: QField,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
    },
    /// wd ← the window descriptor at constant address rs1 + imm, a multiple of 8
    WdescLoad {
        /// Window descriptor register
        wd: WReg,
        /// Signed immediate, sign-extended to 64 bits
        imm: i32,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
    },
    /// field of wd ← rs1, which must fit
    WdescSet {
        /// Window descriptor register
        wd: WReg,
        /// A field of a window descriptor that scalar code may change
        field: WField,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        rs1: XReg,
    },
    /// marks the begin of a layer of the layer table; layers do not nest
    LayerBegin {
        /// Index into a table of the program file
        id: u32,
    },
    /// marks the end of the open layer: in program order its tensor now lies complete where the layer table says
    LayerEnd {
        /// Index into a table of the program file
        id: u32,
    },
    /// writes the id and the cycle into the trace
    Mark {
        /// Index into a table of the program file
        id: u32,
    },
    /// waits until everything issued has ended
    Fence,
    /// a fence, then the host layer of the host table runs: it reads and writes the DRAM ranges declared there
    Host {
        /// Index into a table of the program file
        id: u32,
    },
    /// a fence, then the program ends
    Halt,
    /// nothing, in the queue named: carries two more conditions for what follows there
    Qnop {
        /// One of the four queues
        queue: Queue,
        /// Conditions before it may start
        wait: Wait,
    },
    /// DRAM → SPM: dst[i] ← src[i]; same dims, element types of the same size; padding lanes of dst get its zero point
    DmaIn {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Conditions before it may start
        wait: Wait,
    },
    /// DRAM → SPM with a border: dst[n,y,x,c] ← src[n,y−pt,x−pl,c] where that exists, else dst's zero point; D0 and D3 of dst and src are equal, and the source lies inside dst
    DmaPad {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Window descriptor register
        window: WReg,
        /// Conditions before it may start
        wait: Wait,
    },
    /// SPM: every element and padding lane of dst ← its zero point
    DmaFill {
        /// Tensor descriptor register
        dst: TReg,
        /// Conditions before it may start
        wait: Wait,
    },
    /// SPM → SPM: dst[i] ← src[i]; same dims, element types of the same size; padding lanes of dst get its zero point
    DmaCopy {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Conditions before it may start
        wait: Wait,
    },
    /// SPM → DRAM: dst[i] ← src[i]; same dims, element types of the same size; padding lanes of dst get its zero point
    DmaOut {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Conditions before it may start
        wait: Wait,
    },
    /// DRAM → SPM: dst[0,0,r,c] ← src[0,0,ids[r],c], an id below 0 counted from the end. dst [1,1,R,C], src [1,1,N,C] whose rows have no gaps, element types of the same size; ids: SPM [1,1,1,R], integers of any type. All of src counts as read. An id outside −N … N − 1 is a fault, found when the program runs
    DmaGather {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Tensor descriptor register
        ids: TReg,
        /// Conditions before it may start
        wait: Wait,
    },
    /// dst[0,y,x,o] ← start + Σ(ky,kx,i) (src[0,iy,ix,i] − zs)·(w[o,ky,kx,i] − zw) with iy = (oy+y)·sh − pt + ky·dh, ix = (ox+x)·sw − pl + kx·dw; taps outside src add nothing. dst: ACC [1,TH,TW,OC]; s32 if src and weights have 8 bits, else s64. src: SPM [1,H,W,IC] 8 or 16 bits, full extents. weights: SPM [OC,KH,KW,IC] 8 or 16 bits, packed (see the layout section), strides zero. bias: SPM [1,1,1,OC], of dst's type. KH·KW·IC ≤ 33025 for s32, 2^30 for s64
    MacConv {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Tensor descriptor register
        weights: TReg,
        /// Tensor descriptor register
        bias: TReg,
        /// Window descriptor register
        window: WReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        oy: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        ox: XReg,
        /// What an accumulator starts from: acc = its present value, bias = the bias operand, neither = zero (the bias operand is then not read)
        flags: MacFlags,
        /// Conditions before it may start
        wait: Wait,
    },
    /// as mac.conv, with weights whose zero blocks are absent from the stream (see the layout section). mask: the register holds the address, a multiple of 8, of the mask in the constants, which the control core loads before it issues (*Time*: Constants)
    MacPruned {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Tensor descriptor register
        weights: TReg,
        /// Tensor descriptor register
        bias: TReg,
        /// Window descriptor register
        window: WReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        oy: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        ox: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        mask: XReg,
        /// What an accumulator starts from: acc = its present value, bias = the bias operand, neither = zero (the bias operand is then not read)
        flags: MacFlags,
        /// Conditions before it may start
        wait: Wait,
    },
    /// depthwise: dst[0,y,x,c] ← start + Σ(ky,kx) (src[0,iy,ix,c] − zs)·(w[0,ky,kx,c] − zw), iy and ix as in mac.conv. weights: SPM [1,KH,KW,C], strides as given. bias: SPM [1,1,1,C]; types as in mac.conv
    MacDw {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Tensor descriptor register
        weights: TReg,
        /// Tensor descriptor register
        bias: TReg,
        /// Window descriptor register
        window: WReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        oy: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        ox: XReg,
        /// What an accumulator starts from: acc = its present value, bias = the bias operand, neither = zero (the bias operand is then not read)
        flags: MacFlags,
        /// Conditions before it may start
        wait: Wait,
    },
    /// dst[0,0,m,n] ← start + Σ(k) (a[0,0,m,k] − za)·(b[0,0,k,n] − zb). dst: ACC [1,1,M,N]. a: SPM [1,1,M,K], b: SPM [1,1,K,N], strides as given. bias: SPM [1,1,1,N]. Types and the limit of K as in mac.conv
    MacMatmul {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        a: TReg,
        /// Tensor descriptor register
        b: TReg,
        /// Tensor descriptor register
        bias: TReg,
        /// What an accumulator starts from: acc = its present value, bias = the bias operand, neither = zero (the bias operand is then not read)
        flags: MacFlags,
        /// Conditions before it may start
        wait: Wait,
    },
    /// ACC → SPM: dst[i] ← requantize(src[i]) with the multiplier of channel i3; src: ACC s32 or s64, dst: 8 or 16 bits, same dims
    VecRequant {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Quantization descriptor register
        quant: QReg,
        /// Conditions before it may start
        wait: Wait,
    },
    /// ACC → SPM: dst[i] ← src[i]; s32 or s64 on both sides, or s64 to s32, which keeps the low 32 bits; same dims
    VecStore {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Conditions before it may start
        wait: Wait,
    },
    /// dst[i] ← sat(rne(fma(a[i], m0, fma(b[i], m1, c)))), f32; 8 or 16 bits each, same dims (stride 0 broadcasts)
    VecAdd {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        a: TReg,
        /// Tensor descriptor register
        b: TReg,
        /// Quantization descriptor register
        quant: QReg,
        /// Conditions before it may start
        wait: Wait,
    },
    /// dst[i] ← sat(rne(f32((a[i] − za)·(b[i] − zb))·m0 + zy)), f32; 8 or 16 bits each, same dims (stride 0 broadcasts)
    VecMul {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        a: TReg,
        /// Tensor descriptor register
        b: TReg,
        /// Quantization descriptor register
        quant: QReg,
        /// Conditions before it may start
        wait: Wait,
    },
    /// dst[i] ← table[src[i] as an unsigned byte]; src: 8 bits; table: SPM [1,1,1,256], 8 or 16 bits, of dst's size
    VecLut {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Tensor descriptor register
        table: TReg,
        /// Conditions before it may start
        wait: Wait,
    },
    /// dst[0,y,x,c] ← the largest src[0,iy,ix,c] of the window, iy and ix as in mac.conv; taps outside src do not count, and a window wholly outside gives the least value of the type
    VecMaxpool {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Window descriptor register
        window: WReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        oy: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        ox: XReg,
        /// Conditions before it may start
        wait: Wait,
    },
    /// dst[0,y,x,c] ← the average of the window as ONNX Runtime's QLinearAveragePool computes it (see the numbers section); m0 = scale of src, m1 = scale of dst
    VecAvgpool {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Quantization descriptor register
        quant: QReg,
        /// Window descriptor register
        window: WReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        oy: XReg,
        /// 64-bit scalar register; x0 reads as zero and ignores writes
        ox: XReg,
        /// Include_pad = padded positions count in the divisor
        flags: AvgFlags,
        /// Conditions before it may start
        wait: Wait,
    },
    /// SPM → ACC: dst[0,0,0,c] ← start + Σ(y,x) (src[0,y,x,c] − zs); dst: ACC [1,1,1,C], s32 if src has 8 bits, s64 if it has 16
    VecRsum {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Acc = add to the present value of the accumulator instead of starting from zero
        flags: RedFlags,
        /// Conditions before it may start
        wait: Wait,
    },
    /// dst[i] ← sat(rne(src[i] / m0) + zy); src: SPM f32, dst: 8 or 16 bits, same dims
    VecQuant {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Quantization descriptor register
        quant: QReg,
        /// Conditions before it may start
        wait: Wait,
    },
    /// dst[i] ← f32(src[i] − zs)·m0, or the multiplier of channel i3; src: SPM 8 or 16 bits, or ACC s32 or s64 with zs = 0; dst: f32, same dims
    VecDequant {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Quantization descriptor register
        quant: QReg,
        /// Conditions before it may start
        wait: Wait,
    },
    /// dst[i] ← op(src[i]); SPM f32, same dims
    VecF1 {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// A function of one float: see the numbers section
        op: Float1,
        /// Conditions before it may start
        wait: Wait,
    },
    /// dst[i] ← op(a[i], b[i]); SPM f32, same dims (stride 0 broadcasts)
    VecF2 {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        a: TReg,
        /// Tensor descriptor register
        b: TReg,
        /// A function of two floats: see the numbers section
        op: Float2,
        /// Conditions before it may start
        wait: Wait,
    },
    /// dst[a,b,c,0] ← op over i of src[a,b,c,i], from i = 0 upwards; SPM f32; dst [A,B,C,1], src [A,B,C,N]
    VecFold {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// How the elements of a row become one: from the first to the last
        op: Fold,
        /// Conditions before it may start
        wait: Wait,
    },
    /// each row along the innermost extent: e[i] = table[src[i] + greatest of the type − largest src, as an unsigned byte]; dst[i] ← sat(rne(e[i]·m0 / Σe) + zy), f32, Σ from the first element to the last; a Σ of 0 counts as 1. src, dst: 8 bits, same dims; table: SPM [1,1,1,256] f32
    VecSoftmax {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Tensor descriptor register
        table: TReg,
        /// Quantization descriptor register
        quant: QReg,
        /// Conditions before it may start
        wait: Wait,
    },
    /// linear interpolation: with {y1, y2, v1, v2} = rows[0,0,y] and {x1, x2, u1, u2} = cols[0,0,x], dst[0,y,x,c] ← u1·v1·src[y1,x1] + u2·v1·src[y1,x2] + u1·v2·src[y2,x1] + u2·v2·src[y2,x2], f32, in this order; integers are truncated towards zero. Indices are clamped to src. dst [1,TH,TW,C], src [1,H,W,C]: SPM, 8 bits or f32, of one type; rows: SPM [1,1,TH,4], cols: SPM [1,1,TW,4] s32, the weights as bits of f32
    VecResize {
        /// Tensor descriptor register
        dst: TReg,
        /// Tensor descriptor register
        src: TReg,
        /// Tensor descriptor register
        rows: TReg,
        /// Tensor descriptor register
        cols: TReg,
        /// Conditions before it may start
        wait: Wait,
    },
}

impl Insn {
    /// Its operation code.
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        match self {
            Self::Nop => Opcode::Nop,
            Self::Li { .. } => Opcode::Li,
            Self::Add { .. } => Opcode::Add,
            Self::Sub { .. } => Opcode::Sub,
            Self::Mul { .. } => Opcode::Mul,
            Self::And { .. } => Opcode::And,
            Self::Or { .. } => Opcode::Or,
            Self::Xor { .. } => Opcode::Xor,
            Self::Sll { .. } => Opcode::Sll,
            Self::Srl { .. } => Opcode::Srl,
            Self::Sra { .. } => Opcode::Sra,
            Self::Slt { .. } => Opcode::Slt,
            Self::Min { .. } => Opcode::Min,
            Self::Max { .. } => Opcode::Max,
            Self::Addi { .. } => Opcode::Addi,
            Self::Muli { .. } => Opcode::Muli,
            Self::Andi { .. } => Opcode::Andi,
            Self::Mini { .. } => Opcode::Mini,
            Self::Maxi { .. } => Opcode::Maxi,
            Self::Beq { .. } => Opcode::Beq,
            Self::Bne { .. } => Opcode::Bne,
            Self::Blt { .. } => Opcode::Blt,
            Self::Bge { .. } => Opcode::Bge,
            Self::Jal { .. } => Opcode::Jal,
            Self::Jalr { .. } => Opcode::Jalr,
            Self::LdD { .. } => Opcode::LdD,
            Self::LdW { .. } => Opcode::LdW,
            Self::TdescLoad { .. } => Opcode::TdescLoad,
            Self::TdescSet { .. } => Opcode::TdescSet,
            Self::TdescAdd { .. } => Opcode::TdescAdd,
            Self::TdescMov { .. } => Opcode::TdescMov,
            Self::QdescLoad { .. } => Opcode::QdescLoad,
            Self::QdescSet { .. } => Opcode::QdescSet,
            Self::WdescLoad { .. } => Opcode::WdescLoad,
            Self::WdescSet { .. } => Opcode::WdescSet,
            Self::LayerBegin { .. } => Opcode::LayerBegin,
            Self::LayerEnd { .. } => Opcode::LayerEnd,
            Self::Mark { .. } => Opcode::Mark,
            Self::Fence => Opcode::Fence,
            Self::Host { .. } => Opcode::Host,
            Self::Halt => Opcode::Halt,
            Self::Qnop { .. } => Opcode::Qnop,
            Self::DmaIn { .. } => Opcode::DmaIn,
            Self::DmaPad { .. } => Opcode::DmaPad,
            Self::DmaFill { .. } => Opcode::DmaFill,
            Self::DmaCopy { .. } => Opcode::DmaCopy,
            Self::DmaOut { .. } => Opcode::DmaOut,
            Self::DmaGather { .. } => Opcode::DmaGather,
            Self::MacConv { .. } => Opcode::MacConv,
            Self::MacPruned { .. } => Opcode::MacPruned,
            Self::MacDw { .. } => Opcode::MacDw,
            Self::MacMatmul { .. } => Opcode::MacMatmul,
            Self::VecRequant { .. } => Opcode::VecRequant,
            Self::VecStore { .. } => Opcode::VecStore,
            Self::VecAdd { .. } => Opcode::VecAdd,
            Self::VecMul { .. } => Opcode::VecMul,
            Self::VecLut { .. } => Opcode::VecLut,
            Self::VecMaxpool { .. } => Opcode::VecMaxpool,
            Self::VecAvgpool { .. } => Opcode::VecAvgpool,
            Self::VecRsum { .. } => Opcode::VecRsum,
            Self::VecQuant { .. } => Opcode::VecQuant,
            Self::VecDequant { .. } => Opcode::VecDequant,
            Self::VecF1 { .. } => Opcode::VecF1,
            Self::VecF2 { .. } => Opcode::VecF2,
            Self::VecFold { .. } => Opcode::VecFold,
            Self::VecSoftmax { .. } => Opcode::VecSoftmax,
            Self::VecResize { .. } => Opcode::VecResize,
        }
    }

    /// Its conditions; none for control instructions.
    #[must_use]
    pub fn wait(&self) -> Wait {
        match self {
            Self::Qnop { wait, .. } => *wait,
            Self::DmaIn { wait, .. } => *wait,
            Self::DmaPad { wait, .. } => *wait,
            Self::DmaFill { wait, .. } => *wait,
            Self::DmaCopy { wait, .. } => *wait,
            Self::DmaOut { wait, .. } => *wait,
            Self::DmaGather { wait, .. } => *wait,
            Self::MacConv { wait, .. } => *wait,
            Self::MacPruned { wait, .. } => *wait,
            Self::MacDw { wait, .. } => *wait,
            Self::MacMatmul { wait, .. } => *wait,
            Self::VecRequant { wait, .. } => *wait,
            Self::VecStore { wait, .. } => *wait,
            Self::VecAdd { wait, .. } => *wait,
            Self::VecMul { wait, .. } => *wait,
            Self::VecLut { wait, .. } => *wait,
            Self::VecMaxpool { wait, .. } => *wait,
            Self::VecAvgpool { wait, .. } => *wait,
            Self::VecRsum { wait, .. } => *wait,
            Self::VecQuant { wait, .. } => *wait,
            Self::VecDequant { wait, .. } => *wait,
            Self::VecF1 { wait, .. } => *wait,
            Self::VecF2 { wait, .. } => *wait,
            Self::VecFold { wait, .. } => *wait,
            Self::VecSoftmax { wait, .. } => *wait,
            Self::VecResize { wait, .. } => *wait,
            control_insn!() => Wait::NONE,
        }
    }

    /// The instruction with other conditions; none if it takes no conditions and some are given.
    #[must_use]
    pub fn with_wait(mut self, conds: Wait) -> Option<Self> {
        match &mut self {
            Self::Qnop { wait, .. } => *wait = conds,
            Self::DmaIn { wait, .. } => *wait = conds,
            Self::DmaPad { wait, .. } => *wait = conds,
            Self::DmaFill { wait, .. } => *wait = conds,
            Self::DmaCopy { wait, .. } => *wait = conds,
            Self::DmaOut { wait, .. } => *wait = conds,
            Self::DmaGather { wait, .. } => *wait = conds,
            Self::MacConv { wait, .. } => *wait = conds,
            Self::MacPruned { wait, .. } => *wait = conds,
            Self::MacDw { wait, .. } => *wait = conds,
            Self::MacMatmul { wait, .. } => *wait = conds,
            Self::VecRequant { wait, .. } => *wait = conds,
            Self::VecStore { wait, .. } => *wait = conds,
            Self::VecAdd { wait, .. } => *wait = conds,
            Self::VecMul { wait, .. } => *wait = conds,
            Self::VecLut { wait, .. } => *wait = conds,
            Self::VecMaxpool { wait, .. } => *wait = conds,
            Self::VecAvgpool { wait, .. } => *wait = conds,
            Self::VecRsum { wait, .. } => *wait = conds,
            Self::VecQuant { wait, .. } => *wait = conds,
            Self::VecDequant { wait, .. } => *wait = conds,
            Self::VecF1 { wait, .. } => *wait = conds,
            Self::VecF2 { wait, .. } => *wait = conds,
            Self::VecFold { wait, .. } => *wait = conds,
            Self::VecSoftmax { wait, .. } => *wait = conds,
            Self::VecResize { wait, .. } => *wait = conds,
            control_insn!() => {
                if conds != Wait::NONE {
                    return None;
                }
            }
        }
        Some(self)
    }

    /// The queue that executes it; none for control instructions.
    #[must_use]
    pub fn queue(&self) -> Option<Queue> {
        Some(match self {
            Self::Qnop { queue, .. } => *queue,
            Self::DmaIn { .. } => Queue::Dmain,
            Self::DmaPad { .. } => Queue::Dmain,
            Self::DmaFill { .. } => Queue::Dmain,
            Self::DmaCopy { .. } => Queue::Dmain,
            Self::DmaOut { .. } => Queue::Dmaout,
            Self::DmaGather { .. } => Queue::Dmain,
            Self::MacConv { .. } => Queue::Mac,
            Self::MacPruned { .. } => Queue::Mac,
            Self::MacDw { .. } => Queue::Mac,
            Self::MacMatmul { .. } => Queue::Mac,
            Self::VecRequant { .. } => Queue::Vec,
            Self::VecStore { .. } => Queue::Vec,
            Self::VecAdd { .. } => Queue::Vec,
            Self::VecMul { .. } => Queue::Vec,
            Self::VecLut { .. } => Queue::Vec,
            Self::VecMaxpool { .. } => Queue::Vec,
            Self::VecAvgpool { .. } => Queue::Vec,
            Self::VecRsum { .. } => Queue::Vec,
            Self::VecQuant { .. } => Queue::Vec,
            Self::VecDequant { .. } => Queue::Vec,
            Self::VecF1 { .. } => Queue::Vec,
            Self::VecF2 { .. } => Queue::Vec,
            Self::VecFold { .. } => Queue::Vec,
            Self::VecSoftmax { .. } => Queue::Vec,
            Self::VecResize { .. } => Queue::Vec,
            control_insn!() => return None,
        })
    }

    /// The instruction word.
    #[must_use]
    pub fn encode(&self) -> u128 {
        match *self {
            Self::Nop => 0x01,
            Self::Li { rd, imm } => 0x02 | u128::from(rd.0) << 8 | u128::from(imm as u64) << 64,
            Self::Add { rd, rs1, rs2 } => {
                0x08 | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(rs2.0) << 18
            }
            Self::Sub { rd, rs1, rs2 } => {
                0x09 | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(rs2.0) << 18
            }
            Self::Mul { rd, rs1, rs2 } => {
                0x0a | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(rs2.0) << 18
            }
            Self::And { rd, rs1, rs2 } => {
                0x0b | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(rs2.0) << 18
            }
            Self::Or { rd, rs1, rs2 } => {
                0x0c | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(rs2.0) << 18
            }
            Self::Xor { rd, rs1, rs2 } => {
                0x0d | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(rs2.0) << 18
            }
            Self::Sll { rd, rs1, rs2 } => {
                0x0e | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(rs2.0) << 18
            }
            Self::Srl { rd, rs1, rs2 } => {
                0x0f | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(rs2.0) << 18
            }
            Self::Sra { rd, rs1, rs2 } => {
                0x10 | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(rs2.0) << 18
            }
            Self::Slt { rd, rs1, rs2 } => {
                0x11 | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(rs2.0) << 18
            }
            Self::Min { rd, rs1, rs2 } => {
                0x12 | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(rs2.0) << 18
            }
            Self::Max { rd, rs1, rs2 } => {
                0x13 | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(rs2.0) << 18
            }
            Self::Addi { rd, rs1, imm } => {
                0x18 | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(imm as u32) << 32
            }
            Self::Muli { rd, rs1, imm } => {
                0x19 | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(imm as u32) << 32
            }
            Self::Andi { rd, rs1, imm } => {
                0x1a | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(imm as u32) << 32
            }
            Self::Mini { rd, rs1, imm } => {
                0x1b | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(imm as u32) << 32
            }
            Self::Maxi { rd, rs1, imm } => {
                0x1c | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(imm as u32) << 32
            }
            Self::Beq { rs1, rs2, target } => {
                0x20 | u128::from(rs1.0) << 13 | u128::from(rs2.0) << 18 | u128::from(target as u32) << 32
            }
            Self::Bne { rs1, rs2, target } => {
                0x21 | u128::from(rs1.0) << 13 | u128::from(rs2.0) << 18 | u128::from(target as u32) << 32
            }
            Self::Blt { rs1, rs2, target } => {
                0x22 | u128::from(rs1.0) << 13 | u128::from(rs2.0) << 18 | u128::from(target as u32) << 32
            }
            Self::Bge { rs1, rs2, target } => {
                0x23 | u128::from(rs1.0) << 13 | u128::from(rs2.0) << 18 | u128::from(target as u32) << 32
            }
            Self::Jal { rd, target } => 0x28 | u128::from(rd.0) << 8 | u128::from(target as u32) << 32,
            Self::Jalr { rd, rs1, imm } => {
                0x29 | u128::from(rd.0) << 8 | u128::from(rs1.0) << 13 | u128::from(imm as u32) << 32
            }
            Self::LdD { rd, imm, rs1 } => {
                0x30 | u128::from(rd.0) << 8 | u128::from(imm as u32) << 32 | u128::from(rs1.0) << 13
            }
            Self::LdW { rd, imm, rs1 } => {
                0x31 | u128::from(rd.0) << 8 | u128::from(imm as u32) << 32 | u128::from(rs1.0) << 13
            }
            Self::TdescLoad { td, imm, rs1 } => {
                0x34 | u128::from(td.0) << 8 | u128::from(imm as u32) << 32 | u128::from(rs1.0) << 13
            }
            Self::TdescSet { td, field, rs1 } => {
                0x35 | u128::from(td.0) << 8 | u128::from(field as u8) << 18 | u128::from(rs1.0) << 13
            }
            Self::TdescAdd { td, field, rs1 } => {
                0x36 | u128::from(td.0) << 8 | u128::from(field as u8) << 18 | u128::from(rs1.0) << 13
            }
            Self::TdescMov { td, ts } => 0x37 | u128::from(td.0) << 8 | u128::from(ts.0) << 13,
            Self::QdescLoad { qd, imm, rs1 } => {
                0x38 | u128::from(qd.0) << 8 | u128::from(imm as u32) << 32 | u128::from(rs1.0) << 13
            }
            Self::QdescSet { qd, field, rs1 } => {
                0x39 | u128::from(qd.0) << 8 | u128::from(field as u8) << 18 | u128::from(rs1.0) << 13
            }
            Self::WdescLoad { wd, imm, rs1 } => {
                0x3a | u128::from(wd.0) << 8 | u128::from(imm as u32) << 32 | u128::from(rs1.0) << 13
            }
            Self::WdescSet { wd, field, rs1 } => {
                0x3b | u128::from(wd.0) << 8 | u128::from(field as u8) << 18 | u128::from(rs1.0) << 13
            }
            Self::LayerBegin { id } => 0x40 | u128::from(id as u32) << 32,
            Self::LayerEnd { id } => 0x41 | u128::from(id as u32) << 32,
            Self::Mark { id } => 0x42 | u128::from(id as u32) << 32,
            Self::Fence => 0x44,
            Self::Host { id } => 0x45 | u128::from(id as u32) << 32,
            Self::Halt => 0x46,
            Self::Qnop { queue, wait } => 0x50 | u128::from(queue as u8) << 30 | wait.encode(8, 19),
            Self::DmaIn { dst, src, wait } => {
                0x58 | u128::from(dst.0) << 32 | u128::from(src.0) << 37 | wait.encode(8, 19)
            }
            Self::DmaPad { dst, src, window, wait } => {
                0x59 | u128::from(dst.0) << 32
                    | u128::from(src.0) << 37
                    | u128::from(window.0) << 56
                    | wait.encode(8, 19)
            }
            Self::DmaFill { dst, wait } => 0x5a | u128::from(dst.0) << 32 | wait.encode(8, 19),
            Self::DmaCopy { dst, src, wait } => {
                0x5b | u128::from(dst.0) << 32 | u128::from(src.0) << 37 | wait.encode(8, 19)
            }
            Self::DmaOut { dst, src, wait } => {
                0x5c | u128::from(dst.0) << 32 | u128::from(src.0) << 37 | wait.encode(8, 19)
            }
            Self::DmaGather { dst, src, ids, wait } => {
                0x5d | u128::from(dst.0) << 32
                    | u128::from(src.0) << 37
                    | u128::from(ids.0) << 42
                    | wait.encode(8, 19)
            }
            Self::MacConv { dst, src, weights, bias, window, oy, ox, flags, wait } => {
                0x60 | u128::from(dst.0) << 32
                    | u128::from(src.0) << 37
                    | u128::from(weights.0) << 42
                    | u128::from(bias.0) << 47
                    | u128::from(window.0) << 56
                    | u128::from(oy.0) << 64
                    | u128::from(ox.0) << 69
                    | u128::from(flags.bits()) << 80
                    | wait.encode(8, 19)
            }
            Self::MacPruned { dst, src, weights, bias, window, oy, ox, mask, flags, wait } => {
                0x63 | u128::from(dst.0) << 32
                    | u128::from(src.0) << 37
                    | u128::from(weights.0) << 42
                    | u128::from(bias.0) << 47
                    | u128::from(window.0) << 56
                    | u128::from(oy.0) << 64
                    | u128::from(ox.0) << 69
                    | u128::from(mask.0) << 74
                    | u128::from(flags.bits()) << 80
                    | wait.encode(8, 19)
            }
            Self::MacDw { dst, src, weights, bias, window, oy, ox, flags, wait } => {
                0x61 | u128::from(dst.0) << 32
                    | u128::from(src.0) << 37
                    | u128::from(weights.0) << 42
                    | u128::from(bias.0) << 47
                    | u128::from(window.0) << 56
                    | u128::from(oy.0) << 64
                    | u128::from(ox.0) << 69
                    | u128::from(flags.bits()) << 80
                    | wait.encode(8, 19)
            }
            Self::MacMatmul { dst, a, b, bias, flags, wait } => {
                0x62 | u128::from(dst.0) << 32
                    | u128::from(a.0) << 37
                    | u128::from(b.0) << 42
                    | u128::from(bias.0) << 47
                    | u128::from(flags.bits()) << 80
                    | wait.encode(8, 19)
            }
            Self::VecRequant { dst, src, quant, wait } => {
                0x70 | u128::from(dst.0) << 32
                    | u128::from(src.0) << 37
                    | u128::from(quant.0) << 52
                    | wait.encode(8, 19)
            }
            Self::VecStore { dst, src, wait } => {
                0x71 | u128::from(dst.0) << 32 | u128::from(src.0) << 37 | wait.encode(8, 19)
            }
            Self::VecAdd { dst, a, b, quant, wait } => {
                0x74 | u128::from(dst.0) << 32
                    | u128::from(a.0) << 37
                    | u128::from(b.0) << 42
                    | u128::from(quant.0) << 52
                    | wait.encode(8, 19)
            }
            Self::VecMul { dst, a, b, quant, wait } => {
                0x75 | u128::from(dst.0) << 32
                    | u128::from(a.0) << 37
                    | u128::from(b.0) << 42
                    | u128::from(quant.0) << 52
                    | wait.encode(8, 19)
            }
            Self::VecLut { dst, src, table, wait } => {
                0x76 | u128::from(dst.0) << 32
                    | u128::from(src.0) << 37
                    | u128::from(table.0) << 42
                    | wait.encode(8, 19)
            }
            Self::VecMaxpool { dst, src, window, oy, ox, wait } => {
                0x78 | u128::from(dst.0) << 32
                    | u128::from(src.0) << 37
                    | u128::from(window.0) << 56
                    | u128::from(oy.0) << 64
                    | u128::from(ox.0) << 69
                    | wait.encode(8, 19)
            }
            Self::VecAvgpool { dst, src, quant, window, oy, ox, flags, wait } => {
                0x79 | u128::from(dst.0) << 32
                    | u128::from(src.0) << 37
                    | u128::from(quant.0) << 52
                    | u128::from(window.0) << 56
                    | u128::from(oy.0) << 64
                    | u128::from(ox.0) << 69
                    | u128::from(flags.bits()) << 80
                    | wait.encode(8, 19)
            }
            Self::VecRsum { dst, src, flags, wait } => {
                0x7a | u128::from(dst.0) << 32
                    | u128::from(src.0) << 37
                    | u128::from(flags.bits()) << 80
                    | wait.encode(8, 19)
            }
            Self::VecQuant { dst, src, quant, wait } => {
                0x7c | u128::from(dst.0) << 32
                    | u128::from(src.0) << 37
                    | u128::from(quant.0) << 52
                    | wait.encode(8, 19)
            }
            Self::VecDequant { dst, src, quant, wait } => {
                0x7d | u128::from(dst.0) << 32
                    | u128::from(src.0) << 37
                    | u128::from(quant.0) << 52
                    | wait.encode(8, 19)
            }
            Self::VecF1 { dst, src, op, wait } => {
                0x80 | u128::from(dst.0) << 32
                    | u128::from(src.0) << 37
                    | u128::from(op as u8) << 80
                    | wait.encode(8, 19)
            }
            Self::VecF2 { dst, a, b, op, wait } => {
                0x81 | u128::from(dst.0) << 32
                    | u128::from(a.0) << 37
                    | u128::from(b.0) << 42
                    | u128::from(op as u8) << 80
                    | wait.encode(8, 19)
            }
            Self::VecFold { dst, src, op, wait } => {
                0x82 | u128::from(dst.0) << 32
                    | u128::from(src.0) << 37
                    | u128::from(op as u8) << 80
                    | wait.encode(8, 19)
            }
            Self::VecSoftmax { dst, src, table, quant, wait } => {
                0x84 | u128::from(dst.0) << 32
                    | u128::from(src.0) << 37
                    | u128::from(table.0) << 42
                    | u128::from(quant.0) << 52
                    | wait.encode(8, 19)
            }
            Self::VecResize { dst, src, rows, cols, wait } => {
                0x85 | u128::from(dst.0) << 32
                    | u128::from(src.0) << 37
                    | u128::from(rows.0) << 42
                    | u128::from(cols.0) << 47
                    | wait.encode(8, 19)
            }
        }
    }

    /// Reads an instruction word.
    ///
    /// # Errors
    /// Says which bits are not legal, and why.
    pub fn decode(word: u128) -> Result<Self, DecodeError> {
        Ok(match (word & 0xff) as u8 {
            0x01 => {
                decode::reserved(word, 0xff, "nop")?;
                Self::Nop
            }
            0x02 => {
                decode::reserved(word, 0xffffffffffffffff0000000000001fff, "li")?;
                Self::Li { rd: XReg(decode::bits(word, 8, 5) as u8), imm: decode::bits(word, 64, 64) as i64 }
            }
            0x08 => {
                decode::reserved(word, 0x7fffff, "add")?;
                Self::Add {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    rs2: XReg(decode::bits(word, 18, 5) as u8),
                }
            }
            0x09 => {
                decode::reserved(word, 0x7fffff, "sub")?;
                Self::Sub {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    rs2: XReg(decode::bits(word, 18, 5) as u8),
                }
            }
            0x0a => {
                decode::reserved(word, 0x7fffff, "mul")?;
                Self::Mul {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    rs2: XReg(decode::bits(word, 18, 5) as u8),
                }
            }
            0x0b => {
                decode::reserved(word, 0x7fffff, "and")?;
                Self::And {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    rs2: XReg(decode::bits(word, 18, 5) as u8),
                }
            }
            0x0c => {
                decode::reserved(word, 0x7fffff, "or")?;
                Self::Or {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    rs2: XReg(decode::bits(word, 18, 5) as u8),
                }
            }
            0x0d => {
                decode::reserved(word, 0x7fffff, "xor")?;
                Self::Xor {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    rs2: XReg(decode::bits(word, 18, 5) as u8),
                }
            }
            0x0e => {
                decode::reserved(word, 0x7fffff, "sll")?;
                Self::Sll {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    rs2: XReg(decode::bits(word, 18, 5) as u8),
                }
            }
            0x0f => {
                decode::reserved(word, 0x7fffff, "srl")?;
                Self::Srl {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    rs2: XReg(decode::bits(word, 18, 5) as u8),
                }
            }
            0x10 => {
                decode::reserved(word, 0x7fffff, "sra")?;
                Self::Sra {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    rs2: XReg(decode::bits(word, 18, 5) as u8),
                }
            }
            0x11 => {
                decode::reserved(word, 0x7fffff, "slt")?;
                Self::Slt {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    rs2: XReg(decode::bits(word, 18, 5) as u8),
                }
            }
            0x12 => {
                decode::reserved(word, 0x7fffff, "min")?;
                Self::Min {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    rs2: XReg(decode::bits(word, 18, 5) as u8),
                }
            }
            0x13 => {
                decode::reserved(word, 0x7fffff, "max")?;
                Self::Max {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    rs2: XReg(decode::bits(word, 18, 5) as u8),
                }
            }
            0x18 => {
                decode::reserved(word, 0xffffffff0003ffff, "addi")?;
                Self::Addi {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    imm: decode::bits(word, 32, 32) as i32,
                }
            }
            0x19 => {
                decode::reserved(word, 0xffffffff0003ffff, "muli")?;
                Self::Muli {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    imm: decode::bits(word, 32, 32) as i32,
                }
            }
            0x1a => {
                decode::reserved(word, 0xffffffff0003ffff, "andi")?;
                Self::Andi {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    imm: decode::bits(word, 32, 32) as i32,
                }
            }
            0x1b => {
                decode::reserved(word, 0xffffffff0003ffff, "mini")?;
                Self::Mini {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    imm: decode::bits(word, 32, 32) as i32,
                }
            }
            0x1c => {
                decode::reserved(word, 0xffffffff0003ffff, "maxi")?;
                Self::Maxi {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    imm: decode::bits(word, 32, 32) as i32,
                }
            }
            0x20 => {
                decode::reserved(word, 0xffffffff007fe0ff, "beq")?;
                Self::Beq {
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    rs2: XReg(decode::bits(word, 18, 5) as u8),
                    target: decode::bits(word, 32, 32) as i32,
                }
            }
            0x21 => {
                decode::reserved(word, 0xffffffff007fe0ff, "bne")?;
                Self::Bne {
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    rs2: XReg(decode::bits(word, 18, 5) as u8),
                    target: decode::bits(word, 32, 32) as i32,
                }
            }
            0x22 => {
                decode::reserved(word, 0xffffffff007fe0ff, "blt")?;
                Self::Blt {
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    rs2: XReg(decode::bits(word, 18, 5) as u8),
                    target: decode::bits(word, 32, 32) as i32,
                }
            }
            0x23 => {
                decode::reserved(word, 0xffffffff007fe0ff, "bge")?;
                Self::Bge {
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    rs2: XReg(decode::bits(word, 18, 5) as u8),
                    target: decode::bits(word, 32, 32) as i32,
                }
            }
            0x28 => {
                decode::reserved(word, 0xffffffff00001fff, "jal")?;
                Self::Jal {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    target: decode::bits(word, 32, 32) as i32,
                }
            }
            0x29 => {
                decode::reserved(word, 0xffffffff0003ffff, "jalr")?;
                Self::Jalr {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                    imm: decode::bits(word, 32, 32) as i32,
                }
            }
            0x30 => {
                decode::reserved(word, 0xffffffff0003ffff, "ld.d")?;
                Self::LdD {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    imm: decode::bits(word, 32, 32) as i32,
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                }
            }
            0x31 => {
                decode::reserved(word, 0xffffffff0003ffff, "ld.w")?;
                Self::LdW {
                    rd: XReg(decode::bits(word, 8, 5) as u8),
                    imm: decode::bits(word, 32, 32) as i32,
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                }
            }
            0x34 => {
                decode::reserved(word, 0xffffffff0003ffff, "tdesc.load")?;
                Self::TdescLoad {
                    td: TReg(decode::bits(word, 8, 5) as u8),
                    imm: decode::bits(word, 32, 32) as i32,
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                }
            }
            0x35 => {
                decode::reserved(word, 0x3fffff, "tdesc.set")?;
                Self::TdescSet {
                    td: TReg(decode::bits(word, 8, 5) as u8),
                    field: TField::new(decode::bits(word, 18, 4) as u8).ok_or(DecodeError::Field {
                        mnemonic: "tdesc.set",
                        field: "field",
                        value: decode::bits(word, 18, 4),
                    })?,
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                }
            }
            0x36 => {
                decode::reserved(word, 0x3fffff, "tdesc.add")?;
                Self::TdescAdd {
                    td: TReg(decode::bits(word, 8, 5) as u8),
                    field: TField::new(decode::bits(word, 18, 4) as u8).ok_or(DecodeError::Field {
                        mnemonic: "tdesc.add",
                        field: "field",
                        value: decode::bits(word, 18, 4),
                    })?,
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                }
            }
            0x37 => {
                decode::reserved(word, 0x3ffff, "tdesc.mov")?;
                Self::TdescMov {
                    td: TReg(decode::bits(word, 8, 5) as u8),
                    ts: TReg(decode::bits(word, 13, 5) as u8),
                }
            }
            0x38 => {
                decode::reserved(word, 0xffffffff0003efff, "qdesc.load")?;
                Self::QdescLoad {
                    qd: QReg(decode::bits(word, 8, 4) as u8),
                    imm: decode::bits(word, 32, 32) as i32,
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                }
            }
            0x39 => {
                decode::reserved(word, 0x3fefff, "qdesc.set")?;
                Self::QdescSet {
                    qd: QReg(decode::bits(word, 8, 4) as u8),
                    field: QField::new(decode::bits(word, 18, 4) as u8).ok_or(DecodeError::Field {
                        mnemonic: "qdesc.set",
                        field: "field",
                        value: decode::bits(word, 18, 4),
                    })?,
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                }
            }
            0x3a => {
                decode::reserved(word, 0xffffffff0003e7ff, "wdesc.load")?;
                Self::WdescLoad {
                    wd: WReg(decode::bits(word, 8, 3) as u8),
                    imm: decode::bits(word, 32, 32) as i32,
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                }
            }
            0x3b => {
                decode::reserved(word, 0x3fe7ff, "wdesc.set")?;
                Self::WdescSet {
                    wd: WReg(decode::bits(word, 8, 3) as u8),
                    field: WField::new(decode::bits(word, 18, 4) as u8).ok_or(DecodeError::Field {
                        mnemonic: "wdesc.set",
                        field: "field",
                        value: decode::bits(word, 18, 4),
                    })?,
                    rs1: XReg(decode::bits(word, 13, 5) as u8),
                }
            }
            0x40 => {
                decode::reserved(word, 0xffffffff000000ff, "layer.begin")?;
                Self::LayerBegin { id: decode::bits(word, 32, 32) as u32 }
            }
            0x41 => {
                decode::reserved(word, 0xffffffff000000ff, "layer.end")?;
                Self::LayerEnd { id: decode::bits(word, 32, 32) as u32 }
            }
            0x42 => {
                decode::reserved(word, 0xffffffff000000ff, "mark")?;
                Self::Mark { id: decode::bits(word, 32, 32) as u32 }
            }
            0x44 => {
                decode::reserved(word, 0xff, "fence")?;
                Self::Fence
            }
            0x45 => {
                decode::reserved(word, 0xffffffff000000ff, "host")?;
                Self::Host { id: decode::bits(word, 32, 32) as u32 }
            }
            0x46 => {
                decode::reserved(word, 0xff, "halt")?;
                Self::Halt
            }
            0x50 => {
                decode::reserved(word, 0xffffffff, "qnop")?;
                Self::Qnop {
                    queue: Queue::new(decode::bits(word, 30, 2) as u8).ok_or(DecodeError::Field {
                        mnemonic: "qnop",
                        field: "queue",
                        value: decode::bits(word, 30, 2),
                    })?,
                    wait: Wait::decode(word, 8, 19, "qnop")?,
                }
            }
            0x58 => {
                decode::reserved(word, 0x3ff3fffffff, "dma.in")?;
                Self::DmaIn {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    wait: Wait::decode(word, 8, 19, "dma.in")?,
                }
            }
            0x59 => {
                decode::reserved(word, 0x70003ff3fffffff, "dma.pad")?;
                Self::DmaPad {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    window: WReg(decode::bits(word, 56, 3) as u8),
                    wait: Wait::decode(word, 8, 19, "dma.pad")?,
                }
            }
            0x5a => {
                decode::reserved(word, 0x1f3fffffff, "dma.fill")?;
                Self::DmaFill {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    wait: Wait::decode(word, 8, 19, "dma.fill")?,
                }
            }
            0x5b => {
                decode::reserved(word, 0x3ff3fffffff, "dma.copy")?;
                Self::DmaCopy {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    wait: Wait::decode(word, 8, 19, "dma.copy")?,
                }
            }
            0x5c => {
                decode::reserved(word, 0x3ff3fffffff, "dma.out")?;
                Self::DmaOut {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    wait: Wait::decode(word, 8, 19, "dma.out")?,
                }
            }
            0x5d => {
                decode::reserved(word, 0x7fff3fffffff, "dma.gather")?;
                Self::DmaGather {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    ids: TReg(decode::bits(word, 42, 5) as u8),
                    wait: Wait::decode(word, 8, 19, "dma.gather")?,
                }
            }
            0x60 => {
                decode::reserved(word, 0xff03ff070fffff3fffffff, "mac.conv")?;
                Self::MacConv {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    weights: TReg(decode::bits(word, 42, 5) as u8),
                    bias: TReg(decode::bits(word, 47, 5) as u8),
                    window: WReg(decode::bits(word, 56, 3) as u8),
                    oy: XReg(decode::bits(word, 64, 5) as u8),
                    ox: XReg(decode::bits(word, 69, 5) as u8),
                    flags: MacFlags::from_bits(decode::bits(word, 80, 8) as u8)
                        .filter(|f| ![1 | 2].iter().any(|x: &u8| f.bits() & x == *x))
                        .ok_or(DecodeError::Field {
                            mnemonic: "mac.conv",
                            field: "flags",
                            value: decode::bits(word, 80, 8),
                        })?,
                    wait: Wait::decode(word, 8, 19, "mac.conv")?,
                }
            }
            0x63 => {
                decode::reserved(word, 0xff7fff070fffff3fffffff, "mac.pruned")?;
                Self::MacPruned {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    weights: TReg(decode::bits(word, 42, 5) as u8),
                    bias: TReg(decode::bits(word, 47, 5) as u8),
                    window: WReg(decode::bits(word, 56, 3) as u8),
                    oy: XReg(decode::bits(word, 64, 5) as u8),
                    ox: XReg(decode::bits(word, 69, 5) as u8),
                    mask: XReg(decode::bits(word, 74, 5) as u8),
                    flags: MacFlags::from_bits(decode::bits(word, 80, 8) as u8)
                        .filter(|f| ![1 | 2].iter().any(|x: &u8| f.bits() & x == *x))
                        .ok_or(DecodeError::Field {
                            mnemonic: "mac.pruned",
                            field: "flags",
                            value: decode::bits(word, 80, 8),
                        })?,
                    wait: Wait::decode(word, 8, 19, "mac.pruned")?,
                }
            }
            0x61 => {
                decode::reserved(word, 0xff03ff070fffff3fffffff, "mac.dw")?;
                Self::MacDw {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    weights: TReg(decode::bits(word, 42, 5) as u8),
                    bias: TReg(decode::bits(word, 47, 5) as u8),
                    window: WReg(decode::bits(word, 56, 3) as u8),
                    oy: XReg(decode::bits(word, 64, 5) as u8),
                    ox: XReg(decode::bits(word, 69, 5) as u8),
                    flags: MacFlags::from_bits(decode::bits(word, 80, 8) as u8)
                        .filter(|f| ![1 | 2].iter().any(|x: &u8| f.bits() & x == *x))
                        .ok_or(DecodeError::Field {
                            mnemonic: "mac.dw",
                            field: "flags",
                            value: decode::bits(word, 80, 8),
                        })?,
                    wait: Wait::decode(word, 8, 19, "mac.dw")?,
                }
            }
            0x62 => {
                decode::reserved(word, 0xff0000000fffff3fffffff, "mac.matmul")?;
                Self::MacMatmul {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    a: TReg(decode::bits(word, 37, 5) as u8),
                    b: TReg(decode::bits(word, 42, 5) as u8),
                    bias: TReg(decode::bits(word, 47, 5) as u8),
                    flags: MacFlags::from_bits(decode::bits(word, 80, 8) as u8)
                        .filter(|f| ![1 | 2].iter().any(|x: &u8| f.bits() & x == *x))
                        .ok_or(DecodeError::Field {
                            mnemonic: "mac.matmul",
                            field: "flags",
                            value: decode::bits(word, 80, 8),
                        })?,
                    wait: Wait::decode(word, 8, 19, "mac.matmul")?,
                }
            }
            0x70 => {
                decode::reserved(word, 0xf003ff3fffffff, "vec.requant")?;
                Self::VecRequant {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    quant: QReg(decode::bits(word, 52, 4) as u8),
                    wait: Wait::decode(word, 8, 19, "vec.requant")?,
                }
            }
            0x71 => {
                decode::reserved(word, 0x3ff3fffffff, "vec.store")?;
                Self::VecStore {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    wait: Wait::decode(word, 8, 19, "vec.store")?,
                }
            }
            0x74 => {
                decode::reserved(word, 0xf07fff3fffffff, "vec.add")?;
                Self::VecAdd {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    a: TReg(decode::bits(word, 37, 5) as u8),
                    b: TReg(decode::bits(word, 42, 5) as u8),
                    quant: QReg(decode::bits(word, 52, 4) as u8),
                    wait: Wait::decode(word, 8, 19, "vec.add")?,
                }
            }
            0x75 => {
                decode::reserved(word, 0xf07fff3fffffff, "vec.mul")?;
                Self::VecMul {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    a: TReg(decode::bits(word, 37, 5) as u8),
                    b: TReg(decode::bits(word, 42, 5) as u8),
                    quant: QReg(decode::bits(word, 52, 4) as u8),
                    wait: Wait::decode(word, 8, 19, "vec.mul")?,
                }
            }
            0x76 => {
                decode::reserved(word, 0x7fff3fffffff, "vec.lut")?;
                Self::VecLut {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    table: TReg(decode::bits(word, 42, 5) as u8),
                    wait: Wait::decode(word, 8, 19, "vec.lut")?,
                }
            }
            0x78 => {
                decode::reserved(word, 0x3ff070003ff3fffffff, "vec.maxpool")?;
                Self::VecMaxpool {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    window: WReg(decode::bits(word, 56, 3) as u8),
                    oy: XReg(decode::bits(word, 64, 5) as u8),
                    ox: XReg(decode::bits(word, 69, 5) as u8),
                    wait: Wait::decode(word, 8, 19, "vec.maxpool")?,
                }
            }
            0x79 => {
                decode::reserved(word, 0xff03ff07f003ff3fffffff, "vec.avgpool")?;
                Self::VecAvgpool {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    quant: QReg(decode::bits(word, 52, 4) as u8),
                    window: WReg(decode::bits(word, 56, 3) as u8),
                    oy: XReg(decode::bits(word, 64, 5) as u8),
                    ox: XReg(decode::bits(word, 69, 5) as u8),
                    flags: AvgFlags::from_bits(decode::bits(word, 80, 8) as u8)
                        .filter(|f| ![].iter().any(|x: &u8| f.bits() & x == *x))
                        .ok_or(DecodeError::Field {
                            mnemonic: "vec.avgpool",
                            field: "flags",
                            value: decode::bits(word, 80, 8),
                        })?,
                    wait: Wait::decode(word, 8, 19, "vec.avgpool")?,
                }
            }
            0x7a => {
                decode::reserved(word, 0xff0000000003ff3fffffff, "vec.rsum")?;
                Self::VecRsum {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    flags: RedFlags::from_bits(decode::bits(word, 80, 8) as u8)
                        .filter(|f| ![].iter().any(|x: &u8| f.bits() & x == *x))
                        .ok_or(DecodeError::Field {
                            mnemonic: "vec.rsum",
                            field: "flags",
                            value: decode::bits(word, 80, 8),
                        })?,
                    wait: Wait::decode(word, 8, 19, "vec.rsum")?,
                }
            }
            0x7c => {
                decode::reserved(word, 0xf003ff3fffffff, "vec.quant")?;
                Self::VecQuant {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    quant: QReg(decode::bits(word, 52, 4) as u8),
                    wait: Wait::decode(word, 8, 19, "vec.quant")?,
                }
            }
            0x7d => {
                decode::reserved(word, 0xf003ff3fffffff, "vec.dequant")?;
                Self::VecDequant {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    quant: QReg(decode::bits(word, 52, 4) as u8),
                    wait: Wait::decode(word, 8, 19, "vec.dequant")?,
                }
            }
            0x80 => {
                decode::reserved(word, 0xff0000000003ff3fffffff, "vec.f1")?;
                Self::VecF1 {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    op: Float1::new(decode::bits(word, 80, 8) as u8).ok_or(DecodeError::Field {
                        mnemonic: "vec.f1",
                        field: "op",
                        value: decode::bits(word, 80, 8),
                    })?,
                    wait: Wait::decode(word, 8, 19, "vec.f1")?,
                }
            }
            0x81 => {
                decode::reserved(word, 0xff000000007fff3fffffff, "vec.f2")?;
                Self::VecF2 {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    a: TReg(decode::bits(word, 37, 5) as u8),
                    b: TReg(decode::bits(word, 42, 5) as u8),
                    op: Float2::new(decode::bits(word, 80, 8) as u8).ok_or(DecodeError::Field {
                        mnemonic: "vec.f2",
                        field: "op",
                        value: decode::bits(word, 80, 8),
                    })?,
                    wait: Wait::decode(word, 8, 19, "vec.f2")?,
                }
            }
            0x82 => {
                decode::reserved(word, 0xff0000000003ff3fffffff, "vec.fold")?;
                Self::VecFold {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    op: Fold::new(decode::bits(word, 80, 8) as u8).ok_or(DecodeError::Field {
                        mnemonic: "vec.fold",
                        field: "op",
                        value: decode::bits(word, 80, 8),
                    })?,
                    wait: Wait::decode(word, 8, 19, "vec.fold")?,
                }
            }
            0x84 => {
                decode::reserved(word, 0xf07fff3fffffff, "vec.softmax")?;
                Self::VecSoftmax {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    table: TReg(decode::bits(word, 42, 5) as u8),
                    quant: QReg(decode::bits(word, 52, 4) as u8),
                    wait: Wait::decode(word, 8, 19, "vec.softmax")?,
                }
            }
            0x85 => {
                decode::reserved(word, 0xfffff3fffffff, "vec.resize")?;
                Self::VecResize {
                    dst: TReg(decode::bits(word, 32, 5) as u8),
                    src: TReg(decode::bits(word, 37, 5) as u8),
                    rows: TReg(decode::bits(word, 42, 5) as u8),
                    cols: TReg(decode::bits(word, 47, 5) as u8),
                    wait: Wait::decode(word, 8, 19, "vec.resize")?,
                }
            }
            opcode => return Err(DecodeError::Opcode { opcode }),
        })
    }
}
