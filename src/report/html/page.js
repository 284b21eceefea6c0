// The page: graph, strip, table, and which layer is shown.

(() => {
  const root = document.documentElement;
  const find = (id) => document.getElementById(id);
  window.addEventListener("error", (event) => {
    root.dataset.error = event.message;
    find("failure").hidden = false;
    find("failure").textContent = "The script of this page failed: " + event.message;
  });

  const data = JSON.parse(find("data").textContent);
  const { entries, nodes } = data;
  const kindNow = () => document.querySelector("input[name=kind]:checked").value;
  const decibels = (db) => (db >= data.exact_db ? "exact" : db <= data.nan_db ? "NaN" : db.toFixed(1));
  const percent = (share) => (share === 0 ? "0" : (share * 100).toFixed(2) + "%");
  const whole = (n) => n.toLocaleString("en-US");

  // Diverging colours of ColorBrewer (RdYlBu), which colour-blind people can tell apart: least dB, fill, text.
  const CLASSES = [
    [40, "#2c7bb6", "#fff", "≥ 40 dB"],
    [30, "#abd9e9", "#000", "30–40"],
    [20, "#ffffbf", "#000", "20–30"],
    [10, "#fdae61", "#000", "10–20"],
    [-Infinity, "#d7191c", "#fff", "< 10 dB"],
  ];
  const classOf = (db) => CLASSES.find(([least]) => db >= least);

  let chosen = 0;
  let order = entries.map((_, i) => i);
  let columns = null;

  function element(parent, name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    parent.append(made);
    return made;
  }

  // ---- graph

  const WIDTH = 138;
  const HEIGHT = 36;
  const boxes = nodes.map(() => null);
  /** The entry of each node with the greatest error, by kind. */
  const worstOf = (node, kind) => {
    const own = entries.map((e, i) => [e, i]).filter(([e]) => e.node === node);
    own.sort((a, b) => a[0][kind].sqnr_db - b[0][kind].sqnr_db);
    return own.length ? own[0][1] : null;
  };
  const worst = { accumulated: nodes.map((_, i) => worstOf(i, "accumulated")), isolated: nodes.map((_, i) => worstOf(i, "isolated")) };

  function svg(parent, name, attributes) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    parent.append(made);
    return made;
  }

  function middle(name, length) {
    if (name.length <= length) return name;
    const tail = Math.ceil(length * 0.6);
    return name.slice(0, length - tail - 1) + "…" + name.slice(-tail);
  }

  function drawGraph() {
    for (const [, fill, ink, text] of CLASSES) {
      const patch = element(find("legend"), "span", text);
      patch.style.background = fill;
      patch.style.color = ink;
    }
    const [width, height] = [data.width * WIDTH, data.height * HEIGHT];
    const drawing = svg(find("graph"), "svg", { width, height, viewBox: `0 0 ${width} ${height}` });
    const at = ([x, y]) => [x * WIDTH, (y + 0.5) * HEIGHT];
    for (const corners of data.edges) {
      let [x, y] = at(corners[0]);
      y += 11;
      let path = `M${x} ${y}`;
      corners.slice(1).forEach((corner, i) => {
        const [nextX, nextY] = at(corner);
        const end = nextY - (i === corners.length - 2 ? 11 : 0);
        const bend = Math.min(HEIGHT / 2, (end - y) / 2);
        path += x === nextX ? `L${x} ${end}` : `C${x} ${y + bend} ${nextX} ${end - bend} ${nextX} ${end}`;
        [x, y] = [nextX, end];
      });
      svg(drawing, "path", { d: path });
    }
    nodes.forEach((node, i) => {
      const [x, y] = at(node.at);
      const box = svg(drawing, "g", {});
      svg(box, "rect", { x: x - 62, y: y - 11, width: 124, height: 22, rx: node.kind === "input" ? 11 : 3 });
      svg(box, "text", { x, y }).textContent = middle(node.name, 19);
      boxes[i] = box;
      svg(box, "title", {});
      box.addEventListener("click", () => {
        const entry = worst[kindNow()][i];
        if (entry !== null) show(entry);
      });
    });
  }

  function paintGraph() {
    const kind = kindNow();
    nodes.forEach((node, i) => {
      const box = boxes[i];
      const entry = worst[kind][i];
      const [, fill, ink] = entry === null ? [0, colour("panel"), colour("ink")] : classOf(entries[entry][kind].sqnr_db);
      box.querySelector("rect").setAttribute("fill", fill);
      box.querySelector("text").setAttribute("fill", ink);
      box.setAttribute("class", (entry === null ? "plain" : "") + (entries[chosen].node === i ? " chosen" : ""));
      const error = entry === null ? node.reason || "not compared" : decibels(entries[entry][kind].sqnr_db) + " dB";
      const cost = node.kind === "input" ? "" : `, ${whole(node.cycles)} cycles`;
      box.querySelector("title").textContent = `${node.name} (${node.kind}): ${error}${cost}`;
    });
  }

  // ---- strip

  let stripAt = () => null;
  function drawStrip() {
    const canvas = find("strip");
    const count = entries.length;
    const shown = (db) => Math.max(-10, Math.min(db, 70));
    const sqnr = (kind) => entries.map((e) => shown(e[kind].sqnr_db));
    const all = extent(sqnr("accumulated"), sqnr("isolated"));
    // The bars take the lower quarter.
    const low = Math.min(0, all[0]);
    const high = Math.max(all[1], 10) * 1.3;
    const chart = axes(canvas, {
      x: [-0.5, count - 0.5],
      y: [low - (high - low) * 0.35, high],
      xLabel: "compared tensors, in the order of the program",
      yLabel: "SQNR [dB]",
      yTicks: ticks([low, high], 4),
    });
    const { c, X, area } = chart;
    const base = area.bottom;
    const most = Math.max(1, ...entries.map((e) => e.cycles));
    const wide = Math.max(1, ((area.right - area.left) / count) * 0.7);
    inside(chart, () => {
      c.fillStyle = colour("chosen");
      c.fillRect(X(chosen - 0.5) - 1, area.top, Math.max(3, X(1) - X(0)) + 2, area.bottom - area.top);
      c.fillStyle = colour("faint");
      entries.forEach((e, i) => {
        const tall = (e.cycles / most) * (area.bottom - area.top) * 0.22;
        c.fillRect(X(i) - wide / 2, base - tall, wide, tall);
      });
      const xs = entries.map((_, i) => i);
      for (const [kind, ink] of [["isolated", "float"], ["accumulated", "value"]]) {
        const ys = sqnr(kind);
        polyline(chart, xs, ys, colour(ink), 1.6);
        if (count > 150) continue;
        c.fillStyle = colour(ink);
        xs.forEach((x) => c.fillRect(X(x) - 2, chart.Y(ys[x]) - 2, 4, 4));
      }
    });
    key(chart, [["as it runs", colour("value")], ["each layer alone", colour("float")], [`cycles (most: ${whole(most)})`, colour("faint")]], true);
    stripAt = (px) => {
      const i = Math.round(chart.value(px));
      return i >= 0 && i < count ? i : null;
    };
  }

  // ---- table

  const HEADINGS = [
    ["#", (e) => e.index, String],
    ["layer", (e) => e.layer, null],
    ["kind", (e) => e.kind, null],
    ["type", (e) => e.dtype, null],
    ["SQNR", (e) => e.accumulated.sqnr_db, decibels],
    ["alone", (e) => e.isolated.sqnr_db, decibels],
    ["cosine", (e) => e.accumulated.cosine, (v) => v.toFixed(5)],
    ["max error", (e) => e.accumulated.max_abs, short],
    ["steps", (e) => e.accumulated.rms_steps, (v) => v.toFixed(2)],
    ["alone", (e) => e.isolated.rms_steps, (v) => v.toFixed(2)],
    ["clipped", (e) => e.range.clip_low + e.range.clip_high, percent],
    ["codes", (e) => e.range.utilization, (v) => Math.round(v * 100) + "%"],
    ["cycles", (e) => e.cycles, whole],
  ];
  let sortedBy = [0, 1];
  const rows = [];

  function drawTable() {
    const head = element(document.querySelector("#table thead"), "tr");
    HEADINGS.forEach(([name, , text], i) => {
      const heading = element(head, "th", name, text ? "" : "word");
      heading.addEventListener("click", () => {
        sortedBy = sortedBy[0] === i ? [i, -sortedBy[1]] : [i, 1];
        sortTable();
      });
    });
    entries.forEach((entry, i) => {
      const row = document.createElement("tr");
      for (const [name, value, text] of HEADINGS) {
        const v = value(entry);
        const cell = element(row, "td", v === null ? "" : text ? text(v) : v, text ? "" : "word");
        if (name === "layer") {
          cell.title = `${entry.layer}: ${entry.tensor}`;
          cell.prepend(document.createElement("i"));
        }
      }
      row.addEventListener("click", () => show(i));
      rows.push(row);
    });
  }

  function sortTable() {
    const [by, direction] = sortedBy;
    const value = HEADINGS[by][1];
    order = entries.map((_, i) => i);
    order.sort((a, b) => {
      const [x, y] = [value(entries[a]), value(entries[b])];
      if (x === null || y === null) return (x === null) - (y === null) || a - b;
      return (x < y ? -direction : x > y ? direction : 0) || a - b;
    });
    document.querySelector("#table tbody").replaceChildren(...order.map((i) => rows[i]));
    document.querySelectorAll("#table th").forEach((heading, i) => {
      heading.textContent = HEADINGS[i][0] + (i === by ? (direction > 0 ? " ▲" : " ▼") : "");
    });
  }

  function paintTable() {
    const kind = kindNow();
    rows.forEach((row, i) => {
      row.className = i === chosen ? "chosen" : "";
      row.querySelector("i").style.background = classOf(entries[i][kind].sqnr_db)[1];
    });
  }

  // ---- one layer

  function fill(table, lines) {
    table.replaceChildren();
    lines.forEach((line, i) => {
      const row = element(table, "tr");
      line.forEach((cell, j) => element(row, i === 0 && line.length > 2 ? "th" : "td", cell, j === 0 ? "word" : ""));
    });
  }

  function drawFigures(entry) {
    const node = nodes[entry.node];
    find("name").textContent = `${entry.index}  ${entry.layer}`;
    const from = entry.onnx_nodes.length ? ` from ${entry.onnx_nodes.join(", ")}` : "";
    const where = entry.host ? ", on the host" : entry.bits ? `, ${entry.bits.operands} to ${entry.bits.result} bits` : "";
    find("about").textContent =
      `${entry.kind}${where}${from}. Tensor ${entry.tensor}, ${entry.dtype} ${entry.shape.join("×")}; compared with ${entry.reference}.`;
    const errors = (name, e) => [
      name,
      decibels(e.sqnr_db),
      e.cosine.toFixed(6),
      short(e.max_abs),
      short(e.mean_abs),
      e.rms_steps === null ? "" : e.rms_steps.toFixed(3),
    ];
    fill(find("errors"), [
      ["error", "SQNR [dB]", "cosine", "max", "mean", "steps"],
      errors("as it runs", entry.accumulated),
      errors("alone", entry.isolated),
      errors("rounding only", entry.rounding),
    ]);
    const interval = ([lo, hi]) => `${short(lo)} … ${short(hi)}`;
    const range = entry.range;
    const facts = [["float values", interval(range.reference)]];
    if (entry.format) {
      facts.push([
        "quantization range",
        `${interval(range.range)} (scale ${short(entry.format.scale)}, zero point ${entry.format.zero_point})`,
      ]);
      facts.push(["clipped low, high", `${percent(range.clip_low)}, ${percent(range.clip_high)}`]);
      facts.push(["codes used", range.utilization === null ? "" : Math.round(range.utilization * 100) + "%"]);
    }
    if (entry.headroom_bits !== null) facts.push(["accumulator headroom", entry.headroom_bits.toFixed(1) + " bits"]);
    const share = data.cycles ? ((node.cycles / data.cycles) * 100).toFixed(1) : "0";
    facts.push(["cycles", `${whole(node.cycles)} (${share}%), alone at least ${whole(node.alone)}; bound by ${node.bound}`]);
    fill(find("facts"), facts);
    const lines = entry.worst.map((w) => [
      indices(w.index, entry.shape),
      data.names[w.input] ?? String(w.input),
      short(w.reference),
      short(w.value),
      w.value === null || w.reference === null ? "" : short(w.value - w.reference),
      short(w.isolated),
    ]);
    fill(find("worst"), [["indices", "input", "float", "de-quantized", "error", "layer alone"], ...lines]);
  }

  let curveAt = () => "";
  let channelAt = () => "";
  function drawCurves() {
    const sorted = document.querySelector("input[name=order]:checked").value === "sorted";
    const window = { sorted, zoom: Number(find("zoom").value), from: Number(find("from").value) / 1000 };
    curveAt = curves(find("curves"), entries[chosen], columns, kindNow(), window);
  }

  function draw() {
    const entry = entries[chosen];
    paintGraph();
    paintTable();
    drawStrip();
    drawFigures(entry);
    scatter(find("scatter"), entry, columns, kindNow());
    histogram(find("histogram"), entry);
    drawCurves();
    const [errors, ranges] = [find("channel-errors"), find("channel-ranges")];
    channelAt = channelCharts(errors, ranges, entry, columns, kindNow(), data.perfect_steps);
    for (const id of ["curves-read", "channels-read"]) find(id).textContent = "";
    root.dataset.shown = entry.layer;
  }

  /** Scrolls a box until an element in it is seen, and nothing else. */
  function reveal(box, part) {
    const [outer, inner] = [box.getBoundingClientRect(), part.getBoundingClientRect()];
    if (inner.top < outer.top + 30 || inner.bottom > outer.bottom) {
      box.scrollTop += (inner.top + inner.bottom - outer.top - outer.bottom) / 2;
    }
    if (inner.width < outer.width && (inner.left < outer.left || inner.right > outer.right)) {
      box.scrollLeft += (inner.left + inner.right - outer.left - outer.right) / 2;
    }
  }

  function show(entry) {
    chosen = entry;
    columns = decoded(entries[chosen]);
    draw();
    history.replaceState(null, "", "#" + chosen);
    find("strip-read").textContent = `${entries[chosen].index} ${entries[chosen].layer}`;
    reveal(find("graph"), boxes[entries[chosen].node]);
    reveal(find("table"), rows[chosen]);
  }

  /** The entry that the address names, or the one with the greatest error of its own. */
  function first() {
    const named = /^#\d+$/.test(location.hash) ? Number(location.hash.slice(1)) : -1;
    if (named >= 0 && named < entries.length) return named;
    return entries.reduce((best, e, i) => (e.isolated.sqnr_db < entries[best].isolated.sqnr_db ? i : best), 0);
  }

  drawGraph();
  drawTable();
  sortTable();
  show(first());

  const pointer = (event) => event.clientX - event.target.getBoundingClientRect().left;
  find("strip").addEventListener("click", (event) => {
    const at = stripAt(pointer(event));
    if (at !== null) show(at);
  });
  find("strip").addEventListener("mousemove", (event) => {
    const e = entries[stripAt(pointer(event)) ?? chosen];
    find("strip-read").textContent =
      `${e.index} ${e.layer}: ${decibels(e.accumulated.sqnr_db)} dB, alone ${decibels(e.isolated.sqnr_db)} dB, ${whole(e.cycles)} cycles`;
  });
  find("curves").addEventListener("mousemove", (event) => {
    find("curves-read").textContent = curveAt(pointer(event));
  });
  for (const id of ["channel-errors", "channel-ranges"]) {
    find(id).addEventListener("mousemove", (event) => {
      find("channels-read").textContent = channelAt(pointer(event));
    });
  }
  document.querySelectorAll("input[name=kind]").forEach((input) => input.addEventListener("change", draw));
  document.querySelectorAll("input[name=order]").forEach((input) => input.addEventListener("change", drawCurves));
  for (const id of ["zoom", "from"]) find(id).addEventListener("input", drawCurves);
  window.addEventListener("resize", draw);
  window.addEventListener("hashchange", () => show(first()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input[type=range]")) return;
    event.preventDefault();
    const at = order.indexOf(chosen) + step;
    if (at >= 0 && at < order.length) show(order[at]);
  });
  root.dataset.layers = String(entries.length);
})();
