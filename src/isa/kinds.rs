// Generated from isa/rcn.toml by `RCN_BLESS=1 cargo test --test it generated`. Do not edit.

/// Version of the instruction set.
pub const ISA_VERSION: u32 = 3;

bitflags::bitflags! {
/// Flags: include_pad = padded positions count in the divisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AvgFlags: u8 {
/// `include_pad`
const INCLUDE_PAD = 1 << 0;
}
}

/// A function of one float: see the numbers section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Float1 {
    /// `neg`
    Neg = 0,
    /// `abs`
    Abs = 1,
    /// `sqrt`
    Sqrt = 2,
    /// `exp`
    Exp = 3,
    /// `log`
    Log = 4,
    /// `erf`
    Erf = 5,
    /// `tanh`
    Tanh = 6,
    /// `sigmoid`
    Sigmoid = 7,
    /// `sin`
    Sin = 8,
    /// `cos`
    Cos = 9,
    /// `floor`
    Floor = 10,
    /// `ceil`
    Ceil = 11,
    /// `round`
    Round = 12,
}

impl Float1 {
    /// All values, in order.
    pub const ALL: [Self; 13] = [
        Self::Neg,
        Self::Abs,
        Self::Sqrt,
        Self::Exp,
        Self::Log,
        Self::Erf,
        Self::Tanh,
        Self::Sigmoid,
        Self::Sin,
        Self::Cos,
        Self::Floor,
        Self::Ceil,
        Self::Round,
    ];

    /// The value of this number, if there is one.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|v| *v as u8 == number)
    }

    /// Name in assembly text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Neg => "neg",
            Self::Abs => "abs",
            Self::Sqrt => "sqrt",
            Self::Exp => "exp",
            Self::Log => "log",
            Self::Erf => "erf",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
            Self::Sin => "sin",
            Self::Cos => "cos",
            Self::Floor => "floor",
            Self::Ceil => "ceil",
            Self::Round => "round",
        }
    }

    /// Its number.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A function of two floats: see the numbers section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Float2 {
    /// `add`
    Add = 0,
    /// `sub`
    Sub = 1,
    /// `mul`
    Mul = 2,
    /// `div`
    Div = 3,
    /// `min`
    Min = 4,
    /// `max`
    Max = 5,
    /// `pow`
    Pow = 6,
}

impl Float2 {
    /// All values, in order.
    pub const ALL: [Self; 7] = [Self::Add, Self::Sub, Self::Mul, Self::Div, Self::Min, Self::Max, Self::Pow];

    /// The value of this number, if there is one.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|v| *v as u8 == number)
    }

    /// Name in assembly text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Sub => "sub",
            Self::Mul => "mul",
            Self::Div => "div",
            Self::Min => "min",
            Self::Max => "max",
            Self::Pow => "pow",
        }
    }

    /// Its number.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// How the elements of a row become one: from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Fold {
    /// `sum`
    Sum = 0,
    /// `max`
    Max = 1,
    /// `min`
    Min = 2,
}

impl Fold {
    /// All values, in order.
    pub const ALL: [Self; 3] = [Self::Sum, Self::Max, Self::Min];

    /// The value of this number, if there is one.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|v| *v as u8 == number)
    }

    /// Name in assembly text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Max => "max",
            Self::Min => "min",
        }
    }

    /// Its number.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

bitflags::bitflags! {
/// Flags: what an accumulator starts from: acc = its present value, bias = the bias operand, neither = zero (the bias operand is then not read).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MacFlags: u8 {
/// `acc`
const ACC = 1 << 0;
/// `bias`
const BIAS = 1 << 1;
}
}

/// A quantization descriptor register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QReg(pub(super) u8);

impl QReg {
    /// How many there are.
    pub const COUNT: usize = 16;

    /// The register of this number, if it exists.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if (number as usize) < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl std::fmt::Display for QReg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "q{}", self.0)
    }
}

/// A field of a quantization descriptor that scalar code may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum QField {
    /// `zp`
    Zp = 0,
    /// `lo`
    Lo = 1,
    /// `hi`
    Hi = 2,
    /// `table`
    Table = 3,
}

