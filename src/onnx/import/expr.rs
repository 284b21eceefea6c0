//! Float expressions of quantized tensors, between their quantizers.
//!
//! Element-wise operators build an [`Expr`], a graph whose parts may have several readers; the QuantizeLinear
//! behind it decides what it becomes (`complete.rs`): a table if it depends on one 8-bit tensor only, an
//! integer operator, or steps of f32 functions. Functions without an instruction are expressed by those that
//! have one.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::super::constant::Constant;
use super::constant_real::ConstantReal;
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
    /// A function of two expressions.
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

    /// `max(x, 0) + f(min(x, 0))` for an `f` with `f(0) = 0`: another function for each sign.
    pub(super) fn by_sign(self, negative: impl FnOnce(Expr) -> Expr) -> Expr {
        let below = negative(self.clone().min(0.0));
        self.max(0.0).add(below)
    }

    /// `max(lo, min(hi, self))`; infinite bounds are omitted.
    pub(super) fn clip(self, lo: f32, hi: f32) -> Expr {
        let e = if lo == f32::NEG_INFINITY { self } else { self.max(lo) };
        if hi == f32::INFINITY { e } else { e.min(hi) }
    }

    /// Bounds at the root, and the bounded expression.
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

    /// Every part once, operands before their readers, the whole expression last. Shared parts occur once, so
    /// this is linear where recursion over operands would be exponential.
    fn parts(&self) -> Parts<'_> {
        fn visit<'e>(e: &'e Expr, parts: &mut Parts<'e>) -> usize {
            let key = std::ptr::from_ref(e);
            if let Some(known) = parts.at.get(&key) {
                return *known;
            }
            let operands = match e {
                Expr::One(_, a) => [visit(a, parts), 0],
                Expr::Two(_, a, b) => [visit(a, parts), visit(b, parts)],
                _ => [0, 0],
            };
            let index = parts.list.len();
            parts.list.push((e, operands));
            parts.at.insert(key, index);
            index
        }
        let mut parts = Parts { list: Vec::new(), at: BTreeMap::new() };
        visit(self, &mut parts);
        parts
    }

    /// Calls `f` for every leaf.
    pub(super) fn leaves(&self, f: &mut impl FnMut(&Expr)) {
        self.parts()
            .list
            .iter()
            .filter(|(e, _)| !matches!(e, Expr::One(..) | Expr::Two(..)))
            .for_each(|(e, _)| f(e));
    }

    /// Calls `f` for every part after its operands, with its results for those; returns its result for the
    /// whole expression.
    ///
    /// # Errors
    /// Those of `f`.
    pub(super) fn walk<T: Clone, E>(
        &self,
        mut f: impl FnMut(&Expr, &[T]) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        let parts = self.parts();
        let mut made: Vec<T> = Vec::with_capacity(parts.list.len());
        for (e, [a, b]) in &parts.list {
            let value = match e {
                Expr::One(..) => f(e, &[made[*a].clone()])?,
                Expr::Two(..) => f(e, &[made[*a].clone(), made[*b].clone()])?,
                _ => f(e, &[])?,
            };
            made.push(value);
        }
        Ok(made.pop())
    }

    /// Its value if it is a single number.
    pub(super) fn number(&self) -> Option<f32> {
        match self {
            Expr::Number(x) => Some(*x),
            Expr::Quantized(c) => c.number().map(|(_, x)| x),
            _ => None,
        }
    }

    /// The same expression with `from` replaced by `to`.
    pub(super) fn with(&self, from: TensorId, to: TensorId) -> Expr {
        let moved = self.walk::<Rc<Expr>, std::convert::Infallible>(|e, operands| {
            Ok(Rc::new(match (e, operands) {
                (Expr::Tensor(id), _) if *id == from => Expr::Tensor(to),
                (Expr::One(f, _), [a]) => Expr::One(*f, a.clone()),
                (Expr::Two(f, ..), [a, b]) => Expr::Two(*f, a.clone(), b.clone()),
                (leaf, _) => leaf.clone(),
            }))
        });
        let Ok(moved) = moved;
        moved.map_or_else(|| self.clone(), |e| (*e).clone())
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

/// The parts of an expression, each with the indices of its operands.
struct Parts<'e> {
    list: Vec<(&'e Expr, [usize; 2])>,
    at: BTreeMap<*const Expr, usize>,
}

impl Parts<'_> {
    /// The value of the expression if every tensor holds `x`; `None` for constants of several elements.
    fn at(&self, x: f32, values: &mut Vec<f32>) -> Option<f32> {
        values.clear();
        for (e, [a, b]) in &self.list {
            values.push(match e {
                Expr::Tensor(_) => x,
                Expr::Number(n) => *n,
                Expr::Constant(_) => return None,
                Expr::Quantized(c) => c.number()?.1,
                Expr::One(f, _) => numeric::float1(*f, values[*a]),
                Expr::Two(f, ..) => numeric::float2(*f, values[*a], values[*b]),
            });
        }
        values.last().copied()
    }
}

impl From<f32> for Expr {
    fn from(x: f32) -> Expr {
        Expr::Number(x)
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

/// Whether all integers of a small type stand for finite floats.
pub(super) fn is_finite((quant, dtype): Format) -> bool {
    range(dtype).iter().all(|q| numeric::dequantize(*q, quant.scale, quant.zero_point).is_finite())
}

/// `q ↦ quantize(e(dequantize(q)))`; `None` if the expression has constants of several elements.
pub(super) fn table(e: &Expr, from: Format, to: Format) -> Option<Lut> {
    let (parts, mut values) = (e.parts(), Vec::new());
    parts.at(0.0, &mut values)?;
    Some(map(e.name(), from.1, |q| {
        let x = numeric::dequantize(q, from.0.scale, from.0.zero_point);
        let real = parts.at(x, &mut values).unwrap_or(f32::NAN);
        numeric::quantize(real, to.0.scale, to.0.zero_point, range(to.1))
    }))
}

/// A table from a function of the integers.
pub(super) fn map(what: impl Into<String>, from: DType, mut f: impl FnMut(i32) -> i32) -> Lut {
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
        let at = |x| leaky.parts().at(x, &mut Vec::new());
        assert_eq!((at(-8.0), at(3.0)), (Some(-2.0), Some(3.0)));
    }

    #[test]
    fn shared_parts_are_walked_once() {
        let mut e = Expr::Tensor(TensorId(0));
        for _ in 0..100 {
            e = e.clone().mul(e.one(Float1::Sigmoid));
        }
        assert!(e.parts().list.len() < 500);
        let mut tensors = 0;
        e.with(TensorId(0), TensorId(7))
            .leaves(&mut |leaf| tensors += usize::from(matches!(leaf, Expr::Tensor(TensorId(7)))));
        assert!(tensors > 0 && tensors < 5);
        assert!(e.parts().at(0.0, &mut Vec::new()) == Some(0.0));
    }
}
