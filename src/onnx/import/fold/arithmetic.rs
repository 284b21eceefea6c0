//! Element-wise operators on constants, with NumPy broadcasting; Cast, Clip, Where, Range and
//! ConstantOfShape.

use super::super::super::constant::{Constant, Data};
use super::super::super::proto::tensor_proto::DataType;
use super::super::elementwise::broadcast;
use super::super::node::OnnxNode;
use super::super::value::{Refusal, unsupported};
use super::bound::{MOST_ELEMENTS, bounded};
use super::convert::{Numbers, element};

/// Shape and elements of a result.
pub(super) type Made = (Vec<usize>, Data);

/// The result of a node; `None` if its operator is not in this file.
pub(super) fn computed(n: &OnnxNode, inputs: &[&Constant]) -> Result<Option<Made>, Refusal> {
    let pair = || match inputs {
        [a, b] => Ok((*a, *b)),
        _ => Err(Refusal::Malformed(format!("{} inputs", inputs.len()))),
    };
    Ok(Some(match n.op_type() {
        "Add" | "Sub" | "Mul" | "Div" | "Mod" => {
            let (a, b) = pair()?;
            folded(n, a, b)?
        }
        "Min" | "Max" | "Sum" => {
            let mut all = inputs[0].clone();
            for next in &inputs[1..] {
                let (shape, data) = folded(n, &all, next)?;
                all = Constant { shape, data, ..all };
            }
            (all.shape, all.data)
        }
        "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "And" | "Or" | "Xor" => {
            let (a, b) = pair()?;
            compared(n.op_type(), a, b)?
        }
        "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" | "BitShift" => {
            let (a, b) = pair()?;
            match (Numbers::of(a), Numbers::of(b)) {
                (Numbers::Integers(_), Numbers::Integers(_)) => folded(n, a, b)?,
                _ => return Err(Refusal::Malformed(format!("{} of floats", n.op_type()))),
            }
        }
        "CastLike" => {
            let (a, b) = pair()?;
            let data = Numbers::of(a).cast(element(b));
            (a.shape.clone(), data.ok_or_else(|| Refusal::Unsupported("element type".into()))?)
        }
        "Neg" | "Abs" | "Not" | "Sign" | "BitwiseNot" => {
            let Some(data) = one(n.op_type(), inputs[0]) else { return Ok(None) };
            (inputs[0].shape.clone(), data)
        }
        "Cast" => {
            let to = n.int("to", 0);
            let kind = DataType::try_from(to as i32).ok();
            match kind.and_then(|kind| Numbers::of(inputs[0]).cast(kind)) {
                Some(data) => (inputs[0].shape.clone(), data),
                None => return unsupported(format!("a Cast of constants to element type {to}")),
            }
        }
        "Clip" => clipped(n, inputs)?,
        "Where" => chosen(inputs)?,
        "Range" => range(inputs)?,
        "ConstantOfShape" => filled(n, inputs)?,
        _ => return Ok(None),
    }))
}

/// Index of the operand's element for every element of the result.
fn walk(shape: &[usize], operand: &[usize]) -> Result<Vec<usize>, Refusal> {
    let count = bounded(shape)?;
    let lead = shape.len() - operand.len();
    let mut at = Vec::with_capacity(count);
    for i in 0..count {
        let (mut rest, mut index, mut stride) = (i, 0, 1);
        for axis in (0..shape.len()).rev() {
            let here = rest % shape[axis];
            rest /= shape[axis];
            if let Some(extent) = axis.checked_sub(lead).map(|a| operand[a]) {
                index += if extent == 1 { 0 } else { here * stride };
                stride *= extent;
            }
        }
        at.push(index);
    }
    Ok(at)
}

