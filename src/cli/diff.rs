//! `rcar-iss diff`: two programs, or two traces, layer by layer.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use serde_json::json;

use super::args::{DiffArgs, GraphArgs, ModelArgs};
use super::{Report, effect, given, machines, source, trace};
use crate::explain::{Failure, NO};
use crate::profile::Profile;
use crate::program::{FileKind, Program};
use crate::readable;
use crate::sim::{Limits, Loaded};
use crate::trace::{MAGIC, Record, TraceReader, first_difference, summarize};

/// A layer of one side.
struct Layer {
    name: String,
    nodes: Vec<String>,
    cycles: u64,
    bytes: u64,
}

/// One side.
struct Side {
    what: String,
    total: u64,
    layers: Vec<Layer>,
    /// Digests of the instructions and of the constants; traces know neither.
    content: Option<[u64; 2]>,
}

pub(super) fn run(args: &DiffArgs) -> Result<Report, Failure> {
    let files = [&args.a, &args.b];
    let mut traces = Vec::new();
    for path in files {
        if is_trace(path)? {
            traces.push(TraceReader::open(given::seekable(path)).map_err(|e| trace::failure(path, &e))?);
        }
    }
    let (sides, values) = match traces.as_mut_slice() {
        [] => {
            let models = [source::kind_of(&args.a)?, source::kind_of(&args.b)?].map(|k| k == FileKind::Model);
            if models == [false; 2] {
                effect::for_models(&args.graph, &args.a, "a program")?;
                check_machines(args)?;
            }
            if args.machine.len() > 2 {
                return Err(Failure::usage("--machine is given more than twice")
                    .help("once for both files, or once for each"));
            }
            ([program(args, &args.a, 0)?, program(args, &args.b, 1)?], None)
        }
        [a, b] => {
            let why = "traces are of programs that have run; this is for ONNX models";
            if let Some(option) = args.machine.iter().map(|_| "--machine").chain(args.graph.typed()).next() {
                return Err(effect::none(option, &why));
            }
            let failed = |e| trace::failure(&args.a, &e);
            let sides = [of_trace(a).map_err(failed)?, of_trace(b).map_err(failed)?];
            let same = a.header.code == b.header.code;
            let first = if same { Some(first_difference(a, b).map_err(failed)?) } else { None };
            (sides, Some((first, a.disassembly())))
        }
        _ => {
            return Err(Failure::usage("one of the files is a trace, the other is not")
                .help("compare two traces, or two programs or models"));
        }
    };
    let rows = matched(&sides);
    let differs = differ(&sides, &rows, values.as_ref());
    let text = if args.json {
        as_json(&sides, &rows, values.as_ref(), differs)
    } else {
        as_text(&sides, &rows, values.as_ref())
    };
    Ok(Report { text, status: if differs && args.exit_code { NO } else { 0 } })
}

fn is_trace(path: &std::path::Path) -> Result<bool, Failure> {
    Ok(given::head(path, MAGIC.len())? == MAGIC)
}

fn read(path: &std::path::Path) -> Result<Program, Failure> {
    match source::kind_of(path)? {
        FileKind::Assembly => super::asm::assemble(path),
        _ => source::read_program(path),
    }
}

/// Of two programs, each `--machine` is one's.
fn check_machines(args: &DiffArgs) -> Result<(), Failure> {
    if args.machine.is_empty() {
        return Ok(());
    }
    let programs = [read(&args.a)?, read(&args.b)?];
    let other = args.machine.iter().find(|m| programs.iter().all(|p| machines::of(p, Some(m)).is_err()));
    other.map_or(Ok(()), |machine| {
        let of = programs.map(|p| p.meta.machine.name);
        let why = format!("the programs are for {} and {}", of[0], of[1]);
        Err(effect::none(&format!("--machine {machine}"), &why))
    })
}

/// The machine of one of two files: a model's by its place; a program's is the one that it was made for, whichever that is.
fn machine_of(args: &DiffArgs, path: &std::path::Path, at: usize) -> Result<Option<String>, Failure> {
    let given = args.machine.get(at).or(args.machine.first());
    if source::kind_of(path)? == FileKind::Model {
        return Ok(given.cloned());
    }
    let program = read(path)?;
    let fits = args.machine.iter().find(|m| machines::of(&program, Some(m)).is_ok());
    // A shipped one needs no name; of another the message says what is missing.
    let shipped = machines::of(&program, None).is_ok();
    Ok(fits.or(given.filter(|_| !shipped)).cloned())
}

