//! The files that mutants are made of.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use image::{DynamicImage, ImageFormat};
use rcar_iss::internals::compiler::{self, CompileOptions};
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::onnx::{self, ImportOptions, LoadedModel, Observe};
use rcar_iss::internals::program::{Program, text};
use rcar_iss::internals::sim::{EngineKind, Loaded, Session};
use rcar_iss::internals::tensor_file::{Element, TensorData, to_npy, to_npz};
use rcar_iss::internals::trace::TraceWriter;

use super::mutate::picture;
use super::prove::execute;
use super::random::Random;

/// Larger files make slow mutants.
const MOST_BYTES: u64 = 100_000;
/// Of the thousands of combinations of operators, one in so many.
const COMBINATIONS: usize = 29;

/// The repository: targets for cargo-fuzz are built in a folder of it.
fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.ancestors().find(|p| p.join("isa/rcn.toml").is_file()).unwrap_or(here).to_path_buf()
    })
}

/// Files below a folder with this ending, by path.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let (mut folders, mut found) = (vec![root().join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.metadata() {
                Ok(data) if data.is_dir() => folders.push(path),
                Ok(data) if data.len() <= MOST_BYTES && path.extension().is_some_and(|e| e == ending) => {
                    found.push(path)
                }
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn read(paths: Vec<PathBuf>) -> Vec<Vec<u8>> {
    let all: Vec<Vec<u8>> = paths.iter().filter_map(|p| std::fs::read(p).ok()).collect();
    assert!(!all.is_empty(), "there are no files to make mutants of");
    all
}

/// Models of single operators in all forms, the digit classifiers, and combinations of operators, types and
/// versions.
pub(super) fn models() -> Vec<Vec<u8>> {
    let mut all = read([files("tests/golden", "onnx"), files("programs", "onnx")].concat());
    all.extend(files_of_combinations().iter().flat_map(|path| combinations(path)));
    all
}

fn files_of_combinations() -> Vec<PathBuf> {
    let folder = root().join("tests/golden/combinations");
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    found.retain(|p| p.extension().is_some_and(|e| e == "zip"));
    found.sort();
    found
}

/// Some models of one archive; `tests/it/combinations.rs` says how they lie there.
fn combinations(path: &Path) -> Vec<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut bytes = |name: &str| {
        let mut bytes = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let entries: Vec<serde_json::Value> = serde_json::from_slice(&bytes("index.json")).unwrap();
    let data = bytes("data");
    let (mut at, mut found) = (0, Vec::new());
    for (number, entry) in entries.iter().enumerate() {
        let model = entry["model"].as_u64().unwrap() as usize;
        if number % COMBINATIONS == 0 {
            found.push(data[at..at + model].to_vec());
        }
        let inputs = entry["inputs"].as_array().into_iter().flatten().map(|i| size(&i[1], &i[2]));
        let answers = entry["answers"].as_array().into_iter().flatten().flat_map(|a| a.as_array()).flatten();
        at += model + inputs.sum::<usize>() + answers.map(|a| size(&a[0], &a[1])).sum::<usize>();
    }
    found
}

fn size(kind: &serde_json::Value, shape: &serde_json::Value) -> usize {
    let element = Element::from_name(kind.as_str().unwrap()).map_or(4, Element::bytes);
    element * shape.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).product::<usize>()
}

/// Assembly texts, and what compiled models print as.
pub(super) fn sources() -> Vec<Vec<u8>> {
    let mut all = read(files("programs", "s"));
    all.extend(
        compiled().iter().map(|program| text::disassemble(program).into_bytes()).filter(|t| t.len() < 30_000),
    );
    all
}

/// Program files of assembly texts and of some models.
pub(super) fn programs() -> Vec<Vec<u8>> {
    let texts = read(files("programs", "s"));
    let assembled = texts.iter().filter_map(|t| text::assemble(std::str::from_utf8(t).ok()?).ok());
    assembled.chain(compiled().iter().cloned()).filter_map(|program| program.to_bytes().ok()).collect()
}

