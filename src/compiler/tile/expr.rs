//! Integer expressions over loop variables.
//!
//! Every quantity of a tiled operation that changes from tile to tile is an expression: base addresses,
//! extents, origins. Constants are folded during construction; [`Ranges`] folds what the bounds of the loops
//! decide.

use std::ops::{Add, Mul, Sub};

/// A loop variable; unique inside one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Var(pub u16);

/// An expression. `Add` and `Mul` do not overflow: addresses and extents stay far below 2^63 (extents are at
/// most 2^24, memories at most 2^40).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expr {
    /// A number.
    Const(i64),
    /// A loop variable.
    Var(Var),
    /// Sum.
    Add(Box<Expr>, Box<Expr>),
    /// Product.
    Mul(Box<Expr>, Box<Expr>),
    /// The smaller.
    Min(Box<Expr>, Box<Expr>),
    /// The larger.
    Max(Box<Expr>, Box<Expr>),
}

impl From<i64> for Expr {
    fn from(value: i64) -> Expr {
        Expr::Const(value)
    }
}

impl From<Var> for Expr {
    fn from(value: Var) -> Expr {
        Expr::Var(value)
    }
}

impl Expr {
    /// The value, if it does not depend on a variable.
    #[must_use]
    pub fn constant(&self) -> Option<i64> {
        match self {
            Expr::Const(c) => Some(*c),
            _ => None,
        }
    }

    /// The smaller of two.
    #[must_use]
    pub fn min(self, other: impl Into<Expr>) -> Expr {
        match (self, other.into()) {
            (Expr::Const(a), Expr::Const(b)) => Expr::Const(a.min(b)),
            (a, b) if a == b => a,
            (a, b) => Expr::Min(Box::new(a), Box::new(b)),
        }
    }

    /// The larger of two.
    #[must_use]
    pub fn max(self, other: impl Into<Expr>) -> Expr {
        match (self, other.into()) {
            (Expr::Const(a), Expr::Const(b)) => Expr::Const(a.max(b)),
            (a, b) if a == b => a,
            (a, b) => Expr::Max(Box::new(a), Box::new(b)),
        }
    }

    /// The value, given the values of the variables.
    #[must_use]
    pub fn value(&self, of: &impl Fn(Var) -> i64) -> i64 {
        match self {
            Expr::Const(c) => *c,
            Expr::Var(v) => of(*v),
            Expr::Add(a, b) => a.value(of) + b.value(of),
            Expr::Mul(a, b) => a.value(of) * b.value(of),
            Expr::Min(a, b) => a.value(of).min(b.value(of)),
            Expr::Max(a, b) => a.value(of).max(b.value(of)),
        }
    }

    /// Calls `f` for every variable in the expression.
    pub fn variables(&self, f: &mut impl FnMut(Var)) {
        match self {
            Expr::Const(_) => {}
            Expr::Var(v) => f(*v),
            Expr::Add(a, b) | Expr::Mul(a, b) | Expr::Min(a, b) | Expr::Max(a, b) => {
                a.variables(f);
                b.variables(f);
            }
        }
    }

    /// The expression with variables renamed.
    #[must_use]
    pub fn rename(&self, to: &impl Fn(Var) -> Var) -> Expr {
        let two = |a: &Expr, b: &Expr| (Box::new(a.rename(to)), Box::new(b.rename(to)));
        match self {
            Expr::Const(c) => Expr::Const(*c),
            Expr::Var(v) => Expr::Var(to(*v)),
            Expr::Add(a, b) => {
                let (a, b) = two(a, b);
                Expr::Add(a, b)
            }
            Expr::Mul(a, b) => {
                let (a, b) = two(a, b);
                Expr::Mul(a, b)
            }
            Expr::Min(a, b) => {
                let (a, b) = two(a, b);
                Expr::Min(a, b)
            }
            Expr::Max(a, b) => {
                let (a, b) = two(a, b);
                Expr::Max(a, b)
            }
        }
    }

    /// The expression with `var` replaced by a number, folded.
    #[must_use]
    pub fn substitute(&self, var: Var, value: i64) -> Expr {
        match self {
            Expr::Const(c) => Expr::Const(*c),
            Expr::Var(v) if *v == var => Expr::Const(value),
            Expr::Var(v) => Expr::Var(*v),
            Expr::Add(a, b) => a.substitute(var, value) + b.substitute(var, value),
            Expr::Mul(a, b) => a.substitute(var, value) * b.substitute(var, value),
            Expr::Min(a, b) => a.substitute(var, value).min(b.substitute(var, value)),
            Expr::Max(a, b) => a.substitute(var, value).max(b.substitute(var, value)),
        }
    }
}

impl<T: Into<Expr>> Add<T> for Expr {
    type Output = Expr;

