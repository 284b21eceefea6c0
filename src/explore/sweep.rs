//! All machines that a few fields with a few values each make of one.

use serde::Serialize;

use super::several::each;
use crate::machine::{Machine, MachineError, Setting};
use crate::profile::Profile;

/// Machines of one sweep at most.
pub const MOST: usize = 4096;

/// A field and its values: `spm.bytes=512KiB,1MiB`.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    settings: Vec<Setting>,
}

/// Why a sweep is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SweepError {
    /// An axis that is not a field with values.
    #[error(transparent)]
    Axis(#[from] MachineError),
    /// Two axes of one field.
    #[error("{field} is swept twice")]
    Twice {
        /// The field.
        field: String,
    },
    /// More than [`MOST`].
    #[error("{machines} machines are more than {MOST}")]
    TooMany {
        /// How many there would be.
        machines: usize,
    },
}

/// A machine and what the network takes on it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Point {
    /// The values of the swept fields, as they were given.
    pub values: Vec<String>,
    /// Why there are no figures: the machine is not legal, or the network does not fit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Cycles.
    pub cycles: Option<u64>,
    /// Seconds of these cycles.
    pub seconds: Option<f64>,
    /// From the call to the answer, if the machine's host costs are known.
    pub end_to_end_seconds: Option<f64>,
    /// Share of the array's peak, 0 to 1.
    pub mac_utilization: Option<f64>,
    /// Bytes over the DRAM channel.
    pub dram_bytes: Option<u64>,
    /// Whether every other machine has more of some swept resource, or takes longer.
    pub front: bool,
}

/// A network on all machines of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Sweep {
    /// The machine that the others were made of.
    pub machine: String,
    /// The swept fields.
    pub fields: Vec<String>,
    /// One for each combination; the last field's values change fastest.
    pub points: Vec<Point>,
}

/// Fields of which a machine with less is the larger one.
const LESS_IS_MORE: [&str; 11] = [
    "mac.fill_cycles",
    "mac.drain_cycles",
    "vec.latency_cycles",
    "dram.read_latency_cycles",
    "dram.write_latency_cycles",
    "dram.row_miss_cycles",
    "dram.turnaround_cycles",
    "dram.refresh_cycles",
    "dram.other_masters_percent",
    "control.const_load_cycles",
    "control.const_miss_cycles",
];

impl Axis {
    /// Reads `FIELD=VALUE,VALUE`.
    ///
    /// # Errors
    /// [`MachineError::Setting`], without a field or values.
    pub fn parse(text: &str) -> Result<Axis, MachineError> {
        let wrong = || MachineError::Setting { text: text.into() };
        let (field, values) = text.split_once('=').ok_or_else(wrong)?;
        let settings = values.split(',').map(|value| Setting::parse(&format!("{field}={value}")));
        Ok(Axis { settings: settings.collect::<Result<_, _>>()? })
    }

    /// Its field.
    #[must_use]
    pub fn field(&self) -> &str {
        self.settings.first().map_or("", Setting::field)
    }
}

/// All combinations, the last axis fastest.
fn combinations(axes: &[Axis]) -> Vec<Vec<Setting>> {
    axes.iter().fold(vec![Vec::new()], |made, axis| {
        let with = |before: &Vec<Setting>, s: &Setting| before.iter().chain([s]).cloned().collect();
        made.iter().flat_map(|before| axis.settings.iter().map(move |s| with(before, s))).collect()
    })
}

/// Asks for the profile of a network on every machine of a sweep: `made` makes a machine with some fields
/// set, `profile` gives the network's profile on it; both return a reason where they cannot.
///
/// # Errors
/// [`SweepError`], before any is asked for.
pub fn sweep(
    machine: &str,
    axes: &[Axis],
    made: impl Fn(&[Setting]) -> Result<Machine, String> + Sync,
    profile: impl Fn(&Machine) -> Result<Profile, String> + Sync,
) -> Result<Sweep, SweepError> {
    for (at, axis) in axes.iter().enumerate() {
        if axes[..at].iter().any(|before| before.field() == axis.field()) {
            return Err(SweepError::Twice { field: axis.field().into() });
        }
    }
    let machines = axes.iter().fold(1usize, |n, axis| n.saturating_mul(axis.settings.len()));
    if machines > MOST {
        return Err(SweepError::TooMany { machines });
    }
    let settings = combinations(axes);
    let mut points = each(&settings, |settings| {
        let found = made(settings).and_then(|machine| profile(&machine));
        point(settings, found)
    });
    let resources: Vec<Vec<Option<f64>>> =
        settings.iter().map(|s| s.iter().map(resource).collect()).collect();
    for at in 0..points.len() {
        let Some(seconds) = points[at].seconds else { continue };
        points[at].front = !(0..points.len()).any(|other| {
            points[other].seconds.is_some_and(|s| {
                let pairs = resources[other]
                    .iter()
                    .zip(&resources[at])
                    .zip(settings[other].iter().zip(&settings[at]));
                let no_more =
                    pairs.clone().all(|((a, b), (x, y))| x == y || a.zip(*b).is_some_and(|(a, b)| a <= b));
                let less = pairs.clone().any(|((a, b), _)| a.zip(*b).is_some_and(|(a, b)| a < b));
                no_more && s <= seconds && (less || s < seconds)
            })
        });
    }
    Ok(Sweep {
        machine: machine.into(),
        fields: axes.iter().map(|axis| axis.field().to_string()).collect(),
        points,
    })
}

/// How much of a resource a setting is; `None` for names, which cannot be compared.
fn resource(setting: &Setting) -> Option<f64> {
    let number = setting.number()?;
    Some(if LESS_IS_MORE.contains(&setting.field()) { -number } else { number })
}

fn point(settings: &[Setting], found: Result<Profile, String>) -> Point {
    let values = settings.iter().map(|s| s.value().to_string()).collect();
    match found {
        Err(error) => Point {
            values,
            error: Some(error),
            cycles: None,
            seconds: None,
            end_to_end_seconds: None,
            mac_utilization: None,
            dram_bytes: None,
            front: false,
        },
        Ok(p) => Point {
            values,
            error: None,
            cycles: Some(p.cycles),
            seconds: Some(p.seconds),
            end_to_end_seconds: p.invocation.end_to_end_seconds,
            mac_utilization: Some(p.mac_utilization),
            dram_bytes: Some(p.bytes_in + p.bytes_out),
            front: false,
        },
    }
}