/// A side; options for models are for those sides that are models.
fn program(args: &DiffArgs, path: &std::path::Path, at: usize) -> Result<Side, Failure> {
    let is_model = source::kind_of(path)? == FileKind::Model;
    let engine = args.graph.engine.clone();
    let graph = if is_model { args.graph.clone() } else { GraphArgs { engine, ..GraphArgs::default() } };
    let model = ModelArgs { machine: machine_of(args, path, at)?, graph };
    let (program, machine) = source::program(path, &model)?;
    let words: Vec<u8> = program.code.iter().flat_map(|w| w.to_le_bytes()).collect();
    let content = [xxhash_rust::xxh3::xxh3_64(&words), xxhash_rust::xxh3::xxh3_64(&program.constants)];
    let loaded =
        Loaded::new(Arc::new(program), &machine, Limits::default()).map_err(|e| Failure::load(path, &e))?;
    let profile = Profile::of(&loaded);
    let layers = profile.layers.into_iter().map(|l| Layer {
        name: l.name,
        nodes: l.onnx_nodes,
        cycles: l.cycles,
        bytes: l.bytes[0] + l.bytes[1],
    });
    Ok(Side {
        what: format!("{} ({})", path.display(), profile.machine),
        total: profile.cycles,
        layers: layers.collect(),
        content: Some(content),
    })
}

fn of_trace(trace: &mut TraceReader) -> Result<Side, crate::trace::TraceError> {
    let (rows, total) = summarize(trace)?;
    let header = &trace.header;
    let layers = header.layers.iter().zip(rows).map(|(l, r)| Layer {
        name: l.name.clone(),
        nodes: l.onnx_nodes.clone(),
        cycles: r.cycles,
        bytes: r.bytes,
    });
    Ok(Side {
        what: format!("{} ({})", header.program, header.machine),
        total,
        layers: layers.collect(),
        content: None,
    })
}

/// Layers of both sides that share an ONNX node (or, without nodes, the name); each by its index.
type Row = (Option<usize>, Option<usize>);

fn matched([a, b]: &[Side; 2]) -> Vec<Row> {
    let mut by_node: BTreeMap<&str, usize> = BTreeMap::new();
    for (i, l) in b.layers.iter().enumerate() {
        for key in l.nodes.iter().chain([&l.name]) {
            by_node.entry(key).or_insert(i);
        }
    }
    let mut taken = vec![false; b.layers.len()];
    let mut rows: Vec<Row> = Vec::new();
    for (i, l) in a.layers.iter().enumerate() {
        let mut keys = l.nodes.iter().chain([&l.name]);
        let other = keys.find_map(|k| by_node.get(k.as_str()).copied().filter(|j| !taken[*j]));
        if let Some(j) = other {
            taken[j] = true;
        }
        rows.push((Some(i), other));
    }
    rows.extend((0..taken.len()).filter(|j| !taken[*j]).map(|j| (None, Some(j))));
    rows
}

/// Whether anything that is compared is not the same.
fn differ([a, b]: &[Side; 2], rows: &[Row], values: Option<&Values>) -> bool {
    let layer = |side: &Side, i: Option<usize>| {
        i.and_then(|i| side.layers.get(i)).map(|l| (l.name.clone(), l.cycles, l.bytes))
    };
    let values = values.is_some_and(|(first, _)| !matches!(first, Some(None)));
    values
        || a.total != b.total
        || a.content != b.content
        || rows.iter().any(|(i, j)| layer(a, *i) != layer(b, *j))
}

type Values = (Option<Option<(Record, Record)>>, Vec<String>);

fn change(a: u64, b: u64) -> String {
    let sign = if b < a { "-" } else { "+" };
    let percent =
        if a == 0 { String::new() } else { format!(" ({:+.1}%)", 100.0 * (b as f64 - a as f64) / a as f64) };
    if a == b { "=".into() } else { format!("{sign}{}{percent}", readable::grouped(a.abs_diff(b))) }
}

