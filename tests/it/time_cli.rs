//! Cycles on the command line: estimate, profile, trace and diff agree with each other and with the run.

use std::path::Path;

use serde_json::Value;

use rcar_iss::internals::machine::Machine;

use crate::cli::{fails, fine};
use crate::repository::{digit, shipped};

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&fine(args)).unwrap()
}

#[test]
fn an_estimate_is_what_the_run_takes_and_every_cycle_has_a_cause() {
    let dir = crate::scratch("cli_estimate");
    let program = dir.join("p.rcn").display().to_string();
    let (digit, seven) = (digit("model.onnx"), digit("seven.png"));
    fine(&["compile", &digit, "-o", &program]);
    let estimate = json(&["estimate", &program, "--json"]);
    let profile = &estimate["profiles"][0];
    let run = json(&["run", &program, "--input", &seven, "--profile", "--json"]);
    assert_eq!(&run["profile"], profile);
    assert_eq!(profile["cycles"], run["cycles"]);
    let total = profile["cycles"].as_u64().unwrap();
    for unit in profile["units"].as_object().unwrap().values() {
        let causes = unit.as_object().unwrap().iter().filter(|(k, _)| *k != "instructions");
        assert_eq!(causes.map(|(_, n)| n.as_u64().unwrap()).sum::<u64>(), total, "{unit}");
    }
    let rows: u64 = profile["layers"].as_array().unwrap().iter().map(|l| l["cycles"].as_u64().unwrap()).sum();
    let outside = profile["prologue"].as_u64().unwrap() + profile["epilogue"].as_u64().unwrap();
    assert_eq!(rows + outside, total);
    let text = fine(&["estimate", &digit, "--machine", "all"]);
    for word in ["rcn-s", "rcn-m", "rcn-l", "conv0_quant", "times least"] {
        assert!(text.contains(word), "{text}");
    }
    let plot = dir.join("roofline.svg");
    fine(&["estimate", &program, "--plot", &plot.display().to_string()]);
    let svg = std::fs::read_to_string(&plot).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("conv0_quant") && svg.contains("rcn-m"), "{svg}");
    let text = fine(&["run", &program, "--input", &seven, "--profile"]);
    assert!(text.contains("frames/s") && text.contains("at least"), "{text}");
}

/// The least work is a lower bound: no layer's unit does less, and no program is faster. No layer lies above
/// a machine's roofline.
#[test]
fn least_cycles_are_a_lower_bound() {
    let machines = ["--machine", "rcn-s", "--machine", "rcn-m", "--machine", "rcn-l", "--json"];
    for name in ["digit_cnn/model.onnx", "digit_cnn/qdq_sym.onnx", "efficientnet_lite0/model.onnx"] {
        for more in [&["--exact"][..], &[]] {
            let report = json(&[&["estimate", &shipped(name)], &machines[..], more].concat());
            for p in report["profiles"].as_array().unwrap() {
                let number = |key: &str| p[key].as_u64().unwrap();
                let (on, least, total) = (&p["machine"], number("least"), number("cycles"));
                assert!(0 < least && least <= total, "{name} on {on} {more:?}: {least} of {total}");
                let layers = p["layers"].as_array().unwrap();
                let work = |of: &str| layers.iter().map(|l| l["work"][of].as_u64().unwrap()).sum::<u64>();
                let rate = p["dram_bytes_per_cycle"].as_f64().unwrap() * 1000.0;
                let bytes = (work("dram_bytes") * 1000).div_ceil(rate.round() as u64);
                let dram = Machine::named(on.as_str().unwrap()).unwrap().dram;
                let refreshes = bytes / u64::from(dram.refresh_interval_cycles);
                let channel = bytes + refreshes * u64::from(dram.refresh_cycles);
                let most = work("mac_cycles").max(work("vec_cycles")).max(channel);
                assert_eq!(least, most, "{name} on {on}");
                for l in layers.iter().filter(|l| l["host"] == false) {
                    // The roof: no more products than the array makes in the cycles in which it works.
                    let units = l["units"].as_object().unwrap().values();
                    let busy = units.map(|u| u["busy"].as_u64().unwrap()).max();
                    let time = busy.unwrap().max(l["cycles"].as_u64().unwrap());
                    let macs = l["executed_macs"].as_u64().unwrap();
                    assert!(macs <= number("macs_per_cycle") * time, "{name} on {on} {more:?}: {l}");
                }
                let alone: u64 = layers.iter().map(|l| l["alone"].as_u64().unwrap()).sum();
                assert_eq!((alone, alone >= least), (number("alone"), true), "{name} on {on}");
            }
        }
    }
}

/// Waits have the names of units and of what is waited for, and are the cycles of the conditions.
#[test]
fn waits_name_the_unit_and_the_data() {
    let (digit, seven) = (digit("model.onnx"), digit("seven.png"));
    let run = json(&["run", &digit, "--input", &seven, "--profile", "--json"]);
    let profile = &run["profile"];
    let all = [profile].into_iter().chain(profile["layers"].as_array().unwrap());
    let mut seen = 0;
    for part in all {
        for (name, unit) in part["units"].as_object().unwrap() {
            let waits = &part["waits"][name];
            let named: u64 = waits.as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
            let conditions = unit["condition1"].as_u64().unwrap() + unit["condition2"].as_u64().unwrap();
            assert_eq!(named, conditions, "{unit} {waits}");
            seen += named;
        }
    }
    assert!(seen > 0);
    let text = fine(&["run", &digit, "--input", &seven, "--profile"]);
    for word in
        ["VEC waits for MAC: the tile's sums", "MAC waits for DMA-in: the tile's operands", "DRAM 32.0 GB/s"]
    {
        assert!(text.contains(word), "no {word}: {text}");
    }
    assert!(!text.contains("condition1"), "{text}");
}

