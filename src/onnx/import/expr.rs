//! Float expressions of quantized tensors, between their quantizers.
//!
//! Element-wise operators build an [`Expr`]; the QuantizeLinear behind it decides what it becomes (`complete.rs`): a table
//! if one 8-bit tensor is all that it depends on, an integer operator, or a program for the f32 lane. Functions that the
//! lane does not have are written with those that it has.

use std::rc::Rc;
use std::sync::Arc;

use super::super::constant::Constant;
use super::value::ConstantReal;
use crate::graph::{DType, Lut, Quant, TensorId};
use crate::isa::{Float1, Float2};
use crate::numeric;

/// A float expression.
#[derive(Debug, Clone)]
pub(super) enum Expr {
    /// The float view of an integer tensor, or a float tensor.
    Tensor(TensorId),
    /// A number.
    Number(f32),
    /// Several constant floats.
    Constant(Rc<Constant>),
    /// A dequantized constant with one scale.
    Quantized(Rc<ConstantReal>),
    /// A function of one expression.
    One(Float1, Rc<Expr>),
    /// A function of two.
    Two(Float2, Rc<Expr>, Rc<Expr>),
}

impl Expr {
    pub(super) fn one(self, f: Float1) -> Expr {
        Expr::One(f, self.into())
    }

    pub(super) fn two(self, f: Float2, other: impl Into<Expr>) -> Expr {
        Expr::Two(f, self.into(), other.into().into())
    }

    pub(super) fn add(self, other: impl Into<Expr>) -> Expr {
        self.two(Float2::Add, other)
    }

    pub(super) fn mul(self, other: impl Into<Expr>) -> Expr {
        self.two(Float2::Mul, other)
    }

    pub(super) fn max(self, other: impl Into<Expr>) -> Expr {
        self.two(Float2::Max, other)
    }

    pub(super) fn min(self, other: impl Into<Expr>) -> Expr {
        self.two(Float2::Min, other)
    }

    /// `max(x, 0) + f(min(x, 0))` for an `f` with `f(0) = 0`: one function for each sign.
    pub(super) fn by_sign(self, negative: impl FnOnce(Expr) -> Expr) -> Expr {
        let below = negative(self.clone().min(0.0));
        self.max(0.0).add(below)
    }

    /// `max(lo, min(hi, self))`, without bounds that are infinite.
    pub(super) fn clip(self, lo: f32, hi: f32) -> Expr {
        let e = if lo == f32::NEG_INFINITY { self } else { self.max(lo) };
        if hi == f32::INFINITY { e } else { e.min(hi) }
    }

    /// Bounds at the root and what they bound.
    pub(super) fn peel(&self) -> (&Expr, Vec<(f32, f32)>) {
        let mut bounds = Vec::new();
        let mut e = self;
        while let Expr::Two(f @ (Float2::Max | Float2::Min), a, b) = e {
            let (inner, x) = match (&**a, &**b) {
                (inner, Expr::Number(x)) | (Expr::Number(x), inner) => (inner, *x),
                _ => break,
            };
            bounds.push(if *f == Float2::Max { (x, f32::INFINITY) } else { (f32::NEG_INFINITY, x) });
            e = inner;
        }
        bounds.reverse();
        (e, bounds)
    }

    /// Calls `f` for every leaf.
    pub(super) fn leaves(&self, f: &mut impl FnMut(&Expr)) {
        match self {
            Expr::One(_, a) => a.leaves(f),
            Expr::Two(_, a, b) => {
                a.leaves(f);
                b.leaves(f);
            }
            leaf => f(leaf),
        }
    }

    /// The value if every tensor holds `x`; constants of several elements have none.
    fn at(&self, x: f32) -> Option<f32> {
        Some(match self {
            Expr::Tensor(_) => x,
            Expr::Number(n) => *n,
            Expr::Constant(_) => return None,
            Expr::Quantized(c) => c.number()?.1,
            Expr::One(f, a) => numeric::float1(*f, a.at(x)?),
            Expr::Two(f, a, b) => numeric::float2(*f, a.at(x)?, b.at(x)?),
        })
    }

