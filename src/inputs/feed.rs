//! Samples for all inputs of a network, from files or from arrays in memory.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::choice::{self, Source};
use super::content::{self, Content};
use super::error::InputError;
use super::finite::NotFinite;
use super::ports::{Held, Port, Ports};
use super::samples::{Sample, Samples};
use crate::dtype::DType;
use crate::files::{self, Reader};
use crate::program::{Preprocess, TensorEntry};
use crate::tensor_file::TensorData;

/// When files are read. Their kinds are determined, and arrays are checked, at once in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// All of them now; the values stay in memory.
    AtOnce,
    /// Files with one sample are read whenever the sample is requested.
    WhenNeeded,
}

/// Where the values of a sample are.
#[derive(Debug, Clone)]
enum Stored {
    /// In a file that holds one sample.
    File(PathBuf),
    /// In memory, with the others of its file.
    Values { samples: Arc<Vec<Vec<u8>>>, at: usize },
}

/// An input and its samples.
#[derive(Debug, Clone)]
struct Given {
    port: Port,
    /// A single entry serves all samples.
    stored: Vec<Stored>,
    /// Names of the samples: the file, with the index in a stack.
    names: Vec<String>,
    held: Held,
    /// Description of the source.
    from: String,
}

/// Samples for all inputs of a network.
#[derive(Debug, Clone)]
pub struct Feed {
    inputs: Vec<Given>,
    count: usize,
    /// Number of samples before a limit.
    given: usize,
    reader: Reader,
}

impl Feed {
    /// The samples of files and folders, each given as `[NAME=]PATH`.
    ///
    /// # Errors
    /// A file cannot be read or does not fit, an input has no samples, or inputs differ in number of samples.
    pub fn open(
        ports: Ports,
        given: &[String],
        reading: Reading,
        reader: &Reader,
    ) -> Result<Feed, InputError> {
        let sources = choice::sources(&ports.0, given, reader)?;
        let one = |(port, sources): (Port, Vec<Source>)| {
            if sources.is_empty() {
                return Err(InputError::Missing { takes: port.takes(), input: port.tensor.name });
            }
            let mut given = Given::nothing(port);
            let mut from = Vec::new();
            for source in sources {
                let before = given.stored.len();
                source.files.iter().try_for_each(|file| given.file(file, reading, reader))?;
                let read = given.stored.len() - before;
                from.push(if read == 1 {
                    source.given.display().to_string()
                } else {
                    format!("{} ({read} inputs)", source.given.display())
                });
            }
            given.from = from.join(", ");
            Ok(given)
        };
        let inputs = ports.0.into_iter().zip(sources).map(one).collect::<Result<_, _>>()?;
        Feed::of(inputs, reader)
    }

    /// Samples from arrays in memory, by the names of the inputs; arrays may be stacked, and pixels are
    /// normalized.
    ///
    /// # Errors
    /// An array does not fit, is for no input, an input has none, or inputs differ in number of samples.
    pub fn of_arrays(ports: Ports, arrays: Vec<(String, TensorData)>) -> Result<Feed, InputError> {
        let mut inputs: Vec<Given> = ports.0.into_iter().map(Given::nothing).collect();
        for (name, array) in arrays {
            let Some(at) = inputs.iter().position(|i| i.port.tensor.name == name) else {
                let inputs = inputs.iter().map(|i| i.port.tensor.name.clone()).collect();
                return Err(InputError::NoSuchInput { given: name.clone(), name, inputs });
            };
            inputs[at].array(Path::new(&name), array)?;
            inputs[at].from.clone_from(&name);
        }
        match inputs.iter().find(|i| i.stored.is_empty()) {
            Some(i) => Err(InputError::Missing { input: i.port.tensor.name.clone(), takes: i.port.takes() }),
            None => Feed::of(inputs, &Reader::new()),
        }
    }

    fn of(inputs: Vec<Given>, reader: &Reader) -> Result<Feed, InputError> {
        let count = inputs.iter().map(|i| i.stored.len()).max().unwrap_or(1);
        if let Some(odd) = inputs.iter().find(|i| i.stored.len() != 1 && i.stored.len() != count) {
            let (input, found) = (odd.port.tensor.name.clone(), odd.stored.len());
            return Err(InputError::Uneven { input, count: found, others: count });
        }
        Ok(Feed { inputs, count, given: count, reader: reader.clone() })
    }

    /// Keeps only the first `limit` samples.
    #[must_use]
    pub fn limited(mut self, limit: Option<usize>) -> Feed {
        self.count = self.count.min(limit.unwrap_or(self.count));
        self
    }