    fn add(self, other: T) -> Expr {
        match (self, other.into()) {
            (Expr::Const(a), Expr::Const(b)) => Expr::Const(a + b),
            (Expr::Const(0), e) | (e, Expr::Const(0)) => e,
            // Constants move to the right, where they are folded.
            (Expr::Add(a, b), Expr::Const(c)) if b.constant().is_some() => *a + (*b + c),
            (Expr::Const(c), e) => e + c,
            (Expr::Add(a, b), e) if b.constant().is_some() => (*a + e) + *b,
            (a, Expr::Add(b, c)) if c.constant().is_some() => (a + *b) + *c,
            (a, b) => Expr::Add(Box::new(a), Box::new(b)),
        }
    }
}

impl<T: Into<Expr>> Sub<T> for Expr {
    type Output = Expr;

    fn sub(self, other: T) -> Expr {
        self + other.into() * -1
    }
}

impl<T: Into<Expr>> Mul<T> for Expr {
    type Output = Expr;

    fn mul(self, other: T) -> Expr {
        match (self, other.into()) {
            (Expr::Const(a), Expr::Const(b)) => Expr::Const(a * b),
            (Expr::Const(0), _) | (_, Expr::Const(0)) => Expr::Const(0),
            (Expr::Const(1), e) | (e, Expr::Const(1)) => e,
            (Expr::Const(c), e) => e * c,
            (Expr::Add(a, b), Expr::Const(c)) => *a * c + *b * c,
            (Expr::Mul(a, b), Expr::Const(c)) if b.constant().is_some() => *a * (*b * c),
            (a, b) => Expr::Mul(Box::new(a), Box::new(b)),
        }
    }
}

/// The ranges of the loop variables at a place: `start, start + step, … < end`.
#[derive(Debug, Clone, Default)]
pub struct Ranges(Vec<(Var, i64, i64)>);

impl Ranges {
    /// Adds a variable with its least and greatest value.
    pub fn push(&mut self, var: Var, least: i64, greatest: i64) {
        self.0.push((var, least, greatest));
    }

    /// Least and greatest value of the expression, by interval arithmetic: sound, not always tight. Unknown
    /// variables count as zero; lowering only asks inside the loops that bind them.
    #[must_use]
    pub fn bounds(&self, e: &Expr) -> (i64, i64) {
        match e {
            Expr::Const(c) => (*c, *c),
            Expr::Var(v) => self.0.iter().find(|(w, ..)| w == v).map_or((0, 0), |(_, lo, hi)| (*lo, *hi)),
            Expr::Add(a, b) => {
                let ((a0, a1), (b0, b1)) = (self.bounds(a), self.bounds(b));
                (a0 + b0, a1 + b1)
            }
            Expr::Mul(a, b) => {
                let ((a0, a1), (b0, b1)) = (self.bounds(a), self.bounds(b));
                let p = [a0 * b0, a0 * b1, a1 * b0, a1 * b1];
                (p.into_iter().min().unwrap_or(0), p.into_iter().max().unwrap_or(0))
            }
            Expr::Min(a, b) => {
                let ((a0, a1), (b0, b1)) = (self.bounds(a), self.bounds(b));
                (a0.min(b0), a1.min(b1))
            }
            Expr::Max(a, b) => {
                let ((a0, a1), (b0, b1)) = (self.bounds(a), self.bounds(b));
                (a0.max(b0), a1.max(b1))
            }
        }
    }

    /// Removes a `Min` or `Max` that the bounds decide.
    #[must_use]
    pub fn fold(&self, e: Expr) -> Expr {
        match e {
            Expr::Min(a, b) => {
                let (a, b) = (self.fold(*a), self.fold(*b));
                let ((a0, a1), (b0, b1)) = (self.bounds(&a), self.bounds(&b));
                match (a1 <= b0, b1 <= a0) {
                    (true, _) => a,
                    (_, true) => b,
                    _ => a.min(b),
                }
            }
            Expr::Max(a, b) => {
                let (a, b) = (self.fold(*a), self.fold(*b));
                let ((a0, a1), (b0, b1)) = (self.bounds(&a), self.bounds(&b));
                match (a0 >= b1, b0 >= a1) {
                    (true, _) => a,
                    (_, true) => b,
                    _ => a.max(b),
                }
            }
            Expr::Add(a, b) => self.fold(*a) + self.fold(*b),
            Expr::Mul(a, b) => self.fold(*a) * self.fold(*b),
            e => e,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_meet_and_fold() {
        let v = Expr::Var(Var(0));
        assert_eq!((v.clone() + 3) * 4 - 12, v.clone() * 4);
        assert_eq!(Expr::from(5).min(7), Expr::Const(5));
        assert_eq!((v.clone() + 1) + (v.clone() + 2), (v.clone() + v) + 3);
    }

    #[test]
    fn ranges_decide_minima() {
        let mut r = Ranges::default();
        r.push(Var(0), 0, 96);
        let left = Expr::from(112) - Var(0);
        assert_eq!(r.fold(Expr::from(16).min(left.clone())), Expr::Const(16));
        assert_eq!(r.fold(Expr::from(17).min(left.clone())), Expr::from(17).min(left));
    }
}
