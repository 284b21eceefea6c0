//! The task of a search.

use prost::Message;

use super::TuneError;
use super::measure::Candidate;
use super::tuned::Tuned;
use crate::compiler::CompileOptions;
use crate::files;
use crate::float::Engine;
use crate::inputs::Sample;
use crate::machine::Machine;
use crate::onnx::ImportOptions;
use crate::quantize::{Calibrated, Method, Settings, Written};

/// Calibration methods that tensors in 8 bits can use, beside the default one.
const METHODS: [Method; 4] =
    [Method::MinMax, Method::Percentile(99.99), Method::Percentile(99.999), Method::Mse];

/// The required accuracy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// 20 dB more than everything in 8 bits, or 1 dB less than everything in 16, whichever is less.
    Default,
    /// Signal-to-noise ratio at the outputs, in dB.
    Sqnr(f64),
    /// Share of labelled inputs that are classified correctly.
    Top1(f64),
}

/// A search for the fewest items in 16 bits.
///
/// ```no_run
/// # use rcar_iss::internals::{inputs::Sample, machine::Machine, quantize::Calibrated, tune::{Goal, Search, State}};
/// # fn example(calibrated: &Calibrated, inputs: &[Sample]) -> Result<(), Box<dyn std::error::Error>> {
/// let machine = Machine::named("rcn-m")?;
/// let search = Search::new(calibrated, inputs, &machine)?.goal(Goal::Sqnr(25.0)).max_cycles(Some(0.3));
/// let tuned = search.run(State::default(), &())?;
/// for point in tuned.pareto() {
///     println!("{:.2} dB in {} cycles", point.sqnr, point.cycles);
/// }
/// let product = search.write(&tuned)?;
/// println!("{}", product.recipe.to_toml()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Search<'a> {
    pub(super) calibrated: &'a Calibrated,
    pub(super) inputs: &'a [Sample],
    pub(super) machine: &'a Machine,
    pub(super) labels: Option<&'a [usize]>,
    /// The default calibration method, then others to choose from for each tensor in 8 bits.
    pub(super) methods: Vec<Method>,
    pub(super) import: ImportOptions,
    pub(super) compile: CompileOptions,
    pub(super) goal: Goal,
    pub(super) max_cycles: Option<f64>,
    pub(super) threads: usize,
}

/// The files of a result.
#[derive(Debug)]
pub struct Product {
    /// The quantized model, with its calibration record.
    pub quantized: Written,
    /// Settings that reproduce the model.
    pub recipe: Settings,
    /// The model, compiled for the machine of the search.
    pub candidate: Candidate,
}

/// Checks that a search can start from these settings: they must not contain widths.
///
/// # Errors
/// They contain widths, or a correction that depends on them.
pub fn admits(settings: &Settings) -> Result<(), TuneError> {
    let plain = Settings::default();
    let tensor = settings.tensors.values().any(|t| t.bits.is_some());
    let found = [
        ((settings.bits, settings.weight_bits) != (plain.bits, plain.weight_bits), "bits"),
        (!settings.layers.is_empty(), "[layers]"),
        (tensor, "bits of [tensors]"),
    ];
    if let Some((_, what)) = found.iter().find(|(there, _)| *there) {
        return Err(TuneError::Widths(what));
    }
    if settings.bias_correction { Err(TuneError::BiasCorrection) } else { Ok(()) }
}

