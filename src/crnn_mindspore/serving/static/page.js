"use strict";

// Sends images to the endpoint and draws what comes back. Texts of clients and of the model enter the page as
// text nodes only.

const RECOGNIZE = "recognize?top_k=3&positions=true&alignment=true&greedy=true";
const SVG = "http://www.w3.org/2000/svg";
const GUTTER = 24; // left of the picture, for the classes' names
const STEP = 12; // a time step, unless that makes the picture too narrow or too wide
const LEAST_WIDTH = 240;
const MOST_WIDTH = 720;
const ROW = 13;
const PICTURE_HEIGHTS = [44, 120];
const LEAST_SHOWN = 0.02; // probability
const BLANK = "\u2022";
const AT_ONCE = 4; // requests
const MOST_CARDS = 60;

const byId = (id) => document.getElementById(id);

function element(name, attributes = {}, text = "") {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

function shape(parent, name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  parent.append(made);
  return made;
}

// What cannot be seen is made visible, as in the error report.
function visible(character) {
  if (character === "") return BLANK;
  if (character === " ") return "\u2423";
  if (/[\p{C}\p{Z}]/u.test(character)) {
    return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  }
  return character;
}

const shown = (text) => Array.from(text, visible).join("");

function probability(value) {
  return value >= 0.001 || value === 0 ? value.toFixed(3) : value.toExponential(0);
}

function describe(model) {
  const hash = model.weights_sha256 ? `, weights ${model.weights_sha256.slice(0, 12)}` : "";
  byId("model").textContent =
    `${model.model} (${model.version}, ${model.precision}${hash}), ${model.charset_size} characters, ` +
    `sees ${model.image_width} \u00d7 ${model.image_height} pixels, decoder ${model.decoder}`;
}

async function askForModels() {
  try {
    const { models } = await (await fetch("models")).json();
    const select = byId("models");
    select.append(...models.map((model) => element("option", { value: model.name }, model.name)));
    select.addEventListener("change", () => describe(models[select.selectedIndex]));
    byId("choice").hidden = models.length < 2;
    describe(models[0]);
  } catch {
    byId("model").textContent = "The server does not answer.";
  }
}

// Where images go: to the model that is chosen.
function endpoint() {
  const name = byId("models").value;
  return name ? `models/${encodeURIComponent(name)}/${RECOGNIZE}` : RECOGNIZE;
}

// The reading, or {error}.
async function recognize(file) {
  const form = new FormData();
  form.append("images", file, file.name || "pasted image");
  try {
    const response = await fetch(endpoint(), { method: "POST", body: form });
    const answer = await response.json();
    return response.ok ? answer.results[0] : { error: answer.detail };
  } catch {
    return { error: "The server does not answer, or refused the size of the image." };
  }
}

// Width and height as the browser shows the picture; null for a format it does not know.
function pictureSize(url) {
  return new Promise((resolve) => {
    const picture = new Image();
    picture.onload = () => resolve([picture.naturalWidth, picture.naturalHeight]);
    picture.onerror = () => resolve(null);
    picture.src = url;
  });
}

function drawStrip(result, url, size) {
  const { centres, rows, steps } = result.alignment;
  const width = Math.max(LEAST_WIDTH, Math.min(MOST_WIDTH, STEP * (centres.length + 1)));
  const unit = width * (centres.length > 1 ? centres[1] - centres[0] : 1);
  const [low, high] = PICTURE_HEIGHTS;
  const picture = size ? Math.max(low, Math.min(high, Math.round((width * size[1]) / size[0]))) : 0;
  const firstRow = picture + 5;
  const lastRow = firstRow + ROW * rows.length;
  const total = GUTTER + width + 4;
  const places = centres.map((centre) => GUTTER + width * centre);
  const characters = new Set(result.text);
  const said = result.characters.map((c) => `${visible(c.text)} at step ${c.first_step + 1}`);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "strip");
  svg.setAttribute("viewBox", `0 0 ${total} ${lastRow + 18}`);
  svg.setAttribute("role", "img");
  const content = said.join(", ") || "nothing but blanks";
  svg.setAttribute("aria-label", `Alignment of ${centres.length} time steps: ${content}`);
  svg.style.maxWidth = `${1.3 * total}px`;
  if (size) {
    const place = { x: GUTTER, y: 0, width, height: picture, preserveAspectRatio: "none", href: url };
    shape(svg, "image", place);
  }
  rows.forEach((row, index) => {
    const y = firstRow + ROW * index;
    const kind = row.character === "" ? "blank" : characters.has(row.character) ? "true" : "other";
    shape(svg, "text", { class: kind, x: GUTTER - 6, y: y + 10, "text-anchor": "end" }, visible(row.character));
    shape(svg, "rect", { class: "rail", x: GUTTER, y, width, height: ROW - 2 });
    row.probabilities.forEach((value, step) => {
      if (value < LEAST_SHOWN) return;
      const x = places[step] - unit / 2;
      const place = { class: `p ${kind}`, x, y, width: unit, height: ROW - 2, "fill-opacity": Math.sqrt(value) };
      shape(shape(svg, "rect", place), "title", {}, `${visible(row.character)} ${value.toFixed(2)}`);
    });
  });
  const small = Math.min(12, 1.1 * unit);
  steps.forEach((step, index) => {
    const x = places[index];
    if (step.emits) shape(svg, "line", { x1: x, x2: x, y1: Math.max(0, picture - 5), y2: lastRow });
    const look = { class: step.emits ? "emits" : "repeats", x, y: lastRow + 12, "text-anchor": "middle" };
    const letter = shape(svg, "text", look, visible(step.character));
    letter.style.fontSize = `${step.emits ? Math.max(9, small) : small}px`;
  });
  return svg;
}