fn folded(n: &OnnxNode, a: &Constant, b: &Constant) -> Result<Made, Refusal> {
    let shape = broadcast(&a.shape, &b.shape)?;
    let (at, bt) = (walk(&shape, &a.shape)?, walk(&shape, &b.shape)?);
    if element(a) != element(b) {
        return Err(Refusal::Malformed(format!("{} of two element types", n.op_type())));
    }
    if element(a) == DataType::Float16 {
        // Whether ONNX Runtime rounds depends on the surrounding casts.
        return unsupported(format!("a {} of constants of half precision", n.op_type()));
    }
    let op = n.op_type();
    let remainder_of_floats = n.int("fmod", 0) != 0;
    let numbers = match (Numbers::of(a), Numbers::of(b)) {
        (Numbers::Integers(x), Numbers::Integers(y)) => {
            let op = match n.string("direction").as_deref() {
                Some("LEFT") => "left",
                Some(_) => "right",
                None => op,
            };
            let pairs = at.iter().zip(&bt).map(|(i, j)| integer(op, remainder_of_floats, x[*i], y[*j]));
            match pairs.collect::<Option<Vec<i64>>>() {
                Some(v) => Numbers::Integers(v),
                None => return unsupported(format!("a {op} of constants divides by zero")),
            }
        }
        (Numbers::Floats(x), Numbers::Floats(y)) => {
            Numbers::Floats(at.iter().zip(&bt).map(|(i, j)| float(op, x[*i], y[*j])).collect())
        }
        _ => return Err(Refusal::Malformed(format!("{op} of two element types"))),
    };
    numbers
        .cast(element(a))
        .map(|data| (shape, data))
        .ok_or_else(|| Refusal::Unsupported("element type".into()))
}

/// Two's complement in the width of the type, to which the result is cut; `None` for a division by zero.
fn integer(op: &str, truncated: bool, x: i64, y: i64) -> Option<i64> {
    Some(match op {
        "Add" | "Sum" => x.wrapping_add(y),
        "Sub" => x.wrapping_sub(y),
        "Mul" => x.wrapping_mul(y),
        "Min" => x.min(y),
        "Max" => x.max(y),
        "BitwiseAnd" => x & y,
        "BitwiseOr" => x | y,
        "BitwiseXor" => x ^ y,
        // For unsigned numbers.
        "left" => x.checked_shl(u32::try_from(y).ok()?).unwrap_or(0),
        "right" => ((x as u64).checked_shr(u32::try_from(y).ok()?).unwrap_or(0)) as i64,
        _ if y == 0 => return None,
        // Towards zero, as ONNX Runtime divides.
        "Div" => x.wrapping_div(y),
        _ if truncated => x.wrapping_rem(y),
        // The sign of a remainder is that of the divisor.
        _ => x.wrapping_rem(y).wrapping_add(y).wrapping_rem(y),
    })
}

fn float(op: &str, x: f64, y: f64) -> f64 {
    match op {
        "Add" | "Sum" => x + y,
        "Sub" => x - y,
        "Mul" => x * y,
        "Div" => x / y,
        "Min" if x.is_nan() || y.is_nan() => f64::NAN,
        "Max" if x.is_nan() || y.is_nan() => f64::NAN,
        "Min" => x.min(y),
        "Max" => x.max(y),
        _ => x % y,
    }
}

