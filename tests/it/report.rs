//! `compare --report`: the page's bytes, and the page in a real browser where there is one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use prost::Message;
use rcar_iss::internals::onnx::proto::ModelProto;

use crate::cli::fine;
use crate::repository::digit;
use crate::required::missing;

/// A name that would end a script, and open a tag, if it were not escaped.
const AWKWARD: &str = "</script><b>&\"'{{ 7*7 }}<!--";

fn page(model: &str, to: &Path) -> String {
    let (float, seven) = (digit("float.onnx"), digit("seven.png"));
    let to = to.to_str().unwrap();
    fine(&["compare", model, "--reference", &float, "--input", &seven, "--report", to]);
    fs::read_to_string(to).unwrap()
}

/// The digit network with itself and its pools renamed, the sidecar beside it.
fn renamed(dir: &Path) -> String {
    let mut model = ModelProto::decode(fs::read(digit("model.onnx")).unwrap().as_slice()).unwrap();
    let graph = model.graph.as_mut().unwrap();
    graph.name = Some(AWKWARD.into());
    for node in &mut graph.node {
        if node.op_type() == "MaxPool" {
            node.name = Some(format!("{}{AWKWARD}", node.name()));
        }
    }
    let path = dir.join("model.onnx");
    fs::write(&path, model.encode_to_vec()).unwrap();
    fs::copy(digit("model.toml"), dir.join("model.toml")).unwrap();
    path.display().to_string()
}

/// A browser; without one the test is skipped.
fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path).flat_map(|dir| names.map(|n| dir.join(n))).find(|p| p.is_file());
    if found.is_none() {
        missing("browser", "no chromium was found in PATH");
    }
    found
}

fn browse(browser: &Path, dir: &Path, address: &str, action: &str) -> Output {
    Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1280,1600"])
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .args(["--virtual-time-budget=5000", action, address])
        .output()
        .unwrap()
}

