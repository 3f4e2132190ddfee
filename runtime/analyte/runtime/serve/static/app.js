// The page of a device. Text from the device is set as text, never as markup.
import { drawControls, drawHistory } from "/static/charts.js";

const at = (id) => document.getElementById(id);
const RANK = ["viewer", "operator", "supervisor"];
const KEPT = 200;
const AGAIN_MS = 3000;
const WAIT = "Please wait";
const NEXT = { start: "stop", stop: "start", release: "rollback", promote: "rollback", "undo-recalibration": "recalibrate" };
const wells = new Map();
const MOST_REFUSED = 12;
let session, words, status, readings = [], refusals = [], newest = null, arrived = 0, heard = 0;
// Readings that came while older ones were asked for; null while none are.
let meanwhile = null;

async function ask(path, options = {}) {
  let answer;
  try { answer = await fetch(path, options); } catch { throw new Error("The device does not answer."); }
  if (answer.status === 401) { location.reload(); throw new Error("Signed out."); }
  const body = await answer.json();
  if (!answer.ok && answer.status !== 503) throw new Error(typeof body.detail === "string" ? body.detail : "Please check what you entered.");
  return body;
}

function post(path, body, type = "application/json") {
  const headers = { "x-csrf-token": session.csrf };
  if (body !== undefined) headers["content-type"] = type;
  return ask(path, { method: "POST", headers, body: body === undefined || body instanceof Blob ? body : JSON.stringify(body) });
}

function add(parent, name, text) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function say(text, good) {
  at("said").textContent = text;
  at("said").className = good ? "good" : "";
}

const digits = (value, one) => {
  const width = Math.max((one.upper ?? value) - (one.lower ?? value), Math.abs(value) * 1e-4, 1e-9);
  return value.toFixed(Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(width)))));
};

function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return `${whole} s`;
  if (whole < 5400) return `${Math.round(whole / 60)} min`;
  return whole < 172800 ? `${Math.round(whole / 3600)} h` : `${Math.round(whole / 86400)} days`;
}

// Age by this machine's own clock since the reading came, as the two clocks may differ.
const age = () => newest.age0 + (performance.now() - arrived) / 1000;

const brief = (one) => one.refused ? "refused" : one.value === null ? `< ${digits(one.upper, one)}` : digits(one.value, one);

// A plate gives a value for each well: the large one must say whose it is.
function showWells(one) {
  at("site").hidden = at("wells").hidden = !one.site;
  if (!one.site) return;
  at("site").textContent = `Well ${one.site}`;
  wells.set(one.site, one);
  for (const select of document.querySelectorAll("select.well"))
    if (select.options.length !== wells.size) {
      const kept = select.value;
      select.replaceChildren();
      for (const site of wells.keys()) add(select, "option", site);
      if (kept) select.value = kept;
    }
  for (const part of document.querySelectorAll(".well")) part.hidden = false;
  at("wells").replaceChildren();
  for (const [site, found] of wells) {
    // Wells of an earlier picture are no longer there to be seen.
    if (found.captured_at === one.captured_at) add(at("wells"), "li", `${site}: ${brief(found)}`);
  }
}

function showValue() {
  const one = newest.reading;
  showWells(one);
  at("number").textContent = one.refused ? "Refused" : brief(one);
  at("unit")?.remove();
  if (!one.refused) { at("value").append(" "); add(at("value"), "span", one.unit).id = "unit"; }
  at("value").className = one.refused ? "word refused" : "";
  at("interval").textContent = one.refused ? words.reasons[one.reason] ?? one.reason
    : one.value === null ? "" : `${digits(one.lower, one)} to ${digits(one.upper, one)} ${one.unit} (${Math.round(one.coverage * 100)} % interval)`;
  at("flags").replaceChildren();
  for (const flag of one.flags) add(at("flags"), "li", words.flags[flag] ?? flag);
  showAge();
}