fn compared(op: &str, a: &Constant, b: &Constant) -> Result<Made, Refusal> {
    let shape = broadcast(&a.shape, &b.shape)?;
    let (at, bt) = (walk(&shape, &a.shape)?, walk(&shape, &b.shape)?);
    fn pick<T: PartialOrd + PartialEq>(op: &str, x: &T, y: &T) -> bool {
        match op {
            "Greater" => x > y,
            "GreaterOrEqual" => x >= y,
            "Less" => x < y,
            "LessOrEqual" => x <= y,
            _ => x == y,
        }
    }
    let holds: Vec<bool> = match (Numbers::of(a), Numbers::of(b)) {
        (Numbers::Integers(x), Numbers::Integers(y)) => {
            let both = at.iter().zip(&bt).map(|(i, j)| (x[*i], y[*j]));
            match op {
                "And" => both.map(|(x, y)| x != 0 && y != 0).collect(),
                "Or" => both.map(|(x, y)| x != 0 || y != 0).collect(),
                "Xor" => both.map(|(x, y)| (x != 0) != (y != 0)).collect(),
                _ => both.map(|(x, y)| pick(op, &x, &y)).collect(),
            }
        }
        (Numbers::Floats(x), Numbers::Floats(y)) => {
            at.iter().zip(&bt).map(|(i, j)| pick(op, &x[*i], &y[*j])).collect()
        }
        _ => return Err(Refusal::Malformed(format!("{op} of two element types"))),
    };
    Ok((shape, Data::Bool(holds.into_iter().map(u8::from).collect())))
}

fn one(op: &str, c: &Constant) -> Option<Data> {
    let numbers = match (op, Numbers::of(c)) {
        ("Neg", Numbers::Integers(v)) => Numbers::Integers(v.into_iter().map(i64::wrapping_neg).collect()),
        ("Abs", Numbers::Integers(v)) => Numbers::Integers(v.into_iter().map(i64::wrapping_abs).collect()),
        ("BitwiseNot", Numbers::Integers(v)) => Numbers::Integers(v.into_iter().map(|x| !x).collect()),
        ("Sign", Numbers::Integers(v)) => Numbers::Integers(v.into_iter().map(i64::signum).collect()),
        ("Not", Numbers::Integers(v)) => {
            Numbers::Integers(v.into_iter().map(|x| i64::from(x == 0)).collect())
        }
        ("Neg", Numbers::Floats(v)) => Numbers::Floats(v.into_iter().map(|x| -x).collect()),
        ("Abs", Numbers::Floats(v)) => Numbers::Floats(v.into_iter().map(f64::abs).collect()),
        ("Sign", Numbers::Floats(v)) => Numbers::Floats(
            v.into_iter().map(|x| if x == 0.0 || x.is_nan() { x } else { x.signum() }).collect(),
        ),
        _ => return None,
    };
    numbers.cast(element(c))
}

/// Bounds are inputs since opset 11, attributes before.
fn clipped(n: &OnnxNode, inputs: &[&Constant]) -> Result<Made, Refusal> {
    let x = inputs[0];
    // Omitted inputs have empty names; the given ones come in order.
    let mut given = inputs[1..].iter();
    let mut bound = |index: usize| if n.input(index).is_some() { given.next() } else { None };
    let (least, most) = (bound(1), bound(2));
    let numbers = match Numbers::of(x) {
        Numbers::Integers(v) => {
            let number = |c: Option<&&Constant>| c.and_then(|c| c.integers()?.first().copied());
            let (least, most) = (number(least).unwrap_or(i64::MIN), number(most).unwrap_or(i64::MAX));
            Numbers::Integers(v.into_iter().map(|x| x.max(least).min(most)).collect())
        }
        Numbers::Floats(v) => {
            let number = |c: Option<&&Constant>, attribute: &str| match c.map(|c| Numbers::of(c)) {
                Some(Numbers::Floats(v)) => v.first().copied(),
                Some(Numbers::Integers(_)) => None,
                None => n.float(attribute).map(f64::from),
            };
            // The largest number of the type means no bound.
            let limit = if element(x) == DataType::Double { f64::MAX } else { f64::from(f32::MAX) };
            let least = number(least, "min").unwrap_or(-limit);
            let most = number(most, "max").unwrap_or(limit);
            Numbers::Floats(
                v.into_iter().map(|x| if x.is_nan() { x } else { x.max(least).min(most) }).collect(),
            )
        }
    };
    let data = numbers.cast(element(x)).ok_or_else(|| Refusal::Unsupported("element type".into()))?;
    Ok((x.shape.clone(), data))
}

