//! Consistency of the tables with each other and with the code. Reasons are sentences that name the entry.

use std::collections::BTreeSet;

use super::super::{HostEntry, HostTensor, Meta, Place, PlaceMemory, Preprocess, Program, Role, TensorEntry};
use crate::isa::limits::{MAX_DRAM, MAX_SPM};

/// Largest rank of a tensor.
const MAX_RANK: usize = 16;

type Checked = Result<(), String>;

pub(super) fn check(program: &Program) -> Checked {
    let meta = &program.meta;
    let writable = program.writable_base();
    if meta.dram_bytes < program.constants.len() as u64 {
        return Err(format!(
            "dram_bytes = {} is less than the {} bytes of constants",
            meta.dram_bytes,
            program.constants.len()
        ));
    }
    if meta.dram_bytes > MAX_DRAM {
        return Err(format!(
            "dram_bytes = {} is more than the {MAX_DRAM} of the largest machine",
            meta.dram_bytes
        ));
    }
    layers(meta)?;
    provenance(meta, program.code.len())?;
    let mut names = BTreeSet::new();
    for tensor in &meta.tensors {
        if !names.insert(tensor.name.as_str()) {
            return Err(format!("two tensors are named '{}'", tensor.name));
        }
        tensor_entry(meta, tensor, writable).map_err(|e| format!("tensor '{}': {e}", tensor.name))?;
    }
    if meta.hosts.len() != program.host_models.len() {
        return Err(format!("{} host layers, but {} models", meta.hosts.len(), program.host_models.len()));
    }
    for (index, host) in meta.hosts.iter().enumerate() {
        host_entry(meta, host, writable).map_err(|e| format!("host layer {index}: {e}"))?;
    }
    Ok(())
}

fn layers(meta: &Meta) -> Checked {
    let mut names = BTreeSet::new();
    match meta.layers.iter().find(|l| !names.insert(l.name.as_str())) {
        Some(twice) => Err(format!("two layers are named '{}'", twice.name)),
        None => Ok(()),
    }
}

fn provenance(meta: &Meta, words: usize) -> Checked {
    let mut from = 0;
    for range in &meta.provenance {
        let what = format!("provenance [{}, {}) of layer {}", range.start, range.end, range.layer);
        if range.layer as usize >= meta.layers.len() {
            return Err(format!("{what}: there are {} layers", meta.layers.len()));
        }
        if range.start < from || range.end <= range.start {
            return Err(format!("{what}: ranges must ascend and not be empty"));
        }
        if range.end as usize > words {
            return Err(format!("{what}: the code has {words} instructions"));
        }
        from = range.end;
    }
    Ok(())
}

/// Number of elements; every extent at least 1.
fn elements(shape: &[u64]) -> Result<u64, String> {
    if shape.len() > MAX_RANK {
        return Err(format!("rank {} (at most {MAX_RANK})", shape.len()));
    }
    if shape.contains(&0) {
        return Err(format!("shape {shape:?} holds a zero"));
    }
    shape.iter().try_fold(1_u64, |n, d| n.checked_mul(*d)).ok_or(format!("shape {shape:?} is too large"))
}

fn tensor_entry(meta: &Meta, tensor: &TensorEntry, writable: u64) -> Checked {
    let bytes = tensor.dtype.bytes() as u64;
    let count = elements(&tensor.shape)?;
    if elements(&tensor.place.dims)? != count {
        return Err(format!("place {:?} and shape {:?} differ in elements", tensor.place.dims, tensor.shape));
    }
    // With strides of zero, a few bytes could be a huge tensor.
    let memory = if tensor.place.memory == PlaceMemory::Spm { MAX_SPM } else { meta.dram_bytes };
    if count.checked_mul(bytes).is_none_or(|n| n > memory) {
        return Err(format!("{count} elements do not fit {memory} bytes of memory"));
    }
    let (low, high) = extent(&tensor.place, bytes)?;
    if tensor.place.memory == PlaceMemory::Spm {
        if tensor.role != Role::Layer {
            return Err("inputs and outputs lie in DRAM".into());
        }
        if low < 0 || high > i128::from(MAX_SPM) {
            return Err(format!("bytes [{low}, {high}) lie outside every scratchpad"));
        }
    } else if low < i128::from(writable) || high > i128::from(meta.dram_bytes) {
        return Err(format!(
            "bytes [{low}, {high}) lie outside the writable DRAM [{writable}, {})",
            meta.dram_bytes
        ));
    }
    if tensor.scale.is_some_and(|s| !(s.is_finite() && s > 0.0)) {
        return Err("its scale is not a positive finite number".into());
    }
    match tensor.layer {
        Some(layer) if layer as usize >= meta.layers.len() => {
            return Err(format!("layer {layer}, but there are {}", meta.layers.len()));
        }
        None if tensor.role != Role::Input => {
            return Err("belongs to no layer, but is no input".into());
        }
        _ => {}
    }
    tensor.preprocess.as_ref().map_or(Ok(()), |p| preprocess(p, &tensor.shape))
}

/// First and one past the last byte touched.
fn extent(place: &Place, bytes: u64) -> Result<(i128, i128), String> {
    if place.strides.len() != place.dims.len() {
        return Err(format!("{} extents, but {} strides", place.dims.len(), place.strides.len()));
    }
    let mut low = i128::from(place.address);
    let mut high = low;
    for (dim, stride) in place.dims.iter().zip(&place.strides) {
        let reach = i128::from(*dim - 1).saturating_mul(i128::from(*stride));
        let end = if reach < 0 { &mut low } else { &mut high };
        *end = end.saturating_add(reach);
    }
    Ok((low, high.saturating_add(i128::from(bytes))))
}

fn preprocess(p: &Preprocess, shape: &[u64]) -> Checked {
    let [_, channels, _, _] = shape else {
        return Err(format!("preprocessing needs shape [N, C, H, W], not {shape:?}"));
    };
    for (what, values) in [("mean", &p.mean), ("std", &p.std)] {
        if values.len() != 1 && values.len() as u64 != *channels {
            return Err(format!("{} values of {what} for {channels} channels", values.len()));
        }
        if values.iter().any(|v| !v.is_finite()) || (what == "std" && values.contains(&0.0)) {
            return Err(format!("{what} must be finite, and std not zero"));
        }
    }
    if p.resize == Some(0) { Err("resize = 0".into()) } else { Ok(()) }
}

fn host_entry(meta: &Meta, host: &HostEntry, writable: u64) -> Checked {
    match meta.layers.get(host.layer as usize) {
        Some(layer) if layer.host => {}
        Some(layer) => return Err(format!("its layer '{}' is not marked as host", layer.name)),
        None => return Err(format!("layer {}, but there are {}", host.layer, meta.layers.len())),
    }
    for tensor in host.inputs.iter().chain(&host.outputs) {
        host_tensor(meta, tensor, writable).map_err(|e| format!("tensor '{}': {e}", tensor.name))?;
    }
    Ok(())
}

fn host_tensor(meta: &Meta, tensor: &HostTensor, writable: u64) -> Checked {
    let bytes = elements(&tensor.shape)?
        .checked_mul(tensor.dtype.bytes() as u64)
        .and_then(|n| tensor.address.checked_add(n));
    match bytes {
        Some(end) if tensor.address >= writable && end <= meta.dram_bytes => Ok(()),
        _ => Err(format!("lies outside the writable DRAM [{writable}, {})", meta.dram_bytes)),
    }
}
