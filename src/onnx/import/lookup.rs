//! Gather by indices that are known only when the program runs: rows of a constant table, such as the vectors
//! of tokens.

use std::rc::Rc;

use super::super::constant::Constant;
use super::expr::Expr;
use super::importer::Importer;
use super::movement::axis;
use super::node::OnnxNode;
use super::value::{Real, Refusal, Value, unsupported};
use crate::graph::{DType, Op, Quant, Tensor, TensorId};
use crate::isa::limits::{MAX_ELEMENTS, MAX_EXTENT};

/// A Gather of a constant table. What has no form on the accelerator runs on the host.
pub(super) fn lookup<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let (table, quant, node) = match importer.value(n, 0)? {
        Value::Constant(c) => (Rc::clone(c), None, None),
        Value::ConstantReal(c) => match c.quant() {
            Some(quant) => (Rc::clone(&c.constant), Some(quant), Some(c.node)),
            None => return unsupported("a table with a scale for each row or column, by computed indices"),
        },
        _ => return unsupported("rows of a computed tensor, by computed indices"),
    };
    let dtype = table.dtype();
    if !matches!(dtype, DType::U8 | DType::S8 | DType::U16 | DType::S16) || table.folding_only().is_some() {
        return unsupported("its table is not quantized to 8 or 16 bits, and its indices are computed");
    }
    let at = axis(n.int("axis", 0), table.shape.len())?;
    let Some((rows, columns)) = rows(&table.shape, at) else {
        return unsupported(format!("computed indices along axis {at} of {:?}", table.shape));
    };
    let ids = ids(importer, n)?;
    let outer = importer.graph.tensor(ids).shape.clone();
    if outer.len() == 3 {
        return unsupported("computed indices of three axes");
    }
    let table_id = if table.shape == [rows, columns] {
        importer.constant_tensor(&table, quant)?
    } else {
        importer.constant_tensor(&Constant { shape: vec![rows, columns], ..(*table).clone() }, quant)?
    };
    let chosen: Vec<usize> = outer.iter().copied().chain([columns]).collect();
    let mut shape = table.shape[..at].to_vec();
    shape.extend(&outer);
    shape.extend(&table.shape[at + 1..]);
    let nodes: Vec<usize> = node.into_iter().collect();
    let result = rows_by_ids(importer, n, [table_id, ids], (dtype, quant), [&chosen, &shape], &nodes)?;
    Ok(match quant {
        None => Value::Tensor(result),
        Some(_) => Value::Real(Real { expr: Expr::Tensor(result), shape, nodes: Vec::new(), unnamed: true }),
    })
}

/// The layer that copies the rows, and one that gives them the shape of the result.
fn rows_by_ids<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
    inputs: [TensorId; 2],
    (dtype, quant): (DType, Option<Quant>),
    [chosen, shape]: [&[usize]; 2],
    nodes: &[usize],
) -> Result<TensorId, Refusal> {
    let name = n.result()?;
    let tensor = |name: String, shape: &[usize]| Tensor { name, shape: shape.to_vec(), dtype, quant };
    if chosen == shape {
        return Ok(importer.layer(n.index, Op::Gather, inputs.to_vec(), tensor(name.into(), shape), nodes));
    }
    let rows = tensor(format!("{name}.rows"), chosen);
    let rows = importer.layer(n.index, Op::Gather, inputs.to_vec(), rows, nodes);
    Ok(importer.layer(n.index, Op::Reshape, vec![rows], tensor(name.into(), shape), &[]))
}

/// A table as rows and columns: nothing but extents of 1 lies before its axis.
fn rows(shape: &[usize], at: usize) -> Option<(usize, usize)> {
    let rows = *shape.get(at)?;
    let columns = shape[at + 1..].iter().try_fold(1_usize, |n, d| n.checked_mul(*d))?;
    let most = MAX_EXTENT as usize;
    let fits = rows <= most && columns <= most && (rows as u64).checked_mul(columns as u64)? <= MAX_ELEMENTS;
    (fits && rows > 0 && columns > 0 && shape[..at].iter().all(|d| *d == 1)).then_some((rows, columns))
}

/// The indices as a tensor of integers: an input of the network, or what the host computes.
fn ids<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<TensorId, Refusal> {
    let id = match importer.value(n, 1)? {
        Value::Tensor(id) => *id,
        Value::Host => importer.host_tensor(n.input(1).unwrap_or(""))?,
        _ => return unsupported("its indices are no integers"),
    };
    match importer.graph.tensor(id).dtype {
        DType::S32 | DType::S64 => Ok(id),
        other => unsupported(format!("its indices are {}", other.name())),
    }
}
