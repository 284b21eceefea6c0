//! Roles of operators in quantized networks.

/// The role of an operator in a quantized network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A sum of products, with weights or of two tensors.
    Product,
    /// A function of one tensor, element by element.
    Function,
    /// A function of two or more tensors, element by element.
    Pair,
    /// Its results are values of its first input.
    Move,
    /// Another operator whose result has a quantization of its own.
    Whole,
    /// It computes none of a network's values: constants, extents, element types.
    Plain,
    /// It occurs in quantized networks only.
    Quantized,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 7] =
        [Role::Product, Role::Function, Role::Pair, Role::Move, Role::Whole, Role::Plain, Role::Quantized];

    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Product => "sums of products",
            Role::Function => "functions of one tensor, alone or in a chain",
            Role::Pair => "of two tensors, element by element",
            Role::Move => "results are values of the first input",
            Role::Whole => "others with a result of their own quantization",
            Role::Plain => "constants, extents and element types",
            Role::Quantized => "of quantized networks",
        }
    }
}

/// Whether an operator reads or writes quantized values, or makes them while it runs.
pub(crate) fn is_quantized(op_type: &str) -> bool {
    let named = [
        "QuantizeLinear",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "ConvInteger",
        "MatMulInteger",
        "QGemm",
    ];
    named.contains(&op_type) || op_type.starts_with("QLinear")
}
