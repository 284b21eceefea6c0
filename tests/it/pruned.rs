//! Pruned weights: the bytes of the dense compilation in fewer cycles, and how the tool shows it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::fine;

fn models() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/operators/convolution");
    let mut models: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "onnx"))
        .filter(|p| p.file_stem().is_some_and(|n| n.to_string_lossy().starts_with("pruned_")))
        .collect();
    models.sort();
    assert!(
        models.len() >= 9,
        "tests/golden/operators/convolution has only {} models named pruned_*",
        models.len()
    );
    models
}

#[test]
fn zero_blocks_cost_no_cycles_and_change_no_byte() {
    for model in models() {
        let path = model.display().to_string();
        let input = model.with_extension("npy").display().to_string();
        for machine in ["rcn-s", "rcn-m", "rcn-l"] {
            let run = |more: &[&str]| -> Value {
                let args =
                    [&["run", &path, "--input", &input, "--machine", machine, "--json"], more].concat();
                serde_json::from_str(&fine(&args)).unwrap()
            };
            let (pruned, dense) = (run(&[]), run(&["--dense-weights"]));
            assert_eq!(pruned["runs"][0]["outputs"], dense["runs"][0]["outputs"], "{path} on {machine}");
            let busy = |v: &Value| v["units"]["mac"]["busy"].as_u64().unwrap();
            let small = path.contains("small_blocks") && machine != "rcn-s";
            // Blocks smaller than the array's steps save bytes, but hardly a step.
            assert!(
                if small { busy(&pruned) <= busy(&dense) } else { busy(&pruned) < busy(&dense) },
                "{path} on {machine}: {} cycles of the array with zero blocks left out, {} with all",
                busy(&pruned),
                busy(&dense)
            );
        }
    }
}

#[test]
fn info_shows_density_and_which_layers_skip_blocks() {
    let program = crate::scratch("pruned").join("p.rcn").display().to_string();
    let model = models().into_iter().find(|m| m.ends_with("pruned_square_u8.onnx")).unwrap();
    fine(&["compile", &model.display().to_string(), "-o", &program]);
    let text = fine(&["info", &program, "--layers"]);
    let line = text.lines().find(|l| l.contains(" conv ")).unwrap();
    assert!(line.contains("skipped"), "{text}");
    let density = line.split_whitespace().find_map(|w| w.strip_suffix('%')).unwrap();
    assert!((10.0..50.0).contains(&density.parse::<f64>().unwrap()), "{text}");
}