    /// How many samples were given, including those beyond the limit.
    #[must_use]
    pub fn given(&self) -> usize {
        self.given
    }

    /// The inputs of the network, and the kinds of their samples.
    pub fn held(&self) -> impl Iterator<Item = (&TensorEntry, Held)> {
        self.inputs.iter().map(|i| (&i.port.tensor, i.held))
    }

    /// The inputs by name, and the sources of their samples.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.inputs.iter().map(|i| (i.port.tensor.name.as_str(), i.from.as_str()))
    }

    /// The names of the samples.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        (0..self.count).map(|at| self.name(at)).collect()
    }

    /// The preprocessing of pictures, by input.
    pub fn preprocess(&self) -> impl Iterator<Item = (&str, &Preprocess)> {
        self.inputs
            .iter()
            .filter_map(|i| Some((i.port.tensor.name.as_str(), i.port.tensor.preprocess.as_ref()?)))
    }

    /// The inputs that contain NaN or infinities, sample by sample; one that serves all samples is listed
    /// once.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn not_finite(&self) -> Result<Vec<NotFinite>, InputError> {
        let mut found = Vec::new();
        for at in 0..self.count {
            for input in self.inputs.iter().filter(|i| i.port.tensor.dtype == DType::F32) {
                if at == 0 || input.stored.len() > 1 {
                    let bytes = input.bytes(at, &self.reader)?;
                    found.extend(NotFinite::within(&input.port.tensor.name, &bytes, || input.name(at)));
                }
            }
        }
        Ok(found)
    }
}

impl Samples for Feed {
    fn count(&self) -> usize {
        self.count
    }

    /// The name of sample `at`: the file, with its index in a stack.
    fn name(&self, at: usize) -> String {
        let varying = self.inputs.iter().find(|i| i.stored.len() > 1).or(self.inputs.first());
        varying.and_then(|i| i.names.get(at)).cloned().unwrap_or_else(|| at.to_string())
    }

    fn read(&self, at: usize) -> Result<Sample, InputError> {
        if at >= self.count {
            return Err(InputError::NoSample { at, count: self.count });
        }
        let one = |input: &Given| {
            let tensor = &input.port.tensor;
            let shape = tensor.shape.iter().map(|d| *d as usize).collect();
            let bytes = input.bytes(at, &self.reader)?.into_owned();
            Ok((tensor.name.clone(), TensorData { element: tensor.dtype.into(), shape, bytes }))
        };
        self.inputs.iter().map(one).collect()
    }
}

impl Given {
    fn nothing(port: Port) -> Given {
        let (stored, names, from) = (Vec::new(), Vec::new(), String::new());
        Given { port, stored, names, held: Held::default(), from }
    }

    /// Appends the samples of a file.
    fn file(&mut self, path: &Path, reading: Reading, reader: &Reader) -> Result<(), InputError> {
        match content::of(path, &self.port, reader)? {
            Content::Array(array) => {
                let whole = self.array(path, array)?;
                if whole && reading == Reading::WhenNeeded {
                    self.stored.pop();
                    self.stored.push(Stored::File(path.into()));
                }
            }
            Content::Picture(bytes) => {
                self.held.pictures = true;
                let stored = match reading {
                    Reading::AtOnce => {
                        let samples = Arc::new(vec![self.port.values(path, &bytes, reader)?]);
                        Stored::Values { samples, at: 0 }
                    }
                    Reading::WhenNeeded => {
                        // Errors common to all pictures are reported before the first is decoded.
                        self.port.takes_picture(path, reader)?;
                        Stored::File(path.into())
                    }
                };
                self.stored.push(stored);
                self.names.push(called(path));
            }
        }
        Ok(())
    }

    /// Appends the samples of an array; returns whether it is a single one.
    fn array(&mut self, path: &Path, array: TensorData) -> Result<bool, InputError> {
        self.held.pixels |= self.port.takes_pixels(&array);
        let samples = Arc::new(self.port.cut(path, array)?);
        let (name, count) = (called(path), samples.len());
        self.stored.extend((0..count).map(|at| Stored::Values { samples: Arc::clone(&samples), at }));
        if count == 1 {
            self.names.push(name);
        } else {
            self.names.extend((0..count).map(|at| format!("{name}[{at}]")));
        }
        Ok(count == 1)
    }

