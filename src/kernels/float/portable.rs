//! Functions of f32 on rows of floats.

use crate::isa::{Float1, Float2};
use crate::kernels::multiversion::kernel;
use crate::numeric;

kernel! {
    /// A function of each float.
    pub fn float1(values: &mut [f32], op: Float1) -> () {
        // A loop for each operation, so that the simple ones vectorize.
        macro_rules! each {
            ($($op:ident)*) => {
                match op {
                    $(Float1::$op => values.iter_mut().for_each(|x| *x = numeric::float1(Float1::$op, *x)),)*
                }
            };
        }
        each!(Neg Abs Sqrt Exp Log Erf Tanh Sigmoid Sin Cos Floor Ceil Round)
    }
}

kernel! {
    /// A function of two floats; the result replaces `a`.
    pub fn float2(a: &mut [f32], b: &[f32], op: Float2) -> () {
        macro_rules! each {
            ($($op:ident)*) => {
                match op {
                    $(Float2::$op => {
                        a.iter_mut().zip(b).for_each(|(x, y)| *x = numeric::float2(Float2::$op, *x, *y));
                    })*
                }
            };
        }
        each!(Add Sub Mul Div Min Max Pow)
    }
}