impl QField {
    /// All values, in order.
    pub const ALL: [Self; 4] = [Self::Zp, Self::Lo, Self::Hi, Self::Table];

    /// The value of this number, if there is one.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|v| *v as u8 == number)
    }

    /// Name in assembly text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zp => "zp",
            Self::Lo => "lo",
            Self::Hi => "hi",
            Self::Table => "table",
        }
    }

    /// Its number.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// One of the four queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Queue {
    /// `dmain`
    Dmain = 0,
    /// `dmaout`
    Dmaout = 1,
    /// `mac`
    Mac = 2,
    /// `vec`
    Vec = 3,
}

impl Queue {
    /// All values, in order.
    pub const ALL: [Self; 4] = [Self::Dmain, Self::Dmaout, Self::Mac, Self::Vec];

    /// The value of this number, if there is one.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|v| *v as u8 == number)
    }

    /// Name in assembly text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dmain => "dmain",
            Self::Dmaout => "dmaout",
            Self::Mac => "mac",
            Self::Vec => "vec",
        }
    }

    /// Its number.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

bitflags::bitflags! {
/// Flags: acc = add to the present value of the accumulator instead of starting from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RedFlags: u8 {
/// `acc`
const ACC = 1 << 0;
}
}

/// A tensor descriptor register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TReg(pub(super) u8);

impl TReg {
    /// How many there are.
    pub const COUNT: usize = 32;

    /// The register of this number, if it exists.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if (number as usize) < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl std::fmt::Display for TReg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "t{}", self.0)
    }
}

/// A field of a tensor descriptor that scalar code may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TField {
    /// `base`
    Base = 0,
    /// `d0`
    D0 = 1,
    /// `d1`
    D1 = 2,
    /// `d2`
    D2 = 3,
    /// `d3`
    D3 = 4,
    /// `s0`
    S0 = 5,
    /// `s1`
    S1 = 6,
    /// `s2`
    S2 = 7,
    /// `s3`
    S3 = 8,
    /// `zp`
    Zp = 9,
}

impl TField {
    /// All values, in order.
    pub const ALL: [Self; 10] = [
        Self::Base,
        Self::D0,
        Self::D1,
        Self::D2,
        Self::D3,
        Self::S0,
        Self::S1,
        Self::S2,
        Self::S3,
        Self::Zp,
    ];

    /// The value of this number, if there is one.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|v| *v as u8 == number)
    }

    /// Name in assembly text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::D0 => "d0",
            Self::D1 => "d1",
            Self::D2 => "d2",
            Self::D3 => "d3",
            Self::S0 => "s0",
            Self::S1 => "s1",
            Self::S2 => "s2",
            Self::S3 => "s3",
            Self::Zp => "zp",
        }
    }

    /// Its number.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A window descriptor register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WReg(pub(super) u8);

impl WReg {
    /// How many there are.
    pub const COUNT: usize = 8;

    /// The register of this number, if it exists.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if (number as usize) < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl std::fmt::Display for WReg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "w{}", self.0)
    }
}

/// A field of a window descriptor that scalar code may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum WField {
    /// `kh`
    Kh = 0,
    /// `kw`
    Kw = 1,
    /// `sh`
    Sh = 2,
    /// `sw`
    Sw = 3,
    /// `dh`
    Dh = 4,
    /// `dw`
    Dw = 5,
    /// `pt`
    Pt = 6,
    /// `pl`
    Pl = 7,
    /// `pb`
    Pb = 8,
    /// `pr`
    Pr = 9,
}

impl WField {
    /// All values, in order.
    pub const ALL: [Self; 10] =
        [Self::Kh, Self::Kw, Self::Sh, Self::Sw, Self::Dh, Self::Dw, Self::Pt, Self::Pl, Self::Pb, Self::Pr];

    /// The value of this number, if there is one.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|v| *v as u8 == number)
    }

    /// Name in assembly text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kh => "kh",
            Self::Kw => "kw",
            Self::Sh => "sh",
            Self::Sw => "sw",
            Self::Dh => "dh",
            Self::Dw => "dw",
            Self::Pt => "pt",
            Self::Pl => "pl",
            Self::Pb => "pb",
            Self::Pr => "pr",
        }
    }

    /// Its number.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A 64-bit scalar register; x0 reads as zero and ignores writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct XReg(pub(super) u8);