function stepTable(result) {
  const details = element("details");
  details.append(element("summary", {}, "Every time step"));
  const table = element("table");
  const head = table.createTHead().insertRow();
  for (const title of ["step", "character", "probability"]) head.append(element("th", { scope: "col" }, title));
  const body = table.createTBody();
  result.alignment.steps.forEach((step, index) => {
    const row = body.insertRow();
    if (step.emits) row.className = "emits";
    const name = step.character === "" ? "blank" : visible(step.character);
    for (const text of [index + 1, name, probability(step.probability)]) row.insertCell().textContent = text;
  });
  const label = { role: "region", "aria-label": "Every time step" };
  const scroll = element("div", { class: "scroll", tabindex: "0", ...label });
  scroll.append(table);
  details.append(scroll);
  return details;
}

// Texts with their probabilities: "or WORD 0.045, WORD 0.006".
function probabilitiesLine(start, pairs) {
  const line = element("p", { class: "probabilities" });
  pairs.forEach(([text, value], index) => {
    line.append(index ? ", " : start, element("b", {}, shown(text) || "nothing"), ` ${value}`);
  });
  return line;
}

async function card(file, result) {
  const url = URL.createObjectURL(file);
  const size = await pictureSize(url);
  const made = element("article", { class: "card" });
  made.dataset.url = url;
  if (result.error) {
    made.classList.add("failed");
    made.append(element("p", { class: "text" }, result.error));
  } else {
    // A model of positions has no places over time.
    if (result.alignment) made.append(drawStrip(result, url, size));
    else if (size) made.append(element("img", { class: "picture", src: url, alt: "" }));
    made.append(element("p", { class: result.text ? "text" : "text none" }, shown(result.text) || "nothing"));
    const facts = element("p", { class: "facts" }, `confidence ${probability(result.confidence)}`);
    if (result.rejected) facts.append(" · ", element("span", { class: "rejected" }, "rejected"));
    const each = result.characters.map((c) => [c.text, c.confidence.toFixed(2)]);
    const rivals = result.alternatives.map((other) => [other.text, probability(other.confidence)]);
    const beside = (result.attributes || []).map((a) => [`${a.name} ${a.value}`, probability(a.confidence)]);
    made.append(facts, probabilitiesLine("each: ", each), probabilitiesLine("or: ", rivals));
    if (result.greedy) {
      const alone = [result.greedy.text, probability(result.greedy.confidence)];
      made.append(probabilitiesLine(`decoder ${result.decoder}; greedy, the network alone: `, [alone]));
    }
    if (beside.length) made.append(probabilitiesLine("beside: ", beside));
    if (result.alignment) made.append(stepTable(result));
  }
  const pixels = size ? ` · ${size[0]} \u00d7 ${size[1]} px` : " · a format that this browser does not show";
  made.append(element("p", { class: "name" }, `${file.name || "pasted image"}${result.error ? "" : pixels}`));
  return made;
}

// Places for the newest images, in their order, above those of before.
function reserve(files) {
  const gallery = byId("gallery");
  byId("results").hidden = false;
  const places = files.map((file) => {
    const place = element("article", { class: "card" });
    place.append(element("p", { class: "text none" }, "…"), element("p", { class: "name" }, file.name));
    return place;
  });
  gallery.prepend(...places);
  while (gallery.children.length > Math.max(MOST_CARDS, files.length)) {
    const last = gallery.lastElementChild;
    if (last.dataset.url) URL.revokeObjectURL(last.dataset.url);
    last.remove();
  }
  return places;
}

async function readAll(fileList) {
  const files = Array.from(fileList);
  if (!files.length) return;
  const count = files.length;
  const status = byId("status");
  status.textContent = `Reading ${count === 1 ? "1 image" : `${count} images`}…`;
  const places = reserve(files);
  let next = 0;
  let outcome = "";
  async function work() {
    while (next < count) {
      const index = next++;
      const result = await recognize(files[index]);
      places[index].replaceWith(await card(files[index], result));
      outcome = result.error ? `Not read: ${result.error}` : `Read: ${result.text || "nothing"}`;
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  status.textContent = count === 1 ? outcome : `${count} images are done.`;
}

function listen() {
  const drop = byId("drop");
  const input = byId("files");
  input.addEventListener("change", () => {
    readAll(input.files);
    input.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    readAll(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => readAll(event.clipboardData.files));
}

askForModels();
listen();
