//! Parsing of a selection of records to a [`Filter`].

use super::{Filter, Header, LayerName, TraceError, TraceReader};
use crate::isa::{Queue, Space};

/// A selection of records, as text; one match among several layers, nodes or units suffices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Names of layers.
    pub layers: Vec<String>,
    /// ONNX nodes that became part of a layer.
    pub nodes: Vec<String>,
    /// `control`, `dmain`, `dmaout`, `mac` or `vec`.
    pub units: Vec<String>,
    /// `A..B`, `A..` or `A`: indices of instruction words, both ends included.
    pub pc: Option<String>,
    /// `A..B`, `A..` or `A`: cycles, the last one excluded.
    pub cycles: Option<String>,
    /// `[SPACE:]ADDRESS`: a byte that is written.
    pub writes: Option<String>,
}

/// A condition of [`Wanted`] with a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranged {
    /// [`Wanted::pc`].
    Pc,
    /// [`Wanted::cycles`].
    Cycles,
}

/// Why a condition is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WantedError {
    /// No layer has the name.
    #[error("the trace has no layer '{name}'")]
    Layer {
        /// As asked for.
        name: String,
        /// Existing names.
        known: Vec<String>,
    },
    /// No layer came from the node.
    #[error("the trace has no ONNX node '{name}'")]
    Node {
        /// As asked for.
        name: String,
        /// Existing names.
        known: Vec<String>,
    },
    /// No unit has the name.
    #[error("there is no unit '{name}'")]
    Unit {
        /// As asked for.
        name: String,
    },
    /// The control core writes no memory.
    #[error("the control core writes no memory: nothing can match")]
    ControlWrites,
    /// Not a range.
    #[error("'{text}' is no range")]
    NoRange {
        /// The condition.
        of: Ranged,
        /// The text.
        text: String,
    },
    /// An empty range.
    #[error("{why}")]
    EmptyRange {
        /// The condition.
        of: Ranged,
        /// The text.
        text: String,
        /// Why.
        why: &'static str,
    },
    /// A range beyond the end.
    #[error("{why}")]
    Beyond {
        /// The condition.
        of: Ranged,
        /// The text.
        text: String,
        /// Where the end is.
        why: String,
    },
    /// Not an address.
    #[error("'{text}' is no address")]
    NoAddress {
        /// The text.
        text: String,
    },
    /// An address outside its memory.
    #[error("{why}")]
    Outside {
        /// The text.
        text: String,
        /// How large the memory is.
        why: String,
    },
}

impl Wanted {
    /// The filter for a trace.
    ///
    /// # Errors
    /// See [`WantedError`].
    pub fn filter(&self, trace: &TraceReader) -> Result<Filter, WantedError> {
        let header = &trace.header;
        let layers = self.layers(&header.layers)?;
        let units = self.units.iter().map(|name| unit(name)).collect::<Result<Vec<usize>, _>>()?;
        if self.writes.is_some() && !units.is_empty() && units.iter().all(|u| *u == 0) {
            return Err(WantedError::ControlWrites);
        }
        let [pc, cycles] = [(Ranged::Pc, &self.pc), (Ranged::Cycles, &self.cycles)]
            .map(|(of, text)| text.as_deref().map(|t| range(t, of)).transpose());
        let (pc, cycles) = (pc?, cycles?);
        let (words, end) = (header.code.len() as u64, trace.end());
        for (of, found, most, why) in [
            (Ranged::Pc, (&self.pc, pc), words, format!("the program has {words} instructions")),
            (Ranged::Cycles, (&self.cycles, cycles), end, format!("the trace ends after {end} cycles")),
        ] {
            if let (Some(text), Some([from, _])) = found
                && from >= most
            {
                return Err(WantedError::Beyond { of, text: text.clone(), why });
            }
        }
        let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(Filter {
            layers,
            units: (!units.is_empty()).then_some(units),
            pc: pc.map(|[from, to]| [narrow(from), narrow(to)]),
            cycles,
            writes: self.writes.as_deref().map(|text| address(text, header)).transpose()?,
        })
    }

    /// The indices of the selected layers; `None` if the selection does not restrict layers.
    fn layers(&self, layers: &[LayerName]) -> Result<Option<Vec<u32>>, WantedError> {
        let of_layer = |l: &LayerName| vec![l.name.clone()];
        let of_node = |l: &LayerName| l.onnx_nodes.clone();
        let named = |names: &dyn Fn(&LayerName) -> Vec<String>, name: &String| -> Vec<u32> {
            let found = layers.iter().enumerate().filter(|(_, l)| names(l).contains(name));
            found.map(|(i, _)| i as u32).collect()
        };
        let known = |names: &dyn Fn(&LayerName) -> Vec<String>| layers.iter().flat_map(names).collect();
        let mut chosen: Option<Vec<u32>> = None;
        for name in &self.layers {
            let found = named(&of_layer, name);
            if found.is_empty() {
                return Err(WantedError::Layer { name: name.clone(), known: known(&of_layer) });
            }
            chosen.get_or_insert_default().extend(found);
        }
        for name in &self.nodes {
            let found = named(&of_node, name);
            if found.is_empty() {
                return Err(WantedError::Node { name: name.clone(), known: known(&of_node) });
            }
            chosen.get_or_insert_default().extend(found);
        }
        Ok(chosen)
    }
}