function showAge() {
  if (!newest) return;
  const seconds = age(), old = seconds > status.max_age_s;
  const was = at("now").classList.contains("old");
  at("now").classList.toggle("old", old);
  if (old) {
    at("number").textContent = `No reading for ${span(seconds)}`;
    at("unit")?.remove();
    at("interval").textContent = newest.reading.value === null ? "" : `Last: ${digits(newest.reading.value, newest.reading)} ${newest.reading.unit}`;
    at("age").textContent = `Measured ${new Date(newest.reading.captured_at).toLocaleString()}`;
  } else if (was) showValue();
  else at("age").textContent = `Measured ${span(seconds)} ago`;
  // The number is spoken when it changes, not every second of its age.
  at("value").setAttribute("aria-live", old ? "off" : "polite");
}

function take(reading, age0) {
  newest = { reading, age0 };
  arrived = performance.now();
  showValue();
}

function showRefused() {
  const list = at("refused");
  list.replaceChildren();
  if (!refusals.length) add(list, "li", "None");
  for (const one of refusals) {
    const item = add(list, "li");
    if (one.frame_file) {
      const image = add(item, "img");
      image.src = `/api/v1/readings/${encodeURIComponent(one.id)}/picture`;
      image.alt = "Picture of the refused reading";
      image.loading = "lazy";
      image.addEventListener("error", () => image.replaceWith(document.createTextNode("No picture")));
    } else add(item, "span", "No picture");
    const text = add(item, "div", words.reasons[one.reason] ?? one.reason);
    add(text, "small", `${new Date(one.captured_at).toLocaleString()}${one.detail ? ": " + one.detail : ""}`);
  }
}

function showStatus(answer) {
  status = answer.status;
  heard = performance.now();
  document.title = `${status.device} - analyte`;
  at("device").textContent = status.device;
  at("analyte").textContent = `${status.analyte} in ${status.unit}`;
  const good = status.measuring && !answer.obstacles.length;
  at("state").textContent = !status.measuring ? "Stopped" : good ? "Measuring" : "Attention needed";
  at("state").className = good ? "good" : "bad";
  at("start").disabled = status.measuring;
  at("stop").disabled = !status.measuring;
  at("obstacles").replaceChildren();
  for (const text of answer.obstacles) add(at("obstacles"), "li", text);
  const rows = {
    "Newest picture": status.frame_age_s === null ? "none" : `${span(status.frame_age_s)} ago`,
    "Bundle": `${status.bundle.slice(0, 16)} (${status.artifact})`,
    "Calibration": status.calibration || "as shipped",
    "Free disk": `${Math.round(status.disk_free_mb)} MB`,
    "Clock": status.clock_ok ? "set" : "not set",
    "Waiting to be stored": String(status.queue_depth),
  };
  if (status.mqtt) rows["MQTT"] = `${status.mqtt.connected ? "connected" : "not connected"}, ${status.mqtt.waiting} wait${status.mqtt.remark ? ": " + status.mqtt.remark : ""}`;
  const drift = Object.entries(status.drift).map(([name, s]) => `${name} ${s.toFixed(1)} s`);
  if (drift.length) rows["Drift of controls"] = drift.join(", ");
  const tried = status.trial;
  if (tried) rows["New bundle, tried"] = `${tried.bundle.slice(0, 16)}: ${tried.compared} readings beside the running one, on average ${tried.mean_difference.toPrecision(2)} ${status.unit} apart, at most ${tried.largest.toPrecision(2)}; ${tried.refused_by_new} refused`;
  else if (status.verdict) rows["New bundle"] = status.verdict;
  at("health").replaceChildren();
  for (const [name, text] of Object.entries(rows)) { add(at("health"), "dt", name); add(at("health"), "dd", text); }
  const late = status.frame_age_s !== null && status.frame_age_s > status.max_age_s;
  at("picture-age").textContent = status.frame_age_s === null ? "" : `Taken ${span(status.frame_age_s)} ago`;
  at("picture-age").className = late ? "late" : "";
  const can = (feature) => status.features.includes(feature);
  at("control").hidden = !can("control");
  if (at("material").options.length !== status.materials.length) {
    at("material").replaceChildren();
    for (const name of status.materials) add(at("material"), "option", name);
  }
  at("known-unit").textContent = `(${status.unit})`;
  at("promote").hidden = !status.trial;
  at("rollback").hidden = !can("bundle");
  at("upload").parentElement.hidden = !can("bundle");
  for (const part of document.querySelectorAll("[data-least]"))
    part.hidden = RANK.indexOf(session.role) < RANK.indexOf(part.dataset.least);
  at("release").hidden = !can("control") || !status.locked;
  at("undo-recalibration").hidden = !status.calibration;
  if (!can("calibrate")) at("standards").hidden = true;
  if (!can("bundle") && at("release").hidden) at("service").hidden = true;
}

