//! What there is to say of results: each as a type with a JSON form (see [`document`](crate::document)) and a text that people
//! read. The command line prints both, other programs may. A comparison has a [page](html), too.

mod bench;
pub mod classes;
mod comparison;
mod cycles;
mod diagnosis;
mod difference;
mod host;
pub mod html;
mod model;
mod not_finite;
mod program;
mod quantization;
mod run;
mod support;
mod written;

pub use bench::{BenchReady, BenchReport, SpentRow};
pub use comparison::{ComparisonReport, FailUnder, comparison_csv};
pub use cycles::EstimateReport;
pub use diagnosis::{DiagnosisReport, OutputErrors};
pub use difference::{Difference, FirstDifference, LayerPair, Side, SideLayer};
pub use host::HostReport;
pub use model::{description, opsets};
pub use not_finite::{NotFinite, words};
pub use program::{ProgramReport, Tables};
pub use quantization::{
    PruneReport, PrunedWeights, QuantizeReport, RaisedItem, RemovedNode, TuneFiles, TuneReport,
};
pub use run::{HostLayer, RunDetails, RunInput, RunLayer, RunOutput, RunReport, RunRow, RunWritten, Shaped};
pub use support::{CheckedNode, CheckedStatus, MacsByPlace, ModelCheck, OpsetRange, ProgramCheck};
pub use written::{CompileReport, DequantizeReport, WrittenTensor};