impl Filter {
    /// Whether any record of the trace meets all conditions but that on written bytes: that no instruction
    /// writes an address is a valid answer, but an empty combination of layer and range is a mistake.
    ///
    /// # Errors
    /// The trace is damaged.
    pub fn can_match(&self, trace: &mut TraceReader) -> Result<bool, TraceError> {
        let asked = Filter { writes: None, ..self.clone() };
        let mut any = asked == Filter::default();
        if !any {
            trace.read(&asked, &mut |_| {
                any = true;
                false
            })?;
        }
        Ok(any)
    }
}

/// The number of a unit in a [`Filter`].
fn unit(name: &str) -> Result<usize, WantedError> {
    let queue = Queue::ALL.into_iter().find(|q| q.name() == name).map(|q| 1 + q.index());
    let found = if name == "control" { Some(0) } else { queue };
    found.ok_or_else(|| WantedError::Unit { name: name.into() })
}

/// `1000`, `1,000` or `0x3e8`: commas precede groups of three digits.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        // Rust accepts a sign, too.
        Some(hex) if hex.starts_with('+') => None,
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => {
            let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let (first, groups) = text.split_once(',').unwrap_or((text, ""));
            let parted = first.len() <= 3 && groups.split(',').all(|g| g.len() == 3 && digits(g));
            let well = digits(first) && (parted || !text.contains(','));
            if well { text.replace(',', "").parse().ok() } else { None }
        }
    }
}

/// `A..B`, or one number.
fn range(text: &str, of: Ranged) -> Result<[u64; 2], WantedError> {
    let bounds = match text.split_once("..") {
        Some((a, b)) => number(a).zip(if b.is_empty() { Some(u64::MAX) } else { number(b) }),
        None => number(text).map(|n| (n, if of == Ranged::Pc { n } else { n.saturating_add(1) })),
    };
    let (a, b) = bounds.ok_or_else(|| WantedError::NoRange { of, text: text.into() })?;
    // Cycles exclude the end, indices include it.
    let why = if a > b {
        "it ends before it begins"
    } else if of == Ranged::Cycles && a == b {
        "it is empty: the end is left out"
    } else {
        return Ok([a, b]);
    };
    Err(WantedError::EmptyRange { of, text: text.into(), why })
}

/// `[spm:]0x400`, inside its memory.
fn address(text: &str, header: &Header) -> Result<(Space, i64), WantedError> {
    let (space, at) = text.split_once(':').unwrap_or(("spm", text));
    let space = Space::ALL.into_iter().find(|s| s.name() == space);
    let at = number(at).and_then(|n| i64::try_from(n).ok());
    let (space, at) = space.zip(at).ok_or_else(|| WantedError::NoAddress { text: text.into() })?;
    let (bytes, what) = match space {
        Space::Spm => (header.spm_bytes, "the scratchpad has"),
        Space::Acc => (header.acc_bytes, "the accumulators have"),
        Space::Dram => (header.dram_bytes, "of DRAM the program uses"),
    };
    if at as u64 >= bytes {
        return Err(WantedError::Outside { text: text.into(), why: format!("{what} {bytes} bytes") });
    }
    Ok((space, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_part_three_digits_each() {
        for (text, value) in
            [("0", 0), ("1000", 1000), ("1,000", 1000), ("12,345,678", 12_345_678), ("0x3e8", 1000)]
        {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in
            ["", ",", "1,", ",000", "1,2", "1000,000", "1,0000", "1,,000", "+1", "-1", "0x", "0x+1", "1,+00"]
        {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn cycles_leave_out_their_end_and_places_of_the_code_have_it() {
        assert_eq!(range("3", Ranged::Pc), Ok([3, 3]));
        assert_eq!(range("3", Ranged::Cycles), Ok([3, 4]));
        assert_eq!(range("3..3", Ranged::Pc), Ok([3, 3]));
        assert!(matches!(range("3..3", Ranged::Cycles), Err(WantedError::EmptyRange { .. })));
        assert!(matches!(range("4..3", Ranged::Pc), Err(WantedError::EmptyRange { .. })));
        assert_eq!(range("3..", Ranged::Cycles), Ok([3, u64::MAX]));
        assert!(matches!(range("..3", Ranged::Cycles), Err(WantedError::NoRange { .. })));
    }
}
