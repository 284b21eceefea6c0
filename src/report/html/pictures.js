// The pictures of one layer.

/** The bytes of base64 text. */
function bytes(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
}

/** Numbers of a column: float32, or codes that a format turns into real values. */
function column(text, format) {
  if (!format) return new Float32Array(bytes(text));
  const [least, most] = format.codes;
  const codes = most - least < 256 ? new Uint8Array(bytes(text)) : new Uint16Array(bytes(text));
  return Float32Array.from(codes, (q) => (q + least - format.zero_point) * format.scale);
}

/** An entry with its columns decoded. */
function decoded(entry) {
  const { pairs, channels, format } = entry;
  const floats = (text) => new Float32Array(bytes(text));
  const given = floats(channels.least);
  return {
    reference: floats(pairs.reference),
    accumulated: column(pairs.value, format),
    isolated: column(pairs.isolated, format),
    channels: {
      numbers: channels.numbers ? new Uint32Array(bytes(channels.numbers)) : Uint32Array.from(given, (_, i) => i),
      accumulated: floats(channels.accumulated),
      isolated: floats(channels.isolated),
      least: given,
      greatest: floats(channels.greatest),
    },
  };
}

/** The indices of a row-major position. */
function indices(position, shape) {
  const found = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    found.unshift(position % shape[axis]);
    position = Math.floor(position / shape[axis]);
  }
  return "[" + found.join(", ") + "]";
}

function scatter(canvas, entry, columns, kind) {
  const values = columns[kind];
  const both = widened(extent(columns.reference, values));
  const range = entry.range.range;
  const chart = axes(canvas, { x: both, y: both, xLabel: "float", yLabel: "de-quantized" });
  const { c, X, Y, area } = chart;
  inside(chart, () => {
    if (range) {
      c.fillStyle = colour("band");
      c.fillRect(X(range[0]), area.top, X(range[1]) - X(range[0]), area.bottom - area.top);
    }
    polyline(chart, both, both, colour("faint"), 1.5);
    c.fillStyle = colour("value");
    c.globalAlpha = 0.55;
    for (let i = 0; i < values.length; i++) {
      c.fillRect(X(columns.reference[i]) - 1.5, Y(values[i]) - 1.5, 3, 3);
    }
    c.globalAlpha = 1;
  });
  const names = [["element", colour("value")], ["identity", colour("faint")]];
  key(chart, range ? [...names, ["range", colour("range")]] : names);
}

function histogram(canvas, entry) {
  const drawn = entry.histogram;
  if (!drawn) return nothing(canvas, "no histogram");
  const range = entry.range.range;
  const bins = drawn.reference.length;
  const [lo, hi] = drawn.bounds;
  const high = (n) => Math.log10(1 + n);
  const greatest = Math.max(...drawn.reference, ...drawn.value);
  const decades = [];
  for (let n = 1; n <= greatest; n *= 10) decades.push(high(n));
  const chart = axes(canvas, {
    x: widened([lo, hi], 0.03),
    y: [0, high(greatest) * 1.12 || 1],
    xLabel: "value",
    yLabel: "elements (logarithmic)",
    yTicks: decades,
    yName: (v) => short(Math.round(10 ** v - 1)),
  });
  const { c, X, Y, area } = chart;
  const edge = (i) => X(lo + ((hi - lo) * i) / bins);
  inside(chart, () => {
    if (range) {
      c.fillStyle = colour("band");
      c.fillRect(X(range[0]), area.top, X(range[1]) - X(range[0]), area.bottom - area.top);
      c.strokeStyle = colour("range");
      c.lineWidth = 1.5;
      c.setLineDash([5, 3]);
      for (const end of range) {
        c.beginPath();
        c.moveTo(X(end), area.top);
        c.lineTo(X(end), area.bottom);
        c.stroke();
      }
      c.setLineDash([]);
    }
    c.fillStyle = colour("float");
    c.globalAlpha = 0.55;
    for (let i = 0; i < bins; i++) {
      const top = Y(high(drawn.reference[i]));
      c.fillRect(edge(i), top, Math.max(1, edge(i + 1) - edge(i) - 0.5), area.bottom - top);
    }
    c.globalAlpha = 1;
    c.strokeStyle = colour("value");
    c.lineWidth = 1.5;
    c.beginPath();
    for (let i = 0; i < bins; i++) {
      const top = Y(high(drawn.value[i]));
      c.lineTo(edge(i), top);
      c.lineTo(edge(i + 1), top);
    }
    c.stroke();
  });
  const names = [["float", colour("float")], ["de-quantized", colour("value")]];
  key(chart, range ? [...names, ["range", colour("range")]] : names, true);
}

