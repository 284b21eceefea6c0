//! Traces: all of a file is read or it is refused; every form of it can be written.

use rcar_iss::internals::isa::Space;
use rcar_iss::internals::trace::export::{Format, export};
use rcar_iss::internals::trace::{Filter, Record, TraceError, TraceReader, first_difference, summarize};
use xxhash_rust::xxh3::xxh3_64;

use super::super::random::Random;
use super::super::{Proof, Reached};
use super::{execute, said};

const FORMATS: [Format; 5] = [Format::Text, Format::Json, Format::Csv, Format::Perfetto, Format::Konata];

/// Removes the file at the end.
struct Written(std::path::PathBuf);

impl Drop for Written {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn records(trace: &mut TraceReader, from: Option<u64>) -> Result<Vec<Record>, TraceError> {
    let mut all = Vec::new();
    let mut keep = |r: &Record| {
        all.push(r.clone());
        true
    };
    match from {
        None => trace.read(&Filter::default(), &mut keep)?,
        Some(seq) => trace.read_from(seq, &mut keep)?,
    }
    Ok(all)
}

pub(crate) fn prove(bytes: &[u8]) -> Proof {
    let file = Written(execute::scratch("m.trace"));
    std::fs::write(&file.0, bytes).map_err(|e| e.to_string())?;
    let open = || TraceReader::open(&file.0);
    let mut trace = match open() {
        Ok(trace) => trace,
        Err(e) => return said(&e.to_string()).map(|()| Reached::Refused),
    };
    let mut random = Random::new(xxh3_64(bytes));
    let filter = filter(&mut random);
    for filter in [Filter::default(), filter] {
        if let Err(e) = export(&mut trace, &filter, random.pick(&FORMATS), &mut std::io::sink()) {
            said(&e.to_string())?;
        }
    }
    let all = match records(&mut trace, None) {
        Ok(all) => all,
        Err(e) => return said(&e.to_string()).map(|()| Reached::Refused),
    };
    if all.len() as u64 != trace.records() {
        return Err(format!("{} records are read, the index says {}", all.len(), trace.records()));
    }
    let middle = all.len() as u64 / 2;
    let later =
        records(&mut trace, Some(middle)).map_err(|e| format!("read whole, but not from the middle: {e}"))?;
    if later != all[middle as usize..] {
        return Err("read from the middle, records differ".into());
    }
    summarize(&mut trace).map_err(|e| format!("read, but not summed up: {e}"))?;
    let mut again = open().map_err(|e| e.to_string())?;
    match first_difference(&mut trace, &mut again) {
        Ok(None) => Ok(Reached::Read),
        Ok(Some(_)) => Err("a trace differs from itself".into()),
        Err(e) => Err(format!("read, but not compared: {e}")),
    }
}

fn filter(random: &mut Random) -> Filter {
    let mut number = |most: usize| random.below(most);
    Filter {
        layers: (number(2) == 0).then(|| vec![number(3) as u32]),
        units: (number(2) == 0).then(|| vec![number(6)]),
        pc: (number(3) == 0).then(|| [number(5) as u32, number(50) as u32]),
        cycles: (number(3) == 0).then(|| [number(100) as u64, number(5000) as u64]),
        writes: (number(3) == 0).then(|| (Space::Spm, number(5000) as i64)),
    }
}
