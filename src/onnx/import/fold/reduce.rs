//! Reductions of constants over axes: sums, products, extremes, and indices of extremes.

use super::super::super::constant::{Constant, Data};
use super::super::node::OnnxNode;
use super::super::value::{Refusal, unsupported};
use super::arithmetic::Made;
use super::convert::{Numbers, element};

/// The result of a node; `None` if it is neither a reduction of integers nor ArgMax or ArgMin.
pub(super) fn computed(n: &OnnxNode, opset: i64, inputs: &[&Constant]) -> Result<Option<Made>, Refusal> {
    let x = inputs[0];
    let op = n.op_type();
    let position = matches!(op, "ArgMax" | "ArgMin");
    let integers = x.integers().is_some();
    let reduces = matches!(
        op,
        "ReduceSum"
            | "ReduceProd"
            | "ReduceMax"
            | "ReduceMin"
            | "ReduceL1"
            | "ReduceSumSquare"
            | "ReduceMean"
    );
    if !(position || reduces && integers) {
        return Ok(None);
    }
    let rank = x.shape.len();
    let axis = |a: i64| match if a < 0 { a + rank as i64 } else { a } {
        a if (0..rank as i64).contains(&a) => Ok(a as usize),
        _ => Err(Refusal::Malformed(format!("axis {a} of rank {rank}"))),
    };
    let mut axes: Vec<usize> = if position {
        vec![axis(n.int("axis", 0))?]
    } else {
        // An input since opset 13 for sums, since 18 for the others.
        let list = n.ints("axes").map(<[i64]>::to_vec).or_else(|| inputs.get(1)?.integers());
        list.unwrap_or_default().into_iter().map(axis).collect::<Result<_, _>>()?
    };
    if axes.is_empty() {
        if n.flag("noop_with_empty_axes", false) && opset >= 13 {
            return Ok(Some((x.shape.clone(), x.data.clone())));
        }
        axes = (0..rank).collect();
    }
    let kept: Vec<usize> = (0..rank).filter(|a| !axes.contains(a)).collect();
    let keep = n.flag("keepdims", true);
    let shape: Vec<usize> = if keep {
        (0..rank).map(|a| if axes.contains(&a) { 1 } else { x.shape[a] }).collect()
    } else {
        kept.iter().map(|a| x.shape[*a]).collect()
    };
    let groups: usize = kept.iter().map(|a| x.shape[*a]).product();
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); groups];
    for i in 0..x.shape.iter().product() {
        let (mut rest, mut group, mut stride) = (i, 0, 1);
        for a in (0..rank).rev() {
            let here = rest % x.shape[a];
            rest /= x.shape[a];
            if kept.contains(&a) {
                group += here * stride;
                stride *= x.shape[a];
            }
        }
        rows[group].push(i);
    }
    if rows.iter().any(Vec::is_empty) {
        return unsupported(format!("a {op} of nothing"));
    }
    let numbers = Numbers::of(x);
    if position {
        let last = n.int("select_last_index", 0) != 0;
        let better = |a: usize, b: usize| {
            let order = match &numbers {
                Numbers::Integers(v) => v[a].cmp(&v[b]),
                // Zeros are equal, and NaN has no order.
                Numbers::Floats(v) => v[a].partial_cmp(&v[b]).unwrap_or(std::cmp::Ordering::Equal),
            };
            let order = if op == "ArgMin" { order.reverse() } else { order };
            order.is_gt() || last && order.is_eq()
        };
        let best = |row: &Vec<usize>| {
            let found = (1..row.len()).fold(0, |best, k| if better(row[k], row[best]) { k } else { best });
            found as i64
        };
        return Ok(Some((shape, Data::S64(rows.iter().map(best).collect()))));
    }
    let Numbers::Integers(v) = numbers else { return Ok(None) };
    let term = |i: usize| match op {
        "ReduceL1" => v[i].wrapping_abs(),
        "ReduceSumSquare" => v[i].wrapping_mul(v[i]),
        _ => v[i],
    };
    let fold = |row: &Vec<usize>| {
        let sum = row[1..].iter().fold(term(row[0]), |so_far, i| match op {
            "ReduceSum" | "ReduceL1" | "ReduceSumSquare" | "ReduceMean" => so_far.wrapping_add(term(*i)),
            "ReduceProd" => so_far.wrapping_mul(v[*i]),
            "ReduceMax" => so_far.max(v[*i]),
            _ => so_far.min(v[*i]),
        });
        // Towards zero, as ONNX Runtime divides.
        if op == "ReduceMean" { sum / row.len() as i64 } else { sum }
    };
    let made = Numbers::Integers(rows.iter().map(fold).collect());
    Ok(made.cast(element(x)).map(|data| (shape, data)))
}