/** Draws a window of the curves; returns what stands at a pixel, in words. */
function curves(canvas, entry, columns, kind, { sorted, zoom, from }) {
  const count = columns.reference.length;
  const order = Array.from({ length: count }, (_, i) => i);
  if (sorted) order.sort((a, b) => columns.reference[a] - columns.reference[b] || a - b);
  const shown = Math.max(Math.min(count, 8), Math.ceil(count / 2 ** zoom));
  const first = Math.round((count - shown) * from);
  const part = order.slice(first, first + shown);
  const xs = part.map((_, i) => first + i);
  const reference = part.map((i) => columns.reference[i]);
  const values = part.map((i) => columns[kind][i]);
  const every = entry.pairs.stride > 1 ? `, one element in ${entry.pairs.stride}` : "";
  const chart = axes(canvas, {
    x: [first - 0.5, first + Math.max(shown, 1) - 0.5],
    y: widened(extent(reference, values)),
    xLabel: (sorted ? "components, sorted by float value" : "component") + every,
    yLabel: "value",
  });
  inside(chart, () => {
    const thin = shown > 300 ? 1 : 1.8;
    polyline(chart, xs, values, colour("value"), thin * 1.4);
    polyline(chart, xs, reference, colour("float"), thin);
    if (shown > 130) return;
    for (const [ys, ink] of [[values, "value"], [reference, "float"]]) {
      chart.c.fillStyle = colour(ink);
      xs.forEach((x, i) => chart.c.fillRect(chart.X(x) - 2, chart.Y(ys[i]) - 2, 4, 4));
    }
  });
  key(chart, [["float", colour("float")], ["de-quantized", colour("value")]]);
  return (px) => {
    const at = part[Math.round(chart.value(px)) - first];
    if (at === undefined) return "";
    const [r, v] = [columns.reference[at], columns[kind][at]];
    return `${indices(at * entry.pairs.stride, entry.shape)}: float ${short(r)}, de-quantized ${short(v)}, error ${short(v - r)}`;
  };
}

/** Error bars and ranges of the channels; returns what stands at a pixel, in words. */
function channelCharts(errors, ranges, entry, columns, kind, perfect) {
  const c = columns.channels;
  const count = c.numbers.length;
  if (count === 0) {
    nothing(errors, "this tensor has no channels");
    nothing(ranges, "this tensor has no channels");
    return () => "";
  }
  const scale = entry.format ? entry.format.scale : 1;
  const unit = entry.format ? "steps" : "error";
  const high = c[kind].map((e) => e / scale);
  const most = entry.channels.count > count ? ` (the ${count} worst of ${entry.channels.count})` : "";
  const x = [-0.5, count - 0.5];
  const top = extent(high, entry.format ? [perfect] : [0])[1] * 1.15 || 1;
  const bars = axes(errors, { x, y: [0, top], xLabel: "channel" + most, yLabel: unit });
  const wide = Math.max(1, ((bars.area.right - bars.area.left) / count) * 0.8);
  inside(bars, () => {
    bars.c.fillStyle = colour("value");
    high.forEach((e, i) => bars.c.fillRect(bars.X(i) - wide / 2, bars.Y(e), wide, bars.area.bottom - bars.Y(e)));
    if (entry.format) polyline(bars, x, [perfect, perfect], colour("range"), 1.5);
  });
  const names = [["error", colour("value")]];
  key(bars, entry.format ? [...names, ["a perfect quantizer", colour("range")]] : names);
  const range = entry.range.range;
  const chart = axes(ranges, {
    x,
    y: widened(extent(c.least, c.greatest, range || [])),
    xLabel: "channel" + most,
    yLabel: "float value",
  });
  inside(chart, () => {
    if (range) {
      chart.c.fillStyle = colour("band");
      chart.c.fillRect(chart.area.left, chart.Y(range[1]), chart.area.right - chart.area.left, chart.Y(range[0]) - chart.Y(range[1]));
      for (const end of range) polyline(chart, x, [end, end], colour("range"), 1.5);
    }
    chart.c.fillStyle = colour("float");
    for (let i = 0; i < count; i++) {
      const [y0, y1] = [chart.Y(c.greatest[i]), chart.Y(c.least[i])];
      chart.c.fillRect(chart.X(i) - wide / 2, y0, wide, Math.max(1, y1 - y0));
    }
  });
  key(chart, range ? [["float", colour("float")], ["range", colour("range")]] : [["float", colour("float")]]);
  return (px) => {
    const i = Math.round(bars.value(px));
    if (i < 0 || i >= count) return "";
    return `channel ${c.numbers[i]}: error ${short(high[i])}${entry.format ? " steps" : ""}, float ${short(c.least[i])} to ${short(c.greatest[i])}`;
  };
}