impl<'a> Search<'a> {
    /// A search of the widths of a calibrated network; models are measured on these inputs and this machine.
    ///
    /// # Errors
    /// The settings of the network are refused by [`admits`].
    pub fn new(
        calibrated: &'a Calibrated,
        inputs: &'a [Sample],
        machine: &'a Machine,
    ) -> Result<Search<'a>, TuneError> {
        admits(&calibrated.settings)?;
        let plain = calibrated.choice.method;
        let compile =
            CompileOptions { preprocess: calibrated.done.pictures.clone(), ..CompileOptions::default() };
        Ok(Search {
            calibrated,
            inputs,
            machine,
            labels: None,
            methods: [plain].into_iter().chain(METHODS.into_iter().filter(|m| *m != plain)).collect(),
            import: ImportOptions::default(),
            compile,
            goal: Goal::Default,
            max_cycles: None,
            threads: calibrated.threads,
        })
    }

    /// The class of each input, to count correct classifications.
    #[must_use]
    pub fn labels(self, labels: Option<&'a [usize]>) -> Search<'a> {
        Search { labels, ..self }
    }

    /// Calibration methods that tensors in 8 bits can use, beside that of the settings.
    #[must_use]
    pub fn methods(self, others: &[Method]) -> Search<'a> {
        let plain = self.calibrated.choice.method;
        let methods = [plain].into_iter().chain(others.iter().copied().filter(|m| *m != plain)).collect();
        Search { methods, ..self }
    }

    /// Options for importing the models.
    #[must_use]
    pub fn import(self, import: ImportOptions) -> Search<'a> {
        Search { import, ..self }
    }

    /// Class names, for the program.
    #[must_use]
    pub fn class_names(mut self, names: Vec<String>) -> Search<'a> {
        self.compile.labels = names;
        self
    }

    /// The required accuracy.
    #[must_use]
    pub fn goal(self, goal: Goal) -> Search<'a> {
        Search { goal, ..self }
    }

    /// Allowed additional cycles over 8 bits everywhere, as a share: 0.2 is 20 %.
    #[must_use]
    pub fn max_cycles(self, more: Option<f64>) -> Search<'a> {
        Search { max_cycles: more, ..self }
    }

    /// How many models and inputs are run in parallel. The result does not depend on it.
    #[must_use]
    pub fn threads(self, threads: usize) -> Search<'a> {
        Search { threads, ..self }
    }

    /// The files of the result: the quantized model, its recipe, its program.
    ///
    /// # Errors
    /// The result is that of another network.
    pub fn write(&self, tuned: &Tuned) -> Result<Product, TuneError> {
        let quantized = self.calibrated.write_as(&tuned.choice)?;
        let candidate = Candidate::compile(&quantized.model, self.machine, &self.import, &self.compile)?;
        Ok(Product { quantized, recipe: tuned.recipe(&self.calibrated.settings), candidate })
    }

    /// Digest of everything that the measurements depend on: network, settings, statistics, machine, inputs,
    /// labels, the libraries, and this program, so that another build measures again.
    #[must_use]
    pub fn key(&self) -> String {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        hash.update(&self.calibrated.clean.model.encode_to_vec());
        hash.update(serde_json::to_string(&self.calibrated.settings).unwrap_or_default().as_bytes());
        hash.update(serde_json::to_string(&self.calibrated.seen).unwrap_or_default().as_bytes());
        hash.update(&self.machine.hash().to_le_bytes());
        let ImportOptions { shapes, symbols, observe, host, profile, .. } = &self.import;
        hash.update(
            format!("{shapes:?} {symbols:?} {observe:?} {host} {profile:?} {:?}", self.labels).as_bytes(),
        );
        for (name, tensor) in self.inputs.iter().flatten() {
            hash.update(format!("{name} {:?} {:?}", tensor.element, tensor.shape).as_bytes());
            hash.update(&tensor.bytes);
        }
        let mut files = vec![std::env::current_exe().unwrap_or_default()];
        for engine in [&self.calibrated.engine, &self.import.engine] {
            if let Engine::OnnxRuntime(runtime) = engine {
                files.push(runtime.library().into());
            }
        }
        for file in files {
            hash.update(file.to_string_lossy().as_bytes());
            match files::read_regular(&file) {
                Ok(bytes) => hash.update(&bytes),
                // An unreadable input may change: the key must differ from that of any other run.
                Err(_) => hash.update(&std::process::id().to_le_bytes()),
            }
        }
        format!("{:032x}", hash.digest128())
    }

    /// Checks the task before anything is measured.
    pub(super) fn check(&self) -> Result<(), TuneError> {
        if self.inputs.is_empty() {
            return Err(TuneError::Run("there are no inputs to measure on".into()));
        }
        match (self.labels.map(<[usize]>::len), self.goal) {
            (Some(n), _) if n != self.inputs.len() => {
                Err(TuneError::Label(format!("there are {n} labels for {} inputs", self.inputs.len())))
            }
            (None, Goal::Top1(_)) => {
                Err(TuneError::Label("the goal is a share of right classes, and there are none".into()))
            }
            _ => Ok(()),
        }
    }
}
