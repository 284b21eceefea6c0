//! `.npy` and `.npz`: an array that is read can be written, and reads back the same.

use rcar_iss::internals::tensor_file::{Element, Npz, TensorData, TensorFileError, parse, to_npy, to_npz};

use super::super::{Proof, Reached};
use super::said;

pub(crate) fn prove(bytes: &[u8]) -> Proof {
    if !Npz::is_npz(bytes) {
        return one(parse(bytes)).map(|read| if read.is_some() { Reached::Read } else { Reached::Refused });
    }
    let mut archive = match Npz::open(bytes.to_vec()) {
        Ok(archive) => archive,
        Err(e) => return said(&e.to_string()).map(|()| Reached::Refused),
    };
    let mut all = Vec::new();
    for name in archive.names().into_iter().take(8) {
        if let Some(tensor) = one(archive.array(&name))? {
            all.push((name, tensor));
        }
    }
    let Some((name, tensor)) = all.first() else { return Ok(Reached::Refused) };
    let packed =
        to_npz([(name.as_str(), tensor)]).map_err(|e| format!("array {name:?} cannot be packed: {e}"))?;
    let mut again =
        Npz::open(packed).map_err(|e| format!("array {name:?}, packed, cannot be opened: {e}"))?;
    match again.array(name) {
        Ok(found) if found == *tensor => Ok(Reached::Read),
        Ok(_) => Err(format!("array {name:?} is another one when it is packed")),
        Err(e) => Err(format!("array {name:?}, packed, cannot be read: {e}")),
    }
}

fn one(read: Result<TensorData, TensorFileError>) -> Result<Option<TensorData>, String> {
    let tensor = match read {
        Ok(tensor) => tensor,
        Err(e) => return said(&e.to_string()).map(|()| None),
    };
    if tensor.bytes.len() != tensor.shape.iter().product::<usize>() * tensor.element.bytes() {
        return Err(format!("{} bytes fill {:?}", tensor.bytes.len(), tensor.shape));
    }
    let written = to_npy(&tensor).map_err(|e| format!("an array that was read cannot be written: {e}"))?;
    match parse(&written) {
        Ok(again) if again == tensor => {}
        Ok(_) => return Err("the array that was written is another one".into()),
        Err(e) => return Err(format!("the array that was written cannot be read: {e}")),
    }
    for element in [Element::F32, Element::U8, Element::S64] {
        if let Err(e) = tensor.clone().to(element) {
            said(&e.to_string())?;
        }
    }
    Ok(Some(tensor))
}