#[test]
fn a_machine_with_another_clock_says_that_dram_scales_along() {
    let dir = crate::scratch("cli_clock");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("isa/machines/rcn-m.toml");
    let shipped = std::fs::read_to_string(file).unwrap();
    let slow = shipped.replace("clock_mhz = 1000", "clock_mhz = 500").replace("\"rcn-m\"", "\"slow\"");
    assert_ne!(shipped, slow);
    let path = dir.join("slow.toml").display().to_string();
    std::fs::write(&path, slow).unwrap();
    let (digit, seven) = (digit("model.onnx"), digit("seven.png"));
    for args in [
        vec!["estimate", &digit, "--machine", &path],
        vec!["estimate", &digit, "--machine", &path, "--machine", "rcn-s"],
        vec!["run", &digit, "--input", &seven, "--machine", &path],
    ] {
        let text = fine(&args);
        assert!(text.contains("DRAM scales along with clock_mhz"), "{args:?}: {text}");
    }
    let report = json(&["estimate", &digit, "--machine", &path, "--json"]);
    assert_eq!(report["profiles"][0]["dram_gb_per_second"], 16.0);
    assert!(!fine(&["estimate", &digit]).contains("DRAM scales along"));
}

/// A bound on the compiler's quality: how far the shipped networks are from the sum of their layers' largest
/// bounds.
#[test]
fn shipped_networks_stay_near_their_bounds() {
    for (name, machine, most) in [
        ("efficientnet_lite0/model.onnx", "rcn-s", 1.28),
        ("efficientnet_lite0/model.onnx", "rcn-m", 1.24),
        ("efficientnet_lite0/model.onnx", "rcn-l", 1.18),
    ] {
        let estimate = json(&["estimate", &shipped(name), "--machine", machine, "--exact", "--json"]);
        let number = |key: &str| estimate["profiles"][0][key].as_f64().unwrap();
        let ratio = number("cycles") / number("alone");
        assert!(
            ratio <= most,
            "{name} on {machine} takes {ratio:.2} times its bound, at most {most} is wanted"
        );
    }
}

/// `estimate MODEL` leaves out what the clock does not see; the cycles are those of the whole program.
#[test]
fn an_estimate_is_what_the_clock_of_the_program_counts() {
    for name in ["digit_cnn/model.onnx", "digit_cnn/qdq_sym.onnx", "efficientnet_lite0/model.onnx"] {
        let of = |more: &[&str]| {
            let model = shipped(name);
            fine(&[&["estimate", &model, "--machine", "all", "--json"], more].concat())
        };
        assert_eq!(of(&[]), of(&["--exact"]), "{name}");
    }
}

#[test]
fn a_trace_can_be_asked_and_two_can_be_compared() {
    let dir = crate::scratch("cli_trace");
    let at = |name: &str| dir.join(name).display().to_string();
    let (digit, seven) = (digit("model.onnx"), digit("seven.png"));
    let plain = fine(&["run", &digit, "--input", &seven]);
    let traced = fine(&["run", &digit, "--input", &seven, "--trace", &at("a.trace")]);
    assert!(traced.starts_with(plain.trim_end()), "tracing changes the report:\n{traced}");
    fine(&["run", &digit, "--input", &seven, "--trace", &at("b.trace"), "--engine", "reference"]);
    let text = fine(&["trace", &at("a.trace"), "--layer", "conv1_quant", "--unit", "mac"]);
    assert!(text.contains("mac.conv") && !text.contains("dma.in"), "{text}");
    let by_node = fine(&["trace", &at("a.trace"), "--node", "conv1_quant", "--unit", "mac"]);
    assert_eq!(by_node, text);
    fine(&["trace", &at("a.trace"), "--format", "perfetto", "-o", &at("a.json")]);
    let value: Value = serde_json::from_slice(&std::fs::read(dir.join("a.json")).unwrap()).unwrap();
    assert!(value["traceEvents"].as_array().unwrap().len() > 100);
    let same = fine(&["diff", &at("a.trace"), &at("b.trace")]);
    assert!(same.contains("every instruction wrote the same"), "{same}");
    let other = fine(&["diff", &digit, &shipped("digit_cnn/qdq_sym.onnx"), "--json"]);
    let value: Value = serde_json::from_str(&other).unwrap();
    assert_eq!((&value["a"]["machine"], &value["b"]["machine"]), (&"rcn-m".into(), &"rcn-m".into()));
    assert!(value["a"]["cycles"].as_u64().unwrap() > 1000 && value["layers"].as_array().unwrap().len() > 5);
    fails(2, &["trace", &at("a.trace"), "--layer", "conv1"], &["no layer 'conv1'", "conv1_quant"]);
    fails(2, &["trace", &at("a.trace"), "--cycles", "x"], &["--cycles 'x' is no range", "100..200"]);
    fails(3, &["trace", &digit], &["does not begin with RCNTRACE", "run P.rcn --trace"]);
    fails(2, &["diff", &at("a.trace"), &digit], &["one of the files is a trace"]);
}

/// Scores of attention that do not fit the scratchpad lie row by row, so that the channel moves rows of them:
/// an element at a time, they took 10 to 20 times as long.
#[test]
fn scores_of_many_tokens_pass_the_channel_in_rows() {
    for name in ["product_attention_many_tokens", "product_scores_many_tokens"] {
        let model = format!("{}/tests/golden/operators/matrix/{name}.onnx", env!("CARGO_MANIFEST_DIR"));
        let report = json(&["estimate", &model, "--machine", "rcn-s", "--json"]);
        let cycles = report["profiles"][0]["cycles"].as_u64().unwrap();
        assert!(cycles < 150_000, "{name}: {cycles} cycles");
    }
}
