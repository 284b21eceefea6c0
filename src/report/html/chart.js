"use strict";
// Axes on a canvas.

/** A colour of the style sheet. */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

/** A number for people. */
function short(v) {
  if (v === null || v === undefined) return "not finite";
  if (v === 0) return "0";
  const size = Math.abs(v);
  return size >= 1e6 || size < 1e-3 ? v.toExponential(2) : String(Number(v.toPrecision(4)));
}

/** Round numbers inside [lo, hi]: about as many as asked for. */
function ticks([lo, hi], wanted) {
  const rough = (hi - lo) / wanted;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((m) => m * unit >= rough) * unit;
  const found = [];
  for (let i = Math.ceil(lo / step); i * step <= hi * (1 + 1e-12) + 1e-300; i++) found.push(i * step);
  return found;
}

/** An interval that is not empty, with some air. */
function widened([lo, hi], air = 0.04) {
  if (!(lo <= hi)) return [-1, 1];
  const more = hi > lo ? (hi - lo) * air : Math.abs(lo) * 0.1 || 1;
  return [lo - more, hi + more];
}

/** Least and greatest finite number of several lists. */
function extent(...lists) {
  let lo = Infinity;
  let hi = -Infinity;
  for (const list of lists) {
    for (const v of list) {
      if (!Number.isFinite(v)) continue;
      if (v < lo) lo = v;
      if (v > hi) hi = v;
    }
  }
  return [lo, hi];
}

/** The empty axes of a canvas; the result has the context and the functions from values to pixels. */
function axes(canvas, { x, y, xLabel, yLabel, yName = short, yTicks, bottom = 34 }) {
  const width = canvas.clientWidth;
  const height = Number(canvas.dataset.height);
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = height + "px";
  const c = canvas.getContext("2d");
  c.scale(ratio, ratio);
  c.clearRect(0, 0, width, height);
  const area = { left: 62, top: 8, right: width - 8, bottom: height - bottom };
  const X = (v) => area.left + ((v - x[0]) / (x[1] - x[0])) * (area.right - area.left);
  const Y = (v) => area.bottom - ((v - y[0]) / (y[1] - y[0])) * (area.bottom - area.top);
  c.font = "11px system-ui, sans-serif";
  c.lineWidth = 1;
  c.strokeStyle = colour("line");
  c.fillStyle = colour("faint");
  c.textAlign = "center";
  c.textBaseline = "top";
  if (xLabel !== undefined) {
    for (const v of ticks(x, Math.max(2, width / 90))) {
      c.beginPath();
      c.moveTo(X(v), area.top);
      c.lineTo(X(v), area.bottom);
      c.stroke();
      c.fillText(short(v), X(v), area.bottom + 4);
    }
    c.fillText(xLabel, (area.left + area.right) / 2, area.bottom + 18);
  }
  c.textAlign = "right";
  c.textBaseline = "middle";
  for (const v of yTicks || ticks(y, Math.max(2, height / 45))) {
    c.beginPath();
    c.moveTo(area.left, Y(v));
    c.lineTo(area.right, Y(v));
    c.stroke();
    c.fillText(yName(v), area.left - 5, Y(v));
  }
  c.save();
  c.translate(11, (area.top + area.bottom) / 2);
  c.rotate(-Math.PI / 2);
  c.textAlign = "center";
  c.fillText(yLabel, 0, 0);
  c.restore();
  const value = (px) => x[0] + ((px - area.left) / (area.right - area.left)) * (x[1] - x[0]);
  return { c, X, Y, area, value };
}

/** Draws inside the axes only. */
function inside({ c, area }, draw) {
  c.save();
  c.beginPath();
  c.rect(area.left, area.top, area.right - area.left, area.bottom - area.top);
  c.clip();
  draw();
  c.restore();
}

/** Names of what is drawn, in the upper left or right corner. */
function key({ c, area }, names, right = false) {
  const widths = names.map(([name]) => c.measureText(name).width + 26);
  let at = right ? area.right - widths.reduce((a, b) => a + b, 0) - 6 : area.left + 6;
  c.save();
  c.globalAlpha = 0.85;
  c.fillStyle = colour("page");
  c.fillRect(at - 2, area.top + 2, widths.reduce((a, b) => a + b, 0), 16);
  c.globalAlpha = 1;
  c.textAlign = "left";
  c.textBaseline = "middle";
  names.forEach(([name, ink], i) => {
    c.fillStyle = ink;
    c.fillRect(at, area.top + 8, 14, 4);
    c.fillStyle = colour("ink");
    c.fillText(name, at + 18, area.top + 10);
    at += widths[i];
  });
  c.restore();
}

/** Says what is drawn when there is nothing to draw. */
function nothing(canvas, why) {
  const { c, area } = axes(canvas, { x: [0, 1], y: [0, 1], yTicks: [], yLabel: "" });
  c.textAlign = "center";
  c.fillStyle = colour("faint");
  c.fillText(why, (area.left + area.right) / 2, (area.top + area.bottom) / 2);
}

/** A line through points; a value that is not finite breaks it. */
function polyline({ c, X, Y }, xs, ys, ink, width) {
  c.strokeStyle = ink;
  c.lineWidth = width;
  c.beginPath();
  let pen = false;
  for (let i = 0; i < xs.length; i++) {
    if (!Number.isFinite(ys[i])) {
      pen = false;
      continue;
    }
    if (pen) c.lineTo(X(xs[i]), Y(ys[i]));
    else c.moveTo(X(xs[i]), Y(ys[i]));
    pen = true;
  }
  c.stroke();
}
