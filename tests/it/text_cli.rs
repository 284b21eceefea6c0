//! Networks of text on the command line: several inputs of integers, open extents, cached keys and values,
//! ids that choose rows of tables.

use std::path::Path;

use rcar_iss::internals::tensor_file::{Npz, TensorData, to_npy, to_npz};
use serde_json::Value;

use crate::cli::{fails, fine};

/// A float network of `tests/golden/text/`, its inputs in one archive, and the extents that it leaves open.
struct Network {
    float: String,
    archive: String,
    extents: Vec<&'static str>,
    /// How near its quantized outputs are to those in float, in dB.
    db: f64,
}

impl Network {
    fn all() -> [Network; 2] {
        let of = |name: &str, extents: &'static str, db| {
            let at = |end: &str| format!("{}/tests/golden/text/{name}{end}", env!("CARGO_MANIFEST_DIR"));
            Network { float: at(".onnx"), archive: at(".npz"), extents: extents.split(' ').collect(), db }
        };
        [
            of("bert", "--dim batch=1 --dim seq=8", 22.0),
            of("gpt", "--dim batch=1 --dim seq=3 --dim past=5 --dim total=8", 25.0),
        ]
    }

    fn arrays(&self) -> Vec<(String, TensorData)> {
        let mut npz = Npz::open(std::fs::read(&self.archive).unwrap()).unwrap();
        let names: Vec<String> = npz.names().iter().map(ToString::to_string).collect();
        names.into_iter().map(|n| (n.clone(), npz.array(&n).unwrap())).collect()
    }

    /// Quantizes it in a folder.
    fn quantized(&self, folder: &Path, more: &[&str]) -> String {
        let q = folder.join("q.onnx").display().to_string();
        let command = ["quantize", &self.float, "--calib", &self.archive, "-o", &q];
        fine(&[&command[..], &self.extents, more].concat());
        q
    }
}

/// The digests of the outputs of one run, by name.
fn outputs(args: &[&str]) -> Vec<(String, String)> {
    let json: Value = serde_json::from_str(&fine(&[args, &["--json"]].concat())).unwrap();
    let text = |v: &Value| v.as_str().unwrap().to_string();
    let outputs = json["runs"][0]["outputs"].as_array().unwrap();
    outputs.iter().map(|o| (text(&o["name"]), text(&o["digest"]))).collect()
}

#[test]
fn inputs_of_integers_come_by_name_to_every_command() {
    for network in Network::all() {
        let folder = crate::scratch("text-inputs");
        for bits in [&[][..], &["--bits", "16"]] {
            let q = network.quantized(&folder, bits);
            let with_extents = |args: &[&str]| {
                args.iter()
                    .copied()
                    .chain(network.extents.iter().copied())
                    .map(String::from)
                    .collect::<Vec<_>>()
            };
            let run = |inputs: &[String]| {
                let inputs: Vec<&str> = inputs.iter().flat_map(|i| ["--input", i]).collect();
                let args = with_extents(&[&["run", &q][..], &inputs].concat());
                outputs(&args.iter().map(String::as_str).collect::<Vec<_>>())
            };
            let one_by_one = network.arrays().into_iter().map(|(name, array)| {
                let file = folder.join(format!("{name}.npy"));
                std::fs::write(&file, to_npy(&array).unwrap()).unwrap();
                format!("{name}={}", file.display())
            });
            let whole = run(std::slice::from_ref(&network.archive));
            assert_eq!(run(&one_by_one.collect::<Vec<_>>()), whole, "{q}");

            let compare =
                ["compare", &q, "--reference", &network.float, "--input", &network.archive, "--json"];
            let compare = with_extents(&compare);
            let report = fine(&compare.iter().map(String::as_str).collect::<Vec<_>>());
            let report: Value = serde_json::from_str(&report).unwrap();
            let layers = report["layers"].as_array().unwrap().iter();
            let found: Vec<&Value> = layers.filter(|l| l["output"] == true).collect();
            assert_eq!(found.len(), whole.len());
            for output in found {
                let db = output["accumulated"]["sqnr_db"].as_f64().unwrap();
                assert!(db > network.db, "{}: {output}", network.float);
            }
            let diagnose = ["diagnose", &q, "--reference", &network.float, "--input", &network.archive];
            let diagnose = with_extents(&diagnose);
            fine(&diagnose.iter().map(String::as_str).collect::<Vec<_>>());

            // Rows of all tables are chosen on the accelerator.
            let check = with_extents(&["check", &q]);
            let check = fine(&check.iter().map(String::as_str).collect::<Vec<_>>());
            assert!(check.contains("LayerNormalization run on the host"), "{check}");
            assert!(!check.contains("Gather"), "{check}");
        }
    }
}

#[test]
fn an_id_without_a_row_is_a_fault() {
    let [network, _] = Network::all();
    let folder = crate::scratch("text-ids");
    let q = network.quantized(&folder, &[]);
    for (id, last) in [(50_i64, "50"), (-51, "-51")] {
        let arrays: Vec<(String, TensorData)> = network
            .arrays()
            .into_iter()
            .map(|(name, mut array)| {
                if name == "input_ids" {
                    array.bytes[3 * 8..4 * 8].copy_from_slice(&id.to_le_bytes());
                }
                (name, array)
            })
            .collect();
        let file = folder.join("ids.npz");
        let archive = to_npz(arrays.iter().map(|(n, a)| (n.as_str(), a))).unwrap();
        std::fs::write(&file, archive).unwrap();
        let file = file.display().to_string();
        for engine in [&[][..], &["--threads", "2"], &["--engine", "reference"]] {
            let args = [&["run", &q, "--input", &file][..], &network.extents, engine].concat();
            let says = ["dma.gather", "in layer \"Gather_0\"", &format!("id {last} at index 3"), "50 rows"];
            fails(5, &args, &says);
        }
    }
}