/// Models of different operators, compiled with all tensors observed.
fn compiled() -> &'static [Program] {
    static ALL: OnceLock<Vec<Program>> = OnceLock::new();
    ALL.get_or_init(|| {
        let machine = Machine::named("rcn-m").unwrap();
        let options = ImportOptions { observe: Observe::All, ..ImportOptions::default() };
        let models = read(files("tests/golden", "onnx"));
        let compile = |bytes: &Vec<u8>| {
            let model = LoadedModel::from_bytes(bytes.clone()).ok()?;
            let graph = onnx::import(&model, &options).ok()?.graph;
            Some(compiler::compile(&graph, &machine, &CompileOptions::default()).ok()?.program)
        };
        let all: Vec<Program> =
            models.iter().step_by(17).filter_map(compile).filter(|p| p.code.len() < 2000).collect();
        assert!(all.len() > 10, "too few models compile");
        all
    })
}

pub(super) fn machines() -> Vec<Vec<u8>> {
    read(files("isa/machines", "toml"))
}

/// Traces of small programs that run to their ends.
pub(super) fn traces() -> Vec<Vec<u8>> {
    let path = execute::scratch("seed.trace");
    let traced = |program: &Program| {
        let machine = Machine::named(&program.meta.machine.name).ok()?;
        let loaded = Loaded::new(Arc::new(program.clone()), &machine, execute::LIMITS).ok()?;
        let mut writer = TraceWriter::create(&path, &loaded).ok()?;
        let inputs = execute::inputs(&loaded.program().meta, &mut Random::new(1));
        let given: Vec<(&str, &[u8])> = inputs.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
        Session::new(&loaded, EngineKind::Fast).run(&given, &mut (), &mut writer).ok()?;
        writer.finish().ok()?;
        std::fs::read(&path).ok()
    };
    let texts = read(files("programs", "s"));
    let assembled = texts.iter().filter_map(|t| text::assemble(std::str::from_utf8(t).ok()?).ok());
    let all: Vec<Vec<u8>> =
        assembled.chain(compiled().iter().step_by(5).cloned()).filter_map(|p| traced(&p)).collect();
    assert!(all.len() > 5, "too few programs run");
    all.into_iter().filter(|t| t.len() as u64 <= MOST_BYTES).collect()
}

/// An array of each type, and archives of some.
pub(super) fn arrays() -> Vec<Vec<u8>> {
    const NAMES: [&str; 12] =
        ["u8", "s8", "u16", "s16", "s32", "s64", "u32", "u64", "f16", "f32", "f64", "bool"];
    let mut random = Random::new(3);
    let mut tensor = |element: Element, shape: &[usize]| {
        let n = shape.iter().product::<usize>() * element.bytes();
        let bytes = if element == Element::Bool { vec![1; n] } else { random.bytes(n) };
        TensorData { element, shape: shape.to_vec(), bytes }
    };
    let tensors: Vec<TensorData> = NAMES
        .iter()
        .filter_map(|name| Element::from_name(name))
        .flat_map(|element| [tensor(element, &[2, 3]), tensor(element, &[1, 3, 4, 4]), tensor(element, &[])])
        .collect();
    let mut all: Vec<Vec<u8>> = tensors.iter().filter_map(|t| to_npy(t).ok()).collect();
    let pairs = |n: usize| tensors.iter().take(n).enumerate().map(|(i, t)| (NAMES[i % 12], t));
    all.extend([1, 3].iter().filter_map(|n| to_npz(pairs(*n)).ok()));
    all
}

/// Pictures in every format, those that can be told apart by their chunks most of all.
pub(super) fn pictures() -> Vec<Vec<u8>> {
    let mut random = Random::new(4);
    let mut all = read([files("programs", "jpg"), files("programs", "png")].concat());
    all.retain(|bytes| bytes.len() < 15_000);
    for (colour, bits) in
        [(0, 1), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 4), (3, 8), (4, 8), (6, 8), (6, 16)]
    {
        all.push(picture::noise(&mut random, [colour, bits, 0], 19, 13));
    }
    let pixels = random.bytes(20 * 14 * 3);
    let Some(rgb) = image::RgbImage::from_raw(20, 14, pixels) else { return all };
    let rgb = DynamicImage::from(rgb);
    let grey = DynamicImage::from(rgb.to_luma8());
    for (picture, format) in [
        (&rgb, ImageFormat::Bmp),
        (&grey, ImageFormat::Bmp),
        (&rgb, ImageFormat::Gif),
        (&rgb, ImageFormat::Tiff),
        (&grey, ImageFormat::Tiff),
        (&rgb, ImageFormat::WebP),
    ] {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        all.push(bytes.into_inner());
    }
    all
}