async function showControls() {
  const { controls } = await ask("/api/v1/controls");
  const wanted = at("material").value;
  drawControls(at("controls"), controls.filter((one) => !wanted || one.material === wanted));
}

async function showStandards() {
  const { standards } = await ask("/api/v1/standards");
  const list = at("standards-list");
  const chosen = new Map([...list.querySelectorAll("input")].map((box) => [box.value, box.checked]));
  list.replaceChildren();
  for (const one of standards) {
    const label = add(add(list, "li"), "label");
    const box = add(label, "input");
    box.type = "checkbox";
    box.value = one.id;
    box.checked = !one.used && (chosen.get(one.id) ?? true);
    const read = one.reading.toPrecision(4), sigma = one.sigma.toPrecision(2);
    label.append(` ${one.known} ${status.unit}, uncorrected ${read} (s ${sigma}) `);
    add(label, "small", `${new Date(one.at).toLocaleTimeString()}, ${one.who}`);
  }
}

function standard() {
  const text = at("known").value.trim();
  if (!text) { at("known").focus(); throw new Error("Enter the known value first, as a number."); }
  return { known: Number(text), well: at("standard-well").value };
}

function recalibration() {
  const standards = [...document.querySelectorAll("#standards-list input:checked")].map((box) => box.value);
  if (!standards.length) throw new Error("Measure and choose a standard first.");
  return { method: at("method").value, standards, ...why("calibrate-why") };
}

function showPicture() {
  if (document.hidden || status.frame_age_s === null) return;
  const next = new Image();
  next.addEventListener("load", () => {
    at("picture").src = next.src;
    at("picture").hidden = false;
    at("picture-none").hidden = true;
  });
  next.src = `/api/v1/picture.jpg?t=${Date.now()}`;
}

// The record has what was missed while nobody listened. What comes during the question stands behind its answer.
async function catchUp() {
  if (meanwhile) return;
  meanwhile = [];
  try {
    // The device may have been started anew: then its word for forged requests is another one.
    session = await ask("/api/v1/session");
    const [kept, refused] = await Promise.all([ask(`/api/v1/readings?limit=${KEPT}`), ask(`/api/v1/readings?refused=true&limit=${MOST_REFUSED}`)]);
    const newer = (known) => { const ids = new Set(known.map((one) => one.id)); return meanwhile.filter((one) => !ids.has(one.id)); };
    readings = [...kept.readings.reverse(), ...newer(kept.readings)].slice(-KEPT);
    refusals = [...newer(refused.readings).filter((one) => one.refused).reverse(), ...refused.readings].slice(0, MOST_REFUSED);
  } finally { meanwhile = null; }
  const last = readings.at(-1);
  for (const one of readings) if (one.site && one.captured_at === last.captured_at) wells.set(one.site, one);
  if (last && last.id !== newest?.reading.id) take(last, (Date.now() - Date.parse(last.captured_at)) / 1000);
  drawHistory(at("history"), readings, status.unit);
  showRefused();
}

