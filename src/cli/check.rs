//! `rcar-iss check`: everything that can be said about a file before it runs, all at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use super::args::CheckArgs;
use super::{Report, effect, model, source};
use crate::document;
use crate::explain::{Failure, UNSUPPORTED};
use crate::isa::Unit;
use crate::onnx::{self, ImportError, NodeRow, NodeStatus, Opset};
use crate::program::Program;
use crate::readable;
use crate::report::{self, CheckedNode, MacsByPlace, ModelCheck, OpsetRange, ProgramCheck};
use crate::sim::{Limits, Loaded};

pub(super) fn run(args: &CheckArgs) -> Result<Report, Failure> {
    if source::kind_of(&args.file)? == source::Kind::Model { check_model(args) } else { check_program(args) }
}

fn check_program(args: &CheckArgs) -> Result<Report, Failure> {
    if args.all {
        return Err(effect::none(
            "--all",
            &"a program has no ONNX nodes; `rcar-iss info --layers` lists its layers",
        ));
    }
    let (program, machine) = source::program(&args.file, &args.model)?;
    model::prepare_hosts(&program)?;
    let loaded = Loaded::new(Arc::new(program), &machine, Limits::default())
        .map_err(|e| Failure::load(&args.file, &e))?;
    let clock = loaded.clock();
    if args.json {
        return Ok(Report::fine(document::pretty(&ProgramCheck::of(&loaded))));
    }
    let mut text = format!(
        "fine: {} executes {} instructions in {} cycles ({}) on {}, reads nothing undefined and stays inside its memories\n",
        args.file.display(),
        readable::grouped(clock.instructions),
        readable::grouped(clock.total),
        readable::time(clock.total, machine.clock_mhz),
        machine.name
    );
    for host in &loaded.program().meta.hosts {
        let name = loaded.program().meta.layers.get(host.layer as usize).map_or("?", |l| l.name.as_str());
        let types = host.op_types.join(", ");
        let _ = writeln!(text, "host layer \"{name}\": {types} run on the host ({})", host.reason);
    }
    Ok(Report::fine(text))
}

fn check_model(args: &CheckArgs) -> Result<Report, Failure> {
    let loaded = model::load(&args.file)?;
    let options = model::import_options(&args.model)?;
    effect::extents(loaded.graph(), &options)?;
    let imported = onnx::import(&loaded, &options);
    let (rows, hosts) = match imported {
        Ok(imported) => (imported.rows, model::hosts(&imported.graph)),
        Err(ImportError::Unsupported { rows }) => (rows, String::new()),
        Err(other) => return Err(model::import_failure(&args.file, loaded.graph(), &other)),
    };
    let unsupported_count = rows.iter().filter(|r| r.status == NodeStatus::Unsupported).count();
    // What imports may still fail to fit the machine.
    let fits =
        if unsupported_count == 0 { model::compile(&args.file, &args.model).map(Some) } else { Ok(None) };
    let families = fits.as_ref().ok().and_then(Option::as_ref).map(|m| families(&m.compiled.program));
    let family = |row: &NodeRow| -> Vec<String> {
        let layer =
            matches!(row.status, NodeStatus::Layer | NodeStatus::Fused).then_some(row.detail.as_str());
        let found = layer.and_then(|l| families.as_ref()?.get(l));
        found.into_iter().flatten().map(|m| (*m).to_string()).collect()
    };
    let macs = fits.as_ref().ok().and_then(Option::as_ref).map(|m| {
        let layers = &m.compiled.program.meta.layers;
        let of = |host: bool| layers.iter().filter(|l| l.host == host).map(|l| l.macs).sum::<u64>();
        (of(false), of(true))
    });
    let status =
        if unsupported_count > 0 { UNSUPPORTED } else { fits.as_ref().map_or_else(|f| f.status, |_| 0) };
    let problem = fits.as_ref().err().map(Failure::render);
    let text = if args.json {
        let report = ModelCheck {
            supported: status == 0,
            nodes: rows.iter().map(|r| CheckedNode::new(r, family(r))).collect(),
            macs: macs.map(|(accelerator, host)| MacsByPlace { accelerator, host }),
            problem,
            opsets: Opset::of(&loaded.model),
            supported_opsets: OpsetRange::supported(),
        };
        document::pretty(&report)
    } else {
        let mut text = String::new();
        if args.all {
            let cells = rows.iter().map(|r| {
                vec![
                    r.name.clone(),
                    r.op_type.clone(),
                    word(r.status).to_string(),
                    family(r).join(" "),
                    r.detail.clone(),
                ]
            });
            text.push_str(&readable::table(
                &["node", "type", "status", "instructions", "layer or reason"],
                &[],
                cells.collect(),
            ));
            text.push('\n');
        } else if unsupported_count > 0 {
            text.push_str(&model::unsupported(&rows));
            text.push('\n');
        }
        text.push_str(&readable::prose(
            &(report::opsets(&Opset::of(&loaded.model)) + &totals(&rows) + &hosts),
        ));
        if let Some((accelerator, host)) = macs.filter(|(a, h)| a + h > 0) {
            let share = 100.0 * accelerator as f64 / (accelerator + host) as f64;
            let _ = writeln!(
                text,
                "{} MACs, {share:.1}% of them on the accelerator",
                readable::short(accelerator + host)
            );
        }
        if let Some(problem) = &problem {
            text.push_str(problem);
        }
        text
    };
    Ok(Report { text, status })
}

/// The queue instructions of every layer, by its name; those that only move operands to and from the scratchpad stand for
/// a layer that has no others.
fn families(program: &Program) -> BTreeMap<&str, BTreeSet<&'static str>> {
    let mut found: BTreeMap<&str, BTreeSet<&'static str>> = BTreeMap::new();
    for (i, layer) in program.meta.layers.iter().enumerate() {
        let insns = program.layer_instructions(i).map(|i| i.opcode().info());
        let list = found.entry(&layer.name).or_default();
        list.extend(insns.filter(|i| matches!(i.unit, Unit::Queue(_))).map(|i| i.mnemonic));
    }
    for list in found.values_mut() {
        if list.iter().any(|m| !m.starts_with("dma.")) {
            list.retain(|m| !m.starts_with("dma."));
        }
        list.remove("qnop");
    }
    found
}

fn word(status: NodeStatus) -> &'static str {
    match status {
        NodeStatus::Layer => "layer",
        NodeStatus::Fused => "fused",
        NodeStatus::Folded => "folded",
        NodeStatus::Host => "host",
        NodeStatus::Unsupported => "UNSUPPORTED",
        NodeStatus::Unreached => "unreached",
    }
}

fn totals(rows: &[NodeRow]) -> String {
    let count = |status| rows.iter().filter(|r| r.status == status).count();
    let mut text = String::new();
    let _ = write!(
        text,
        "{} nodes: {} layers, {} fused into them, {} folded",
        rows.len(),
        count(NodeStatus::Layer),
        count(NodeStatus::Fused),
        count(NodeStatus::Folded)
    );
    for (status, what) in [
        (NodeStatus::Host, "on the host"),
        (NodeStatus::Unsupported, "not supported"),
        (NodeStatus::Unreached, "behind an unsupported one"),
    ] {
        if count(status) > 0 {
            let _ = write!(text, ", {} {what}", count(status));
        }
    }
    text.push('\n');
    if count(NodeStatus::Unsupported) == 0 {
        text.push_str("everything is supported\n");
    }
    text
}