impl XReg {
    /// How many there are.
    pub const COUNT: usize = 32;

    /// The register of this number, if it exists.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if (number as usize) < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl std::fmt::Display for XReg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "x{}", self.0)
    }
}

/// Rounding profile; the machine lists those that it supports; vec.requant, vec.add and vec.mul know the q31 ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Profile {
    /// `onnx`
    Onnx = 0,
    /// `q31`
    Q31 = 1,
    /// `q31double`
    Q31double = 2,
}

impl Profile {
    /// All values, in order.
    pub const ALL: [Self; 3] = [Self::Onnx, Self::Q31, Self::Q31double];

    /// The value of this number, if there is one.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|v| *v as u8 == number)
    }

    /// Name in assembly text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Q31 => "q31",
            Self::Q31double => "q31double",
        }
    }

    /// Its number.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Channel: the multiplier of channel c is the f32 at SPM address table + 4·c, in the q31 profiles the i32 at table + 8·c with its shift, modulo 64, in the byte at table + 8·c + 4; tensor: it is m0, or k0 with s0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum QuantMode {
    /// `tensor`
    Tensor = 0,
    /// `channel`
    Channel = 1,
}

impl QuantMode {
    /// All values, in order.
    pub const ALL: [Self; 2] = [Self::Tensor, Self::Channel];

    /// The value of this number, if there is one.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|v| *v as u8 == number)
    }

    /// Name in assembly text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tensor => "tensor",
            Self::Channel => "channel",
        }
    }

    /// Its number.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Which memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Space {
    /// `dram`
    Dram = 0,
    /// `spm`
    Spm = 1,
    /// `acc`
    Acc = 2,
}

impl Space {
    /// All values, in order.
    pub const ALL: [Self; 3] = [Self::Dram, Self::Spm, Self::Acc];

    /// The value of this number, if there is one.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|v| *v as u8 == number)
    }

    /// Name in assembly text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dram => "dram",
            Self::Spm => "spm",
            Self::Acc => "acc",
        }
    }

    /// Its number.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Element type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EType {
    /// `u8`
    U8 = 0,
    /// `s8`
    S8 = 1,
    /// `u16`
    U16 = 2,
    /// `s16`
    S16 = 3,
    /// `s32`
    S32 = 4,
    /// `s64`
    S64 = 5,
    /// `f32`
    F32 = 6,
}

impl EType {
    /// All values, in order.
    pub const ALL: [Self; 7] = [Self::U8, Self::S8, Self::U16, Self::S16, Self::S32, Self::S64, Self::F32];