function listen() {
  const stream = new EventSource("/api/v1/events");
  stream.addEventListener("open", async () => {
    try {
      await catchUp();
    } catch (error) { say(error.message); }
  });
  // A browser tries again by itself where the line is cut, and never where the answer is a refusal.
  stream.addEventListener("error", () => { if (stream.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS); });
  stream.addEventListener("reading", (event) => {
    const one = JSON.parse(event.data);
    meanwhile?.push(one);
    readings = [...readings, one].slice(-KEPT);
    take(one, one.capture_age_ms / 1000);
    drawHistory(at("history"), readings, status.unit);
    if (!one.refused) return;
    refusals = [one, ...refusals].slice(0, MOST_REFUSED);
    showRefused();
  });
}

function act(id, path, body, done) {
  let busy = false;
  at(id).addEventListener("click", async () => {
    if (busy) return;
    busy = true;
    const held = document.activeElement === at(id);
    // Said where the person looks, which on a phone is far from the value.
    at(id).closest("section").append(at("said"));
    say(WAIT);
    at("said").className = "wait";
    try {
      const given = body ? body() : undefined;
      const blob = given instanceof Blob;
      const answer = await post(blob ? `${path}?name=${encodeURIComponent(given.name)}` : path, given, blob ? "application/octet-stream" : undefined);
      showStatus(await ask("/api/v1/status"));
      // The part with the button may be gone by what it did.
      if (at("said").closest("[hidden]")) at("now").append(at("said"));
      if (!at("control").hidden) await showControls();
      if (!at("standards").hidden) await showStandards();
      // A button that is gone must not take the keyboard's place with it.
      if (held && (at(id).disabled || at(id).hidden)) at(NEXT[id])?.focus();
      say(`${done}${answer.result ? ": " + answer.result.slice(0, 160) : ""}`, !/^(failed|refused)/.test(answer.result));
    } catch (error) { say(error.message); } finally { busy = false; }
  });
}

function why(id = "why") {
  const text = at(id).value.trim();
  if (!text) { at(id).focus(); throw new Error("Say the reason first: it is kept in the record."); }
  return { why: text };
}

function file() {
  const [chosen] = at("bundle").files;
  if (!chosen) throw new Error("Choose a file first.");
  return chosen;
}

async function begin() {
  [session, words] = await Promise.all([ask("/api/v1/session"), ask("/api/v1/words")]);
  at("who").textContent = `${session.name} (${session.role})`;
  at("logout").hidden = session.local;
  showStatus(await ask("/api/v1/status"));
  await catchUp();
  await showControls();
  await showStandards();
  showPicture();
  listen();
  act("start", "/api/v1/start", null, "Measuring");
  act("stop", "/api/v1/stop", null, "Stopped");
  act("measure", "/api/v1/measure", null, "Measuring now");
  act("run-control", "/api/v1/controls", () => ({ material: at("material").value, well: at("control-well").value }), "Control");
  act("release", "/api/v1/controls/release", () => why(), "Released");
  act("measure-standard", "/api/v1/standards", standard, "Standard");
  act("recalibrate", "/api/v1/recalibrations", recalibration, "Recalibrated");
  act("undo-recalibration", "/api/v1/recalibrations/undo", () => why("calibrate-why"), "Taken back");
  act("promote", "/api/v1/bundles/promote", () => why(), "Chosen");
  act("rollback", "/api/v1/bundles/rollback", () => why(), "Went back to");
  act("upload", "/api/v1/bundles", file, "Bundle taken");
  at("material").addEventListener("change", showControls);
  at("logout").addEventListener("click", async () => { await post("/logout"); location.assign("/login"); });
  setInterval(showAge, 1000);
  setInterval(showPicture, 2000);
  setInterval(async () => {
    try { showStatus(await ask("/api/v1/status")); } catch {
      at("state").textContent = `No answer for ${span((performance.now() - heard) / 1000)}`;
      at("state").className = "bad";
    }
  }, 3000);
  document.body.dataset.ready = "yes";
}

begin().catch((error) => say(error.message));
