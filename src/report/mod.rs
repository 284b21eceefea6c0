//! Reports: each result as a type with a JSON form (see [`document`](crate::document)) and a text form. The
//! command line prints both, and other programs may. A comparison has an HTML [page](html) too.

mod bench;
mod check;
mod comparison;
mod compile;
mod cycles;
mod dequantize;
mod diagnosis;
mod difference;
mod host;
pub mod html;
mod import;
mod model;
mod not_finite;
mod pareto;
mod plot;
mod program;
mod quantize;
mod roofline;
mod run;
mod tune;

pub use bench::{BenchReady, BenchReport, SpentRow};
pub use check::{CheckedNode, MacSplit, ModelCheck, OpsetRange, ProgramCheck};
pub use comparison::{ComparisonReport, FailUnder, comparison_csv};
pub use compile::CompileReport;
pub use cycles::EstimateReport;
pub use dequantize::{DequantizeReport, WrittenTensor};
pub use diagnosis::{DiagnosisReport, OutputErrors};
pub use difference::{Difference, FirstDifference, LayerPair, Side, SideLayer};
pub use host::HostReport;
pub use import::{host_layers, unsupported};
pub use model::{description, opsets};
pub use pareto::pareto;
pub use plot::PlotError;
pub use program::{ProgramReport, Tables};
pub use quantize::{PrunedLayerReport, PrunedReport, QuantizeReport, RemovedNode};
pub use roofline::roofline;
pub use run::{HostLayer, RunDetails, RunInput, RunLayer, RunOutput, RunReport, RunRow, RunWritten, Shaped};
pub use tune::{Raisable, TuneFiles, TuneReport};