    /// The value of this number, if there is one.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|v| *v as u8 == number)
    }

    /// Name in assembly text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::S8 => "s8",
            Self::U16 => "u16",
            Self::S16 => "s16",
            Self::S32 => "s32",
            Self::S64 => "s64",
            Self::F32 => "f32",
        }
    }

    /// Its number.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Timing classes; the manual gives their formulas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timing {
    /// `control.const_load_cycles + MISSES · control.const_miss_cycles`: the control core waits for the constant port; MISSES: lines that the load touches and the cache does not hold, see *Constants*
    ConstLoad,
    /// `1`: one cycle in the control core
    Control,
    /// `dram.read_latency_cycles + CHANNEL`: CHANNEL: until the segments of all rows have passed, each the most that it can cost, see *Channel*: the same for all ids
    DmaGather,
    /// `dram.read_latency_cycles + CHANNEL`: CHANNEL: until the segments of the source have passed, see *Channel*; waits for ports are added; padding costs no DRAM
    DmaIn,
    /// `ceil(bytes / spm.bytes_per_cycle)`: bytes: those written to the scratchpad, padding lanes included
    DmaLocal,
    /// `CHANNEL + dram.write_latency_cycles`: CHANNEL: until the segments of the destination have passed, padding lanes included, see *Channel*
    DmaOut,
    /// `mac.fill_cycles + max(ceil(OC / mac.oc_lanes) · ceil(PIXELS / mac.pixel_lanes) · WIDTH · KH · KW · ceil(IC / mac.ic_lanes), ceil(ceil(OC / mac.oc_lanes) · KH · KW · IC · PIXELS · AB / mac.activation_bytes_per_cycle), ceil(OC · KH · KW · IC · WB / mac.weight_bytes_per_cycle), ceil(KH · KW · ceil(IC / mac.ic_lanes) · PIXELS · OC · SB / mac.sum_bytes_per_cycle)) + mac.drain_cycles`: PIXELS = D1·D2 and OC = D3 of the accumulator tile; partial tiles cost whole ones; WIDTH is 1 for 8×8 bits, 2 for 16×8 and 8×16, 4 for 16×16; AB, WB, SB: bytes of an activation, a weight, a sum. Weights stay in the array: each passes once, and for each block of them the activations of all pixels and all sums
    MacConv,
    /// `mac.fill_cycles + max(ceil(C / mac.oc_lanes) · ceil(PIXELS / mac.pixel_lanes) · WIDTH · ceil(KH · KW / min(mac.depthwise_taps, mac.ic_lanes)), ceil(ROWS · COLUMNS · C · AB / mac.activation_bytes_per_cycle), ceil(C · KH · KW · WB / mac.weight_bytes_per_cycle), ceil(PIXELS · C · SB / mac.sum_bytes_per_cycle)) + mac.drain_cycles`: lanes of the reduction take the taps of the kernel, mac.depthwise_taps at once; rows of the image stay in the array, so that each pixel under the tile passes once: ROWS = min(D1 · KH, (D1 − 1) · SH + (KH − 1) · DH + 1), COLUMNS likewise; all else as in mac_conv
    MacDepthwise,
    /// `mac.fill_cycles + max(ceil(N / mac.oc_lanes) · ceil(M / mac.pixel_lanes) · WIDTH · ceil(K / mac.ic_lanes), ceil(ceil(N / mac.oc_lanes) · K · M · AB / mac.activation_bytes_per_cycle), ceil(K · N · WB / mac.weight_bytes_per_cycle), ceil(ceil(K / mac.ic_lanes) · M · N · SB / mac.sum_bytes_per_cycle)) + mac.drain_cycles`: M rows, N columns, K the reduction; a passes as activations do, b as weights; all else as in mac_conv
    MacMatmul,
    /// `mac.fill_cycles + max(STEPS · ceil(PIXELS / mac.pixel_lanes) · WIDTH, ceil(STEPS · mac.ic_lanes · PIXELS · AB / mac.activation_bytes_per_cycle), ceil(BLOCKS · 256 · WB / mac.weight_bytes_per_cycle), ceil(STEPS · PIXELS · min(OC, mac.oc_lanes) · SB / mac.sum_bytes_per_cycle)) + mac.drain_cycles`: STEPS = those of the ceil(OC / mac.oc_lanes) · KH · KW · ceil(IC / mac.ic_lanes) steps of mac_conv that meet a block whose bit is set in the mask; BLOCKS: bits that are set; all else as in mac_conv
    MacPruned,
    /// `1`: one cycle in its unit
    Qnop,
    /// `1`: executes in the first cycle in which everything issued has ended
    Sync,
    /// `vec.latency_cycles + max(D0 · D1 · D2 · ceil(D3 / vec.lanes), STREAMS)`: one element a lane and cycle; STREAMS: see *Streams*
    VecMap,
    /// `vec.latency_cycles + max(H · W · ceil(C / vec.lanes), STREAMS)`: H, W, C of the source; STREAMS: see *Streams*
    VecReduce,
    /// `vec.latency_cycles + max(4 · D0 · D1 · D2 · ceil(D3 / vec.lanes), STREAMS)`: four neighbours an element; STREAMS: see *Streams*
    VecResize,
    /// `vec.latency_cycles + max(D0 · D1 · D2 · ceil(S3 / vec.lanes), STREAMS)`: S3 is the innermost extent of the source; one element a lane and cycle; STREAMS: see *Streams*
    VecRows,
    /// `vec.latency_cycles + max(3 · D0 · D1 · D2 · ceil(D3 / vec.lanes), STREAMS)`: three passes over a row: largest element, sum, quotients; STREAMS: see *Streams*
    VecSoftmax,
    /// `vec.latency_cycles + max(D0 · D1 · D2 · ceil(D3 / vec.lanes) · KH · KW, STREAMS)`: one tap a lane and cycle; STREAMS: see *Streams*
    VecWindow,
}