    /// Index of a sample among the stored values.
    fn place(&self, at: usize) -> usize {
        if self.stored.len() == 1 { 0 } else { at }
    }

    fn name(&self, at: usize) -> String {
        self.names.get(self.place(at)).cloned().unwrap_or_else(|| at.to_string())
    }

    fn bytes(&self, at: usize, reader: &Reader) -> Result<Cow<'_, [u8]>, InputError> {
        match self.stored.get(self.place(at)) {
            Some(Stored::Values { samples, at }) => {
                Ok(Cow::Borrowed(samples.get(*at).map_or(&[], Vec::as_slice)))
            }
            Some(Stored::File(path)) => Ok(Cow::Owned(match content::of(path, &self.port, reader)? {
                Content::Picture(bytes) => self.port.values(path, &bytes, reader)?,
                // The file may have changed.
                Content::Array(array) => self.port.cut(path, array)?.swap_remove(0),
            })),
            None => Err(InputError::NoSample { at, count: self.stored.len() }),
        }
    }
}

/// The name of a file in reports.
fn called(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    if files::is_stdin(path) { "stdin".into() } else { name.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Pictures;
    use crate::program::{Meta, Role};
    use crate::tensor_file::{self, Element};

    fn ports(names: &[&str]) -> Ports {
        let entry = |name: &&str| TensorEntry {
            name: (*name).into(),
            role: Role::Input,
            dtype: DType::F32,
            shape: vec![1, 2],
            ..TensorEntry::default()
        };
        let meta = Meta { tensors: names.iter().map(entry).collect(), ..Meta::default() };
        Ports::of_program(&meta, &Pictures::default(), None)
    }

    fn array(values: &[f32]) -> TensorData {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        TensorData { element: Element::F32, shape: vec![values.len() / 2, 2], bytes }
    }

    #[test]
    fn a_single_value_serves_all_samples() {
        let given = vec![("b".into(), array(&[1.0, 2.0])), ("a".into(), array(&[1.0, 2.0, 3.0, f32::NAN]))];
        let feed = Feed::of_arrays(ports(&["a", "b"]), given).unwrap();
        assert_eq!((feed.count(), feed.names()), (2, vec!["a[0]".to_string(), "a[1]".into()]));
        let second = feed.read(1).unwrap();
        assert_eq!(second[0].1.bytes[..4], 3.0_f32.to_le_bytes());
        assert_eq!(second[1], ("b".to_string(), array(&[1.0, 2.0])));
        let odd = feed.not_finite().unwrap();
        assert_eq!((odd.len(), odd[0].label.as_str(), odd[0].nan), (1, "a[1]", 1));
        assert!(matches!(feed.read(2), Err(InputError::NoSample { at: 2, count: 2 })));
        assert_eq!((feed.clone().limited(Some(1)).count(), feed.limited(Some(1)).given()), (1, 2));
    }

    #[test]
    fn arrays_that_are_missing_strange_or_uneven_are_refused() {
        let of = |given: &[(&str, usize)]| {
            let arrays = given.iter().map(|(name, n)| ((*name).into(), array(&vec![0.0; 2 * n]))).collect();
            Feed::of_arrays(ports(&["a", "b"]), arrays).map(|_| ())
        };
        assert!(matches!(of(&[("a", 1)]), Err(InputError::Missing { input, .. }) if input == "b"));
        assert!(matches!(of(&[("c", 1)]), Err(InputError::NoSuchInput { name, .. }) if name == "c"));
        assert!(matches!(of(&[("a", 2), ("b", 3)]), Err(InputError::Uneven { count: 2, others: 3, .. })));
    }

    #[test]
    fn files_are_read_when_they_are_needed_or_at_once() {
        let path = std::env::temp_dir().join(format!("rcar-iss-feed-{}.npy", std::process::id()));
        let given = [path.display().to_string()];
        let write = |values: &[f32]| tensor_file::write(&path, &array(values)).unwrap();
        write(&[1.0, 2.0]);
        let [now, later] = [Reading::AtOnce, Reading::WhenNeeded]
            .map(|reading| Feed::open(ports(&["a"]), &given, reading, &Reader::new()).unwrap());
        write(&[3.0, 4.0]);
        assert_eq!(now.read(0).unwrap()[0].1, array(&[1.0, 2.0]));
        assert_eq!(later.read(0).unwrap()[0].1, array(&[3.0, 4.0]));
        std::fs::remove_file(&path).unwrap();
        assert!(now.read(0).is_ok() && matches!(later.read(0), Err(InputError::File(_))));
    }
}