#[test]
fn a_page_needs_nothing_else_and_names_cannot_break_it() {
    let dir = crate::scratch("report-page");
    let text = page(&renamed(&dir), &dir.join("a.html"));
    assert_eq!(text, page(&renamed(&dir), &dir.join("b.html")));
    // The two scripts of the page, and no other: no name ends one or starts one.
    let count = |what: &str| text.matches(what).count();
    assert_eq!((count("<script"), count("</script>"), count("<!--"), count("<b>&")), (2, 2, 0, 0));
    assert!(text.contains("<title>&lt;") && text.contains("{{ 7*7 }}"), "a name was taken for a template");
    for outside in ["src=", "@import", "url(", "https:", "<link rel=\"stylesheet"] {
        assert!(!text.contains(outside), "{outside}");
    }
    let data = text.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0;
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let nodes = data["nodes"].as_array().unwrap();
    assert!(nodes.iter().any(|n| n["name"].as_str().unwrap().contains(AWKWARD)), "{nodes:#?}");
    // The input and eleven layers, each reading the one before it.
    assert_eq!((nodes.len(), data["edges"].as_array().unwrap().len()), (12, 11));
    let entries = data["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 11);
    let cycles: u64 = entries.iter().map(|e| e["cycles"].as_u64().unwrap()).sum();
    assert!(cycles > 0 && cycles <= data["cycles"].as_u64().unwrap());
    for e in entries {
        let bins = e["histogram"]["reference"].as_array().unwrap();
        let counted: u64 = bins.iter().map(|n| n.as_u64().unwrap()).sum();
        let elements: u64 = e["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).product();
        assert_eq!(counted, elements, "{e:#}");
    }
}

#[test]
fn a_browser_draws_every_layer() {
    let Some(browser) = chromium() else { return };
    let dir = crate::scratch("report-browser");
    let to = dir.join("page.html");
    page(&renamed(&dir), &to);
    let address = |entry: usize| format!("file://{}#{entry}", to.display());
    for entry in [3, 10] {
        let out = browse(&browser, &dir, &address(entry), "--dump-dom");
        let dom = String::from_utf8_lossy(&out.stdout);
        let html = dom.split("<head").next().unwrap();
        assert!(html.contains("data-layers=\"11\""), "{html}\n{}", String::from_utf8_lossy(&out.stderr));
        assert!(html.contains("data-shown=") && !html.contains("data-error"), "{html}");
        // Every layer has its row and every node its box.
        let graph = dom.split_once("id=\"graph\"").and_then(|(_, rest)| rest.split_once("</nav>")).unwrap().0;
        assert_eq!((dom.matches("<tr class=").count(), graph.matches("<rect ").count()), (11, 12));
        assert!(dom.contains("what lies in the scratchpad"), "the picture of the scratchpad");
    }
    let shot = dir.join("page.png");
    browse(&browser, &dir, &address(3), &format!("--screenshot={}", shot.display()));
    let mut reader =
        png::Decoder::new(std::io::BufReader::new(fs::File::open(&shot).unwrap())).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (1280, 1600));
    let size = info.color_type.samples();
    let near = |p: &[u8], want: [u8; 3]| p.iter().zip(want).all(|(a, b)| a.abs_diff(b) < 40);
    let inked = |want| pixels[..info.buffer_size()].chunks(size).filter(|p| near(p, want)).count();
    // Both colours of the curves are there, and most of the page is white.
    for (name, want, least) in
        [("page", [255; 3], 1_000_000), ("float", [0, 114, 178], 500), ("value", [213, 94, 0], 500)]
    {
        assert!(inked(want) > least, "{name}: {} pixels", inked(want));
    }
}

/// Actions of a reader on the page: it clicks a row, sorts by a column in both directions, presses a key, and
/// clicks a box of the graph. After each step the script records numbers only, which need no quotes in an
/// attribute.
const READER: &str = r##"<script>
(() => {
  const rows = () => [...document.querySelectorAll("#table tbody tr")];
  const number = (row) => Number(row.cells[0].textContent);
  const shown = () => [number(rows().find((r) => r.className === "chosen")), Number(location.hash.slice(1))];
  const click = (part) => part.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  const heading = () => document.querySelectorAll("#table th")[4];
  const noted = [];
  click(rows()[7]);
  noted.push(shown());
  for (let i = 0; i < 2; i++) {
    click(heading());
    noted.push(rows().map(number));
  }
  press("ArrowDown");
  noted.push(shown());
  press("ArrowUp");
  press("ArrowUp");
  noted.push(shown());
  click(document.querySelectorAll("#graph g")[3]);
  noted.push(shown());
  document.documentElement.dataset.noted = JSON.stringify(noted);
})();
</script></body>"##;

#[test]
fn clicks_and_keys_choose_layers_and_sort_the_table() {
    let Some(browser) = chromium() else { return };
    let dir = crate::scratch("report-clicks");
    let to = dir.join("page.html");
    let text = page(&digit("model.onnx"), &to);
    let data = text.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0;
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let entries = data["entries"].as_array().unwrap();
    assert_eq!(text.matches("</body>").count(), 1);
    fs::write(&to, text.replace("</body>", READER)).unwrap();
    let out = browse(&browser, &dir, &format!("file://{}", to.display()), "--dump-dom");
    let dom = String::from_utf8_lossy(&out.stdout);
    let html = dom.split("<head").next().unwrap();
    assert!(!html.contains("data-error"), "{html}");
    let noted = html.split_once("data-noted=\"").expect(html).1.split_once('"').unwrap().0;
    let noted: Vec<Vec<u64>> = serde_json::from_str(noted).unwrap();

    let number = |i: &usize| entries[*i]["index"].as_u64().unwrap();
    let noise = |i: &usize| entries[*i]["accumulated"]["sqnr_db"].as_f64().unwrap();
    let both = |i: usize| vec![number(&i), i as u64];
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by(|a, b| noise(a).total_cmp(&noise(b)));
    let rising: Vec<u64> = order.iter().map(number).collect();
    // Equal ones stay in the order of the program.
    order.sort_by(|a, b| noise(b).total_cmp(&noise(a)).then(a.cmp(b)));
    let falling: Vec<u64> = order.iter().map(number).collect();
    assert_ne!(rising, falling);
    // Keys follow the table as it is sorted.
    let at = order.iter().position(|i| *i == 7).unwrap();
    let down = (at + 1).min(order.len() - 1);
    let box_of = (0..entries.len()).find(|i| entries[*i]["node"].as_u64() == Some(3)).unwrap();
    let expected =
        [both(7), rising, falling, both(order[down]), both(order[down.saturating_sub(2)]), both(box_of)];
    assert_eq!(noted, expected);
}
