//! Registers that instructions have written, for observers.

/// A register file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisterFile {
    /// `x0` …
    Scalar,
    /// `t0` …: tensor descriptors.
    Tensor,
    /// `q0` …: quantization descriptors.
    Quant,
    /// `w0` …: window descriptors.
    Window,
}

impl RegisterFile {
    /// All files.
    pub const ALL: [RegisterFile; 4] =
        [RegisterFile::Scalar, RegisterFile::Tensor, RegisterFile::Quant, RegisterFile::Window];
}

/// A register that an instruction wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// File.
    pub file: RegisterFile,
    /// Number in the file.
    pub number: u8,
    /// The value; for a descriptor the constant address it was loaded from, or the operand of the field.
    pub value: i64,
}

impl std::fmt::Display for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Written { file, number, value } = self;
        match file {
            RegisterFile::Scalar => write!(f, "x{number} = {value}"),
            RegisterFile::Tensor => write!(f, "t{number} <- {value}"),
            RegisterFile::Quant => write!(f, "q{number} <- {value}"),
            RegisterFile::Window => write!(f, "w{number} <- {value}"),
        }
    }
}
