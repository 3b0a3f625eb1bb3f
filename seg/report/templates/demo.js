"use strict";
const about = JSON.parse(document.getElementById("about").textContent);
const byId = (id) => document.getElementById(id);
const sliders = [...document.querySelectorAll(".threshold")];
const images = [];
let current = null, asked = 0, moved = false, timer = null;

const make = (name, text, parent) => {
  const element = document.createElement(name);
  element.textContent = text;
  return parent.appendChild(element);
};
const query = () => (moved ? `?threshold=${sliders.map((s) => s.value).join(",")}` : "");

async function answered(address, options) {
  let response;
  try { response = await fetch(address, options); }
  catch { throw new Error("no answer; was the command stopped?"); }
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  const content = await response.json();
  if (content.error) throw new Error(content.error);
  return content;
}

function refuse(message) { make("li", message, byId("refused")).className = "grave"; }

async function send(files) {
  if (!files.length) return;
  byId("status").textContent = `reading ${files.length} ${files.length > 1 ? "files" : "file"} ...`;
  byId("refused").replaceChildren();
  const form = new FormData();
  for (const file of files) form.append("files", file);
  try {
    const taken = await answered("images", { method: "POST", body: form });
    const before = images.length;
    for (const one of taken) {
      if (one.error) { refuse(one.error); continue; }
      images.push(one);
      const button = make("button", one.name, byId("images"));
      button.type = "button";
      button.onclick = () => choose(one);
      one.button = button;
    }
    byId("status").textContent = "";
    if (images.length > before) await choose(images[before]);
  } catch (error) { byId("status").textContent = ""; refuse(error.message); }
}

async function choose(one) {
  current = one;
  for (const other of images) other.button.setAttribute("aria-current", String(other === one));
  byId("slices").hidden = one.pictures < 2;
  byId("slice").max = one.pictures - 1;
  byId("slice").value = one.slice ??= Math.floor(one.pictures / 2);
  await show();
}

async function show() {
  const one = current, turn = ++asked, place = `images/${one.number}/${one.slice}`;
  byId("slices").querySelector("output").value = `${one.slice} of 0 to ${one.pictures - 1}`;
  byId("status").textContent = `${one.name}: predicting ...`;
  try {
    const result = await answered(place + query());
    if (turn !== asked) return; // another was asked for meanwhile
    byId("status").textContent = "";
    draw(one, place, result);
  } catch (error) {
    if (turn !== asked) return;
    byId("status").textContent = "";
    byId("result").hidden = true;
    byId("refused").replaceChildren();
    refuse(error.message);
  }
}

function draw(one, place, result) {
  const { width, height } = result;
  byId("title").textContent = `${one.name}, ${width} x ${height} pixels`;
  const plane = byId("plane") ? byId("plane").value : 0;
  for (const [id, source] of [["image", `${place}.png`], ["map", `${place}/${plane}.png`]]) {
    const picture = byId(id);
    if (picture.getAttribute("src") !== source) picture.src = source;
    picture.style.width = `min(640px, ${60 * width / height}vh)`;
    picture.style.aspectRatio = `${width} / ${height}`;
  }
  const lines = byId("outlines");
  lines.setAttribute("viewBox", `0 0 ${width} ${height}`);
  lines.replaceChildren();
  for (const [index, path] of Object.entries(result.outlines)) {
    for (const [colour, stroke] of [["#000a", 4], [about.classes[index - 1].colour, 2]]) {
      const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
      line.setAttribute("d", path);
      line.setAttribute("stroke", colour);
      line.setAttribute("stroke-width", stroke);
      line.dataset.index = index;
      lines.append(line);
    }
  }
  hide();
  byId("remarks").replaceChildren();
  for (const remark of result.remarks) make("li", remark, byId("remarks"));
  byId("rows").replaceChildren();
  result.classes.forEach((figures, index) => {
    const row = byId("rows").insertRow();
    make("i", "", row.insertCell()).style.background = about.classes[index].colour;
    row.cells[0].append(about.classes[index].name);
    const area = figures.mm2 === null ? "\u2013" : figures.mm2.toFixed(2);
    for (const text of [figures.pixels, area, figures.regions, figures.confidence.toFixed(3)])
      make("td", text, row).className = "number";
    for (const cell of row.cells)
      cell.dataset.name = byId("figures").tHead.rows[0].cells[cell.cellIndex].textContent;
  });
  byId("note").textContent = `Confidence of the whole mask: ${result.confidence.toFixed(3)}; sorted by it, `
    + "the masks to review come first. It is the mean probability of the mask's pixels.";
  byId("masks").textContent = one.pictures > 1 ? "masks of this file" : "this mask";
  byId("masks").href = `images/${one.number}/masks${query()}`;
  for (const link of document.querySelectorAll(".save:not(#masks)"))
    link.href = link.getAttribute("href").split("?")[0] + query();
  byId("result").hidden = false;
}

function hide() {
  const shown = new Set([...document.querySelectorAll(".shown:checked")].map((box) => box.value));
  for (const line of byId("outlines").children)
    line.style.display = shown.has(line.dataset.index) ? "" : "none";
}

function later() { clearTimeout(timer); timer = setTimeout(show, 60); }

byId("files").onchange = (event) => { send([...event.target.files]); };
for (const kind of ["dragenter", "dragover", "dragleave", "drop"])
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    byId("drop").classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") send([...event.dataTransfer.files]);
  });
for (const slider of sliders) slider.oninput = () => {
  moved = true;
  slider.nextElementSibling.value = slider.value;
  later();
};
if (byId("own")) byId("own").onclick = () => {
  moved = false;
  for (const slider of sliders) slider.nextElementSibling.value = slider.value = slider.dataset.own;
  later();
};
byId("slice").oninput = () => { current.slice = Number(byId("slice").value); later(); };
if (byId("plane")) byId("plane").onchange = later;
for (const box of document.querySelectorAll(".shown")) box.onchange = hide;