fn as_text(sides: &[Side; 2], rows: &[Row], values: Option<&Values>) -> String {
    let [a, b] = sides;
    let cell = |side: &Side, i: Option<usize>| {
        i.and_then(|i| side.layers.get(i)).map_or((None, None), |l| (Some(l.cycles), Some(l.bytes)))
    };
    let number = |n: Option<u64>| n.map_or("-".into(), readable::grouped);
    let lines = rows.iter().map(|(i, j)| {
        let name = i.and_then(|i| a.layers.get(i)).or_else(|| j.and_then(|j| b.layers.get(j)));
        let ((ca, ba), (cb, bb)) = (cell(a, *i), cell(b, *j));
        vec![
            name.map_or(String::new(), |l| l.name.clone()),
            name.map_or(String::new(), |l| l.nodes.first().cloned().unwrap_or_default()),
            number(ca),
            number(cb),
            ca.zip(cb).map_or(String::new(), |(x, y)| change(x, y)),
            number(ba),
            number(bb),
        ]
    });
    let header = ["layer", "ONNX node", "cycles A", "cycles B", "change", "bytes A", "bytes B"];
    let mut text = format!("A: {}\nB: {}\n\n", a.what, b.what);
    text.push_str(&readable::table(&header, &[2, 3, 4, 5, 6], lines.collect()));
    let _ = writeln!(
        text,
        "\ntotal: {} and {} cycles, {}",
        readable::grouped(a.total),
        readable::grouped(b.total),
        change(a.total, b.total)
    );
    if let (Some([code, constants]), Some([other_code, other_constants])) = (a.content, b.content) {
        let same = |same: bool| if same { "the same" } else { "different" };
        let _ = writeln!(
            text,
            "instructions: {}, constants: {}",
            same(code == other_code),
            same(constants == other_constants)
        );
    }
    match values {
        None => {}
        Some((None, _)) => text.push_str("values: not compared, the traces are of different programs\n"),
        Some((Some(None), _)) => text.push_str("values: every instruction wrote the same\n"),
        Some((Some(Some((x, y))), code)) => {
            let insn = code.get(x.pc as usize).map_or("", String::as_str);
            let digest = |r: &Record| {
                let wrote = r.executed.as_ref().and_then(|e| e.wrote);
                wrote.map_or("nothing".into(), |(n, d)| format!("{n} bytes, xxh3 {d:016x}"))
            };
            let layer =
                x.layer.and_then(|l| a.layers.get(l as usize)).map_or("no layer", |l| l.name.as_str());
            let _ = writeln!(
                text,
                "values differ first at record {}, pc {} in {layer}: {insn}\n  A wrote {}\n  B wrote {}",
                x.seq,
                x.pc,
                digest(x),
                digest(y)
            );
        }
    }
    text
}

fn as_json(sides: &[Side; 2], rows: &[Row], values: Option<&Values>, differs: bool) -> String {
    let layer = |side: &Side, i: Option<usize>| {
        i.and_then(|i| side.layers.get(i))
            .map(|l| json!({ "name": l.name, "onnx_nodes": l.nodes, "cycles": l.cycles, "bytes": l.bytes }))
    };
    let list: Vec<_> =
        rows.iter().map(|(i, j)| json!({ "a": layer(&sides[0], *i), "b": layer(&sides[1], *j) })).collect();
    let first = values
        .and_then(|(first, _)| first.as_ref())
        .map(|first| first.as_ref().map(|(x, _)| json!({ "seq": x.seq, "pc": x.pc })));
    let value = json!({
        "a": { "what": sides[0].what, "cycles": sides[0].total },
        "b": { "what": sides[1].what, "cycles": sides[1].total },
        "layers": list,
        "differs": differs,
        "same_instructions": sides[0].content.zip(sides[1].content).map(|(a, b)| a[0] == b[0]),
        "same_constants": sides[0].content.zip(sides[1].content).map(|(a, b)| a[1] == b[1]),
        "values_compared": first.is_some(),
        "first_difference": first.flatten(),
    });
    format!("{value:#}\n")
}
