//! Cycles on the command line: estimate, profile, trace and diff agree with each other and with the run.

use std::path::Path;

use serde_json::Value;

use crate::cli::{fails, fine};

fn model(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(name);
    path.display().to_string()
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&fine(args)).unwrap()
}

#[test]
fn an_estimate_is_what_the_run_takes_and_every_cycle_has_a_cause() {
    let dir = crate::scratch("cli_estimate");
    let program = dir.join("p.rcn").display().to_string();
    let (digit, seven) = (model("digit_cnn/model.onnx"), model("digit_cnn/seven.png"));
    fine(&["compile", &digit, "-o", &program]);
    let estimate = json(&["estimate", &program, "--json"]);
    let profile = &estimate["profiles"][0];
    let run = json(&["run", &program, "--input", &seven, "--profile", "--json"]);
    assert_eq!(&run["profile"], profile);
    assert_eq!(profile["cycles"], run["cycles"]);
    let total = profile["cycles"].as_u64().unwrap();
    for unit in profile["units"].as_array().unwrap() {
        let causes = unit.as_object().unwrap().iter().filter(|(k, _)| *k != "instructions");
        assert_eq!(causes.map(|(_, n)| n.as_u64().unwrap()).sum::<u64>(), total, "{unit}");
    }
    let rows: u64 = profile["layers"].as_array().unwrap().iter().map(|l| l["cycles"].as_u64().unwrap()).sum();
    let outside: u64 = profile["outside"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
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

/// The yardstick of the compiler: how far the shipped networks are from the sum of their layers' largest bounds.
#[test]
fn shipped_networks_stay_near_their_bounds() {
    for (name, machine, most) in [
        ("efficientnet_lite0/model.onnx", "rcn-s", 1.25),
        ("efficientnet_lite0/model.onnx", "rcn-m", 1.25),
        ("efficientnet_lite0/model.onnx", "rcn-l", 1.25),
    ] {
        let estimate = json(&["estimate", &model(name), "--machine", machine, "--exact", "--json"]);
        let number = |key: &str| estimate["profiles"][0][key].as_f64().unwrap();
        let ratio = number("cycles") / number("least");
        assert!(
            ratio <= most,
            "{name} on {machine} takes {ratio:.2} times its bound, at most {most} is wanted"
        );
    }
}

/// `estimate MODEL` needs no program, and is near what the clock of the program counts.
#[test]
fn the_closed_form_is_near_the_clock() {
    for name in ["digit_cnn/model.onnx", "digit_cnn/qdq_sym.onnx", "efficientnet_lite0/model.onnx"] {
        let of = |more: &[&str]| {
            let model = model(name);
            json(&[&["estimate", &model, "--machine", "all", "--json"], more].concat())
        };
        let (closed, exact) = (of(&[]), of(&["--exact"]));
        for (a, b) in closed["profiles"].as_array().unwrap().iter().zip(exact["profiles"].as_array().unwrap())
        {
            assert_eq!((a["method"].as_str(), b["method"].as_str()), (Some("closed-form"), Some("clock")));
            let cycles = |p: &Value| p["cycles"].as_f64().unwrap();
            let error = cycles(a) / cycles(b) - 1.0;
            let on = &a["machine"];
            assert!(error.abs() < 0.1, "{name} on {on}: closed form {} against {}", cycles(a), cycles(b));
            assert_eq!(a["layers"].as_array().unwrap().len(), b["layers"].as_array().unwrap().len());
            // What moves is known exactly, but for tiles at the border.
            let bytes = |p: &Value| p["bytes"][0].as_f64().unwrap() + p["bytes"][1].as_f64().unwrap();
            assert!(
                (bytes(a) / bytes(b) - 1.0).abs() < 0.05,
                "{name} on {on}: {} bytes against {}",
                bytes(a),
                bytes(b)
            );
        }
    }
}

#[test]
fn a_trace_can_be_asked_and_two_can_be_compared() {
    let dir = crate::scratch("cli_trace");
    let at = |name: &str| dir.join(name).display().to_string();
    let (digit, seven) = (model("digit_cnn/model.onnx"), model("digit_cnn/seven.png"));
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
    let other = fine(&["diff", &digit, &model("digit_cnn/qdq_sym.onnx"), "--json"]);
    let value: Value = serde_json::from_str(&other).unwrap();
    assert!(value["a"]["cycles"].as_u64().unwrap() > 1000 && value["layers"].as_array().unwrap().len() > 5);
    fails(2, &["trace", &at("a.trace"), "--layer", "conv1"], &["no layer 'conv1'", "conv1_quant"]);
    fails(2, &["trace", &at("a.trace"), "--cycles", "x"], &["--cycles 'x' is no range", "100..200"]);
    fails(3, &["trace", &digit], &["does not begin with RCNTRACE", "run P.rcn --trace"]);
    fails(2, &["diff", &at("a.trace"), &digit], &["one of the files is a trace"]);
}