    /// Its value if it is one number.
    pub(super) fn number(&self) -> Option<f32> {
        match self {
            Expr::Number(x) => Some(*x),
            Expr::Quantized(c) => c.number().map(|(_, x)| x),
            _ => None,
        }
    }

    /// The same expression of another tensor.
    pub(super) fn with(&self, from: TensorId, to: TensorId) -> Expr {
        match self {
            Expr::Tensor(id) if *id == from => Expr::Tensor(to),
            Expr::One(f, a) => Expr::One(*f, a.with(from, to).into()),
            Expr::Two(f, a, b) => Expr::Two(*f, a.with(from, to).into(), b.with(from, to).into()),
            other => other.clone(),
        }
    }

    /// What it computes, for listings.
    pub(super) fn name(&self) -> String {
        match self {
            Expr::One(f, _) => f.name().into(),
            Expr::Two(Float2::Max, _, b) if matches!(**b, Expr::Number(0.0)) => "relu".into(),
            Expr::Two(Float2::Max | Float2::Min, ..) => "clip".into(),
            Expr::Two(f, ..) => f.name().into(),
            _ => "requantize".into(),
        }
    }
}

impl From<f32> for Expr {
    fn from(x: f32) -> Expr {
        Expr::Number(x)
    }
}

impl ConstantReal {
    /// Its only element: the integer and the float; none if there are several.
    pub(super) fn number(&self) -> Option<(i32, f32)> {
        let [q] = self.constant.integers()?[..] else { return None };
        let q = i32::try_from(q).ok()?;
        Some((q, numeric::dequantize(q, self.scale[0], self.zero_point[0])))
    }

    /// Its quantization, if it has one for all elements.
    pub(super) fn quant(&self) -> Option<Quant> {
        match (&self.scale[..], &self.zero_point[..]) {
            ([scale], [zero_point, ..]) => Some(Quant { scale: *scale, zero_point: *zero_point }),
            _ => None,
        }
    }
}

/// Quantization and type of a tensor.
pub(super) type Format = (Quant, DType);

/// The range of a small integer type.
pub(super) fn range(dtype: DType) -> [i32; 2] {
    dtype
        .int_range()
        .map_or([0, 0], |(lo, hi)| [lo.max(i32::MIN.into()) as i32, hi.min(i32::MAX.into()) as i32])
}

/// `q ↦ quantize(e(dequantize(q)))`; none if the expression has constants of several elements.
pub(super) fn table(e: &Expr, from: Format, to: Format) -> Option<Lut> {
    e.at(0.0)?;
    Some(map(e.name(), from.1, |q| {
        let real = e.at(numeric::dequantize(q, from.0.scale, from.0.zero_point)).unwrap_or(f32::NAN);
        numeric::quantize(real, to.0.scale, to.0.zero_point, range(to.1))
    }))
}

/// A table from a function of the integers.
pub(super) fn map(what: impl Into<String>, from: DType, f: impl Fn(i32) -> i32) -> Lut {
    let entry = |i: usize| {
        let q = if from == DType::S8 { i32::from(i as u8 as i8) } else { i as i32 };
        f(q) as u8
    };
    Lut { what: what.into(), table: Arc::new(std::array::from_fn(entry)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_come_off_the_root() {
        let e = Expr::Tensor(TensorId(0)).one(Float1::Tanh).clip(-1.0, 6.0);
        let (inner, bounds) = e.peel();
        assert_eq!(bounds, [(-1.0, f32::INFINITY), (f32::NEG_INFINITY, 6.0)]);
        assert!(matches!(inner, Expr::One(Float1::Tanh, _)));
    }

    #[test]
    fn one_function_for_each_sign() {
        let leaky = Expr::Tensor(TensorId(0)).by_sign(|x| x.mul(0.25));
        assert_eq!((leaky.at(-8.0), leaky.at(3.0)), (Some(-2.0), Some(3.0)));
    }
}
