//! Assignment of the given files to inputs.

use std::path::{Path, PathBuf};

use super::error::{FileFault, InputError};
use super::folder;
use super::ports::Port;
use crate::files::Reader;
use crate::tensor_file::{Npz, file_name};

/// An argument `[NAME=]PATH` of an input: the path, and the files below it for this input.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) given: PathBuf,
    pub(super) files: Vec<PathBuf>,
}

/// The sources of every input, in the order of `ports`. Folders are expanded. A file without a name is for
/// the only input, or for the one whose name it, or an array in it, has.
pub(super) fn sources(
    ports: &[Port],
    given: &[String],
    reader: &Reader,
) -> Result<Vec<Vec<Source>>, InputError> {
    let mut found: Vec<Vec<Source>> = ports.iter().map(|_| Vec::new()).collect();
    for given in given {
        let (only, path) = split(ports, given)?;
        let folder = path.is_dir();
        let files = if folder { folder::members(&path, reader)? } else { vec![path.clone()] };
        if let Some(only) = only {
            found[only].push(Source { given: path, files });
            continue;
        }
        let mut of_each: Vec<Vec<PathBuf>> = ports.iter().map(|_| Vec::new()).collect();
        let mut nobody = None;
        for file in files {
            match owners(ports, &file, given, reader) {
                Ok(owners) => owners.into_iter().for_each(|at| of_each[at].push(file.clone())),
                // A folder may contain other files than inputs, such as outputs of the network.
                Err(error @ InputError::Ambiguous { .. }) if folder => {
                    tracing::info!(file = %file.display(), "called like no input, passed over");
                    nobody = nobody.or(Some(error));
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(error) = nobody.filter(|_| of_each.iter().all(Vec::is_empty)) {
            return Err(error);
        }
        for (sources, files) in found.iter_mut().zip(of_each).filter(|(_, files)| !files.is_empty()) {
            sources.push(Source { given: path.clone(), files });
        }
    }
    Ok(found)
}

fn names(ports: &[Port]) -> Vec<String> {
    ports.iter().map(|p| p.tensor.name.clone()).collect()
}

/// The index of the input that is named; `None` if the file must determine it.
fn split(ports: &[Port], given: &str) -> Result<(Option<usize>, PathBuf), InputError> {
    // Names may contain '=' too: the longest name that fits counts.
    let named = ports.iter().enumerate().filter_map(|(at, p)| {
        let name = p.tensor.name.as_str();
        Some((at, name, given.strip_prefix(name)?.strip_prefix('=')?))
    });
    let path = PathBuf::from(given);
    match named.max_by_key(|(_, name, _)| name.len()) {
        Some((_, _, "")) => return Err(InputError::NoFile { given: given.into() }),
        Some((at, _, file)) => return Ok((Some(at), file.into())),
        None => {}
    }
    match (ports, given.split_once('=')) {
        ([], _) => Err(InputError::NoInputs { given: given.into() }),
        (_, Some((name, _))) if !path.exists() => {
            Err(InputError::NoSuchInput { given: given.into(), name: name.into(), inputs: names(ports) })
        }
        ([_], _) => Ok((Some(0), path)),
        _ => Ok((None, path)),
    }
}

/// The inputs of a file without a name: for an archive those whose arrays it holds, for an array the one with
/// the file's name.
fn owners(ports: &[Port], file: &Path, given: &str, reader: &Reader) -> Result<Vec<usize>, InputError> {
    let of = |is: &dyn Fn(&str) -> bool| ports.iter().position(|p| is(&p.tensor.name));
    let named = |name: &str| of(&|input| input == name).or_else(|| of(&|input| file_name(input) == name));
    let found: Vec<usize> = if Npz::is_npz(&reader.head(file, 4)?) {
        let archive = Npz::open(reader.read(file)?).map_err(|e| InputError::array(file, e))?;
        let held = archive.names();
        let found: Vec<usize> = held.iter().filter_map(|name| named(name)).collect();
        if found.is_empty() {
            return Err(InputError::of(file, FileFault::Strange { held, inputs: names(ports) }));
        }
        found
    } else {
        file.file_stem().and_then(|stem| named(&stem.to_string_lossy())).into_iter().collect()
    };
    if found.is_empty() {
        return Err(InputError::Ambiguous { given: given.into(), path: file.into(), inputs: names(ports) });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Pictures;
    use crate::program::TensorEntry;

    fn port(name: &str) -> Port {
        let tensor = TensorEntry { name: name.into(), shape: vec![1], ..TensorEntry::default() };
        Port { tensor, pictures: Pictures::default(), model: None }
    }

    #[test]
    fn the_name_is_optional_with_one_input() {
        let (one, two) = ([port("x")], [port("x"), port("left")]);
        assert_eq!(split(&one, "a.npy").unwrap(), (Some(0), "a.npy".into()));
        assert_eq!(split(&one, "x=a.npy").unwrap(), (Some(0), "a.npy".into()));
        assert_eq!(split(&two, "a.npy").unwrap(), (None, "a.npy".into()));
        assert!(matches!(split(&one, "z=a.npy"), Err(InputError::NoSuchInput { name, .. }) if name == "z"));
        assert!(matches!(split(&two, "lefft=a.npy"), Err(InputError::NoSuchInput { .. })));
        assert!(matches!(split(&one, "x="), Err(InputError::NoFile { .. })));
        assert!(matches!(split(&[], "a.npy"), Err(InputError::NoInputs { .. })));
    }
}