impl Timing {
    /// Cycles, as the manual has them.
    #[must_use]
    pub fn formula(self) -> &'static str {
        match self {
            Self::ConstLoad => "control.const_load_cycles + MISSES · control.const_miss_cycles",
            Self::Control => "1",
            Self::DmaGather => "dram.read_latency_cycles + CHANNEL",
            Self::DmaIn => "dram.read_latency_cycles + CHANNEL",
            Self::DmaLocal => "ceil(bytes / spm.bytes_per_cycle)",
            Self::DmaOut => "CHANNEL + dram.write_latency_cycles",
            Self::MacConv => {
                "mac.fill_cycles + max(ceil(OC / mac.oc_lanes) · ceil(PIXELS / mac.pixel_lanes) · WIDTH · KH · KW · ceil(IC / mac.ic_lanes), ceil(ceil(OC / mac.oc_lanes) · KH · KW · IC · PIXELS · AB / mac.activation_bytes_per_cycle), ceil(OC · KH · KW · IC · WB / mac.weight_bytes_per_cycle), ceil(KH · KW · ceil(IC / mac.ic_lanes) · PIXELS · OC · SB / mac.sum_bytes_per_cycle)) + mac.drain_cycles"
            }
            Self::MacDepthwise => {
                "mac.fill_cycles + max(ceil(C / mac.oc_lanes) · ceil(PIXELS / mac.pixel_lanes) · WIDTH · ceil(KH · KW / min(mac.depthwise_taps, mac.ic_lanes)), ceil(ROWS · COLUMNS · C · AB / mac.activation_bytes_per_cycle), ceil(C · KH · KW · WB / mac.weight_bytes_per_cycle), ceil(PIXELS · C · SB / mac.sum_bytes_per_cycle)) + mac.drain_cycles"
            }
            Self::MacMatmul => {
                "mac.fill_cycles + max(ceil(N / mac.oc_lanes) · ceil(M / mac.pixel_lanes) · WIDTH · ceil(K / mac.ic_lanes), ceil(ceil(N / mac.oc_lanes) · K · M · AB / mac.activation_bytes_per_cycle), ceil(K · N · WB / mac.weight_bytes_per_cycle), ceil(ceil(K / mac.ic_lanes) · M · N · SB / mac.sum_bytes_per_cycle)) + mac.drain_cycles"
            }
            Self::MacPruned => {
                "mac.fill_cycles + max(STEPS · ceil(PIXELS / mac.pixel_lanes) · WIDTH, ceil(STEPS · mac.ic_lanes · PIXELS · AB / mac.activation_bytes_per_cycle), ceil(BLOCKS · 256 · WB / mac.weight_bytes_per_cycle), ceil(STEPS · PIXELS · min(OC, mac.oc_lanes) · SB / mac.sum_bytes_per_cycle)) + mac.drain_cycles"
            }
            Self::Qnop => "1",
            Self::Sync => "1",
            Self::VecMap => "vec.latency_cycles + max(D0 · D1 · D2 · ceil(D3 / vec.lanes), STREAMS)",
            Self::VecReduce => "vec.latency_cycles + max(H · W · ceil(C / vec.lanes), STREAMS)",
            Self::VecResize => "vec.latency_cycles + max(4 · D0 · D1 · D2 · ceil(D3 / vec.lanes), STREAMS)",
            Self::VecRows => "vec.latency_cycles + max(D0 · D1 · D2 · ceil(S3 / vec.lanes), STREAMS)",
            Self::VecSoftmax => "vec.latency_cycles + max(3 · D0 · D1 · D2 · ceil(D3 / vec.lanes), STREAMS)",
            Self::VecWindow => {
                "vec.latency_cycles + max(D0 · D1 · D2 · ceil(D3 / vec.lanes) · KH · KW, STREAMS)"
            }
        }
    }
}