fn chosen(inputs: &[&Constant]) -> Result<Made, Refusal> {
    let &[condition, x, y] = inputs else { return Err(Refusal::Malformed("it has not three inputs".into())) };
    let shape = broadcast(&broadcast(&condition.shape, &x.shape)?, &y.shape)?;
    let (Some(flags), true) = (condition.integers(), element(x) == element(y)) else {
        return Err(Refusal::Malformed("its operands differ in type".into()));
    };
    let [ct, xt, yt] = [&condition.shape, &x.shape, &y.shape].map(|s| walk(&shape, s));
    let (ct, xt, yt) = (ct?, xt?, yt?);
    let pick = |i: usize| flags[ct[i]] != 0;
    let numbers = match (Numbers::of(x), Numbers::of(y)) {
        (Numbers::Integers(a), Numbers::Integers(b)) => {
            Numbers::Integers((0..ct.len()).map(|i| if pick(i) { a[xt[i]] } else { b[yt[i]] }).collect())
        }
        (Numbers::Floats(a), Numbers::Floats(b)) => {
            Numbers::Floats((0..ct.len()).map(|i| if pick(i) { a[xt[i]] } else { b[yt[i]] }).collect())
        }
        _ => return Err(Refusal::Malformed("its operands differ in type".into())),
    };
    let data = numbers.cast(element(x)).ok_or_else(|| Refusal::Unsupported("element type".into()))?;
    Ok((shape, data))
}

/// `Range(start, limit, delta)`: `max(0, ⌈(limit − start) ÷ delta⌉)` elements.
fn range(inputs: &[&Constant]) -> Result<Made, Refusal> {
    let &[start, limit, delta] = inputs else {
        return Err(Refusal::Malformed("it has not three inputs".into()));
    };
    let first = |c: &Constant| match Numbers::of(c) {
        Numbers::Integers(v) if v.len() == 1 => Some((v[0] as f64, v[0])),
        Numbers::Floats(v) if v.len() == 1 => Some((v[0], 0)),
        _ => None,
    };
    let (Some(from), Some(to), Some(step)) = (first(start), first(limit), first(delta)) else {
        return Err(Refusal::Malformed("start, limit and delta are not single numbers".into()));
    };
    let count = ((to.0 - from.0) / step.0).ceil().max(0.0);
    if step.0 == 0.0 || count.is_nan() || count > MOST_ELEMENTS as f64 {
        return unsupported(format!("a range of {count} elements"));
    }
    let count = count as usize;
    let numbers = if start.integers().is_some() {
        Numbers::Integers((0..count as i64).map(|i| from.1.wrapping_add(i.wrapping_mul(step.1))).collect())
    } else {
        Numbers::Floats((0..count).map(|i| from.0 + i as f64 * step.0).collect())
    };
    let data = numbers.cast(element(start)).ok_or_else(|| Refusal::Unsupported("element type".into()))?;
    Ok((vec![count], data))
}

fn filled(n: &OnnxNode, inputs: &[&Constant]) -> Result<Made, Refusal> {
    let Some(extents) = inputs[0].integers() else {
        return Err(Refusal::Malformed("its shape is not of integers".into()));
    };
    let shape: Option<Vec<usize>> = extents.iter().map(|d| usize::try_from(*d).ok()).collect();
    let shape = shape.ok_or_else(|| Refusal::Malformed(format!("its shape is {extents:?}")))?;
    let count = bounded(&shape)?;
    let value = match n.tensor("value") {
        None => Constant { name: String::new(), shape: vec![1], data: Data::F32(vec![0.0]) },
        Some(t) => Constant::read(t).map_err(|e| Refusal::Unsupported(e.to_string()))?,
    };
    if value.data.len() != 1 {
        return Err(Refusal::Malformed("its value is not one number".into()));
    }
    Ok((shape, value.picked(std::iter::repeat_n(0, count))))
}
