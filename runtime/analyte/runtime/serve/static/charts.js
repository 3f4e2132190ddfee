// Charts as SVG, of parts that are made one by one: no markup is ever made of text.
const SVG = "http://www.w3.org/2000/svg";
const W = 460, H = 230, L = 56, R = 12, T = 12, B = 28;

function part(parent, name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

const even = (low, high) => [0, 1, 2, 3, 4].map((step) => low + ((high - low) * step) / 4);

function frame(into, low, high, title, first, last, marks = even(low, high)) {
  into.replaceChildren();
  const svg = part(into, "svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": title });
  const y = (value) => H - B - ((value - low) / (high - low || 1)) * (H - T - B);
  for (const value of marks) {
    part(svg, "line", { class: "axis", x1: L, x2: W - R, y1: y(value), y2: y(value) });
    part(svg, "text", { x: L - 6, y: y(value) + 4, "text-anchor": "end" }, value.toPrecision(3));
  }
  part(svg, "text", { x: L, y: H - 8 }, first);
  part(svg, "text", { x: W - R, y: H - 8, "text-anchor": "end" }, last);
  return { svg, y };
}

const time = (at) => new Date(at).toLocaleString([], { dateStyle: "short", timeStyle: "short" });

function bounds(values) {
  const low = Math.min(...values), high = Math.max(...values);
  const room = (high - low) * 0.08 || Math.abs(high) * 0.05 || 1;
  return [low - room, high + room];
}

// Readings, oldest first: a line with its interval; a refused one interrupts the line.
export function drawHistory(into, readings, unit) {
  const good = readings.filter((one) => one.value !== null);
  if (!good.length) { into.textContent = "No values yet"; return; }
  const [low, high] = bounds(good.flatMap((one) => [one.value, one.lower ?? one.value, one.upper ?? one.value]));
  const title = `${good.length} values from ${time(good[0].captured_at)} to ${time(good.at(-1).captured_at)}, last ${good.at(-1).value.toPrecision(4)} ${unit}`;
  const { svg, y } = frame(into, low, high, title, time(readings[0].captured_at), time(readings.at(-1).captured_at));
  const begin = Date.parse(readings[0].captured_at), span = Date.parse(readings.at(-1).captured_at) - begin || 1;
  const x = (one) => L + ((Date.parse(one.captured_at) - begin) / span) * (W - L - R);
  const runs = [[]];
  for (const one of readings) {
    if (one.value === null) { if (runs.at(-1).length) runs.push([]); } else runs.at(-1).push(one);
    if (one.refused) part(svg, "circle", { class: "bad", cx: x(one), cy: H - B, r: 3 });
  }
  for (const run of runs.filter((one) => one.length)) {
    const up = run.map((one) => `${x(one)},${y(one.upper ?? one.value)}`);
    const down = run.map((one) => `${x(one)},${y(one.lower ?? one.value)}`).reverse();
    part(svg, "polygon", { class: "band", points: [...up, ...down].join(" ") });
    part(svg, "polyline", { class: "line", points: run.map((one) => `${x(one)},${y(one.value)}`).join(" ") });
    if (run.length === 1) part(svg, "circle", { class: "dot", cx: x(run[0]), cy: y(run[0].value), r: 3 });
  }
}

// Controls of one material, oldest first, with target and 2 s and 3 s limits (Levey and Jennings).
export function drawControls(into, controls) {
  if (!controls.length) { into.textContent = "No controls yet"; return; }
  const { target, s, material } = controls.at(-1);
  const [low, high] = bounds([target - 3.2 * s, target + 3.2 * s, ...controls.map((one) => one.value)]);
  const failed = controls.filter((one) => !one.passed).length;
  const title = `${controls.length} controls of ${material}, ${failed} failed; target ${target}, s ${s}`;
  const limits = [-3, -2, 0, 2, 3].map((k) => target + k * s);
  const { svg, y } = frame(into, low, high, title, time(controls[0].at), time(controls.at(-1).at), limits);
  for (const value of limits)
    if (value !== target) part(svg, "line", { class: "limit", x1: L, x2: W - R, y1: y(value), y2: y(value) });
  controls.forEach((one, at) => {
    const x = L + 10 + (at / Math.max(1, controls.length - 1)) * (W - L - R - 20);
    part(svg, "circle", { class: one.passed ? "dot" : "bad", cx: x, cy: y(one.value), r: one.passed ? 4 : 6 });
  });
}
