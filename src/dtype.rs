//! The one element type of all tables: of graphs, programs, dumps and calibrations.

/// Element type of a tensor. Names and semantics follow ONNX (`u8` = UINT8 …). In files it is its name.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "&'static str")]
pub enum DType {
    /// Unsigned 8 bits; the type of plain bytes.
    #[default]
    U8,
    /// Signed 8 bits.
    S8,
    /// Unsigned 16 bits.
    U16,
    /// Signed 16 bits.
    S16,
    /// Signed 32 bits (bias, raw accumulators).
    S32,
    /// Signed 64 bits (bias in 16-bit modes).
    S64,
    /// IEEE single.
    F32,
    /// Booleans, 0 and 1 in a byte each. Only host layers compute with them.
    Bool,
}

impl DType {
    /// All of them.
    pub const ALL: [DType; 8] =
        [DType::U8, DType::S8, DType::U16, DType::S16, DType::S32, DType::S64, DType::F32, DType::Bool];

    /// Size of one element in bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            DType::U8 | DType::S8 | DType::Bool => 1,
            DType::U16 | DType::S16 => 2,
            DType::S32 | DType::F32 => 4,
            DType::S64 => 8,
        }
    }

    /// Smallest and largest representable integer; `None` for floats and booleans.
    #[must_use]
    pub fn int_range(self) -> Option<(i64, i64)> {
        Some(match self {
            DType::U8 => (0, 255),
            DType::S8 => (-128, 127),
            DType::U16 => (0, 65535),
            DType::S16 => (-32768, 32767),
            DType::S32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
            DType::S64 => (i64::MIN, i64::MAX),
            DType::F32 | DType::Bool => return None,
        })
    }

    /// The name used in text forms and dumps: `u8`, `s8`, `u16`, `s16`, `s32`, `s64`, `f32`, `bool`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DType::U8 => "u8",
            DType::S8 => "s8",
            DType::U16 => "u16",
            DType::S16 => "s16",
            DType::S32 => "s32",
            DType::S64 => "s64",
            DType::F32 => "f32",
            DType::Bool => "bool",
        }
    }

    /// Inverse of [`DType::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<DType> {
        DType::ALL.into_iter().find(|d| d.name() == name)
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl From<DType> for &'static str {
    fn from(dtype: DType) -> &'static str {
        dtype.name()
    }
}

/// A name that is no element type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown element type '{0}' ({names})", names = DType::ALL.map(DType::name).join(", "))]
pub struct UnknownDType(pub String);

impl TryFrom<String> for DType {
    type Error = UnknownDType;

    fn try_from(name: String) -> Result<DType, UnknownDType> {
        DType::from_name(&name).ok_or(UnknownDType(name))
    }
}
