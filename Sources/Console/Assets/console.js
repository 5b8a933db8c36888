// SPDX-License-Identifier: Apache-2.0
// What pages do beyond being read: they stay up to date, charts say their numbers, and PromQL is completed. Without it all is there.
"use strict";

// MARK: Live

const main = document.getElementById("main");
const pulse = document.getElementById("pulse");
let stream = null;
/** What is new of sections in which the visitor is just now. */
const waiting = new Map();

/** Puts a section's new drawing in place, and keeps what the visitor has opened; not while he is in it. */
function replace(section, html) {
  if (section.contains(document.activeElement) && document.activeElement.closest("details, .plot")) return false;
  const selection = getSelection();
  if (selection && !selection.isCollapsed && section.contains(selection.anchorNode)) return false;
  const open = [...section.querySelectorAll("details[open]")].map((details) => details.id);
  section.innerHTML = html;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  return true;
}

function follow() {
  const address = main?.dataset.stream;
  if (!address || stream || document.hidden) return;
  stream = new EventSource(address);
  stream.onmessage = (event) => {
    const { id, html } = JSON.parse(event.data);
    waiting.set(id, html);
    for (const [id, html] of waiting) {
      const section = document.getElementById(id);
      if (!section || replace(section, html)) waiting.delete(id);
    }
    pulse.textContent = "Live, " + new Date().toISOString().slice(11, 19) + ".";
  };
  stream.onerror = () => {
    pulse.textContent = "Not live: the connection is gone, and is tried again.";
    // After an answer that was none, a browser does not try again by itself.
    if (stream?.readyState !== EventSource.CLOSED) return;
    stream = null;
    setTimeout(follow, 5000);
  };
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return follow();
  stream?.close();
  stream = null;
});
// Otherwise a page that is left keeps its place among those who look on.
addEventListener("pagehide", () => { stream?.close(); stream = null; });
addEventListener("pageshow", follow);
follow();

// MARK: Charts

const drawn = new WeakMap();

function chart(plot) {
  if (!drawn.has(plot)) drawn.set(plot, JSON.parse(plot.dataset.chart));
  return drawn.get(plot);
}

function point(plot, place) {
  const data = chart(plot);
  if (!data.x.length) return;
  place = Math.max(0, Math.min(data.x.length - 1, place));
  plot.dataset.place = place;
  const svg = plot.querySelector("svg");
  let cross = svg.querySelector(".cross");
  if (!cross) {
    cross = document.createElementNS("http://www.w3.org/2000/svg", "path");
    cross.setAttribute("class", "cross");
    svg.append(cross);
  }
  cross.setAttribute("d", `M${data.x[place] * 10} 0V200`);
  let tip = plot.querySelector(".tip");
  if (!tip) {
    tip = document.createElement("div");
    tip.setAttribute("role", "status");
    plot.append(tip);
  }
  tip.className = "tip " + (data.x[place] > 50 ? "left" : "right");
  tip.textContent = [data.t[place], ...data.s.map((line) => `${line[0]}: ${line[place + 1]}`).slice(0, 14)].join("\n");
}

function unpoint(plot) {
  plot.querySelector(".cross")?.remove();
  plot.querySelector(".tip")?.remove();
}

document.addEventListener("pointermove", (event) => {
  const plot = event.target.closest?.("[data-chart]");
  for (const other of document.querySelectorAll("[data-chart] .tip")) {
    if (other.parentElement !== plot && other.parentElement !== document.activeElement) unpoint(other.parentElement);
  }
  if (!plot) return;
  const box = plot.querySelector("svg").getBoundingClientRect();
  const share = ((event.clientX - box.left) / box.width) * 100;
  const { x } = chart(plot);
  let best = 0;
  for (let place = 1; place < x.length; place++) if (Math.abs(x[place] - share) < Math.abs(x[best] - share)) best = place;
  point(plot, best);
});
document.addEventListener("focusout", (event) => { if (event.target.matches?.("[data-chart]")) unpoint(event.target); });

// MARK: Keys

document.addEventListener("keydown", (event) => {
  const plot = event.target.closest?.("[data-chart]");
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (plot && step) {
    event.preventDefault();
    return point(plot, Number(plot.dataset.place ?? chart(plot).x.length) + step);
  }
  if (event.target.matches?.("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    const field = document.querySelector(".controls input:not([type=hidden]), .controls textarea");
    if (field) { event.preventDefault(); field.focus(); }
  }
  if (event.key === "e") {
    const failed = [...document.querySelectorAll("details.failed")];
    const next = failed[(failed.findIndex((span) => span === document.activeElement?.closest("details")) + 1) % failed.length];
    if (next) { next.open = true; next.querySelector("summary").focus(); }
  }
});

// A span that is named in the address is open.
function openNamed() {
  const named = document.getElementById(location.hash.slice(1));
  if (named?.matches("details")) { named.open = true; named.scrollIntoView({ block: "center" }); }
}
addEventListener("hashchange", openNamed);
openNamed();

// Choosing a service brings its operations.
document.querySelector("select[name=service]")?.addEventListener("change", (event) => {
  const operation = event.target.form.elements.operation;
  if (operation) operation.value = "";
  event.target.form.requestSubmit();
});

// MARK: Completion

for (const field of document.querySelectorAll("[data-complete]")) {
  const list = document.createElement("ul");
  list.className = "complete";
  list.id = "complete";
  list.setAttribute("role", "listbox");
  list.hidden = true;
  field.after(list);
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-controls", list.id);
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-expanded", "false");
  let asked = 0;

  const word = () => field.value.slice(0, field.selectionStart).match(/[A-Za-z_:][A-Za-z0-9_:]*$/)?.[0] ?? "";
  const close = () => { list.hidden = true; field.setAttribute("aria-expanded", "false"); field.removeAttribute("aria-activedescendant"); };
  const mark = (place) => [...list.children].forEach((item, at) => {
    item.setAttribute("aria-selected", String(at === place));
    if (at === place) field.setAttribute("aria-activedescendant", item.id);
  });
  const marked = () => [...list.children].findIndex((item) => item.getAttribute("aria-selected") === "true");
  const take = (name) => {
    const end = field.selectionStart, start = end - word().length;
    field.setRangeText(name, start, end, "end");
    close();
    field.focus();
  };
  field.addEventListener("input", async () => {
    const text = word(), mine = ++asked;
    if (text.length < 2) return close();
    const answer = await fetch(`${field.dataset.complete}?text=${encodeURIComponent(text)}`);
    const names = answer.ok ? await answer.json() : [];
    if (mine !== asked) return;
    list.replaceChildren(...names.map((name, place) => {
      const item = document.createElement("li");
      item.textContent = name;
      item.id = "complete-" + place;
      item.setAttribute("role", "option");
      item.addEventListener("pointerdown", (event) => { event.preventDefault(); take(name); });
      return item;
    }));
    list.hidden = names.length === 0 || (names.length === 1 && names[0] === text);
    field.setAttribute("aria-expanded", String(!list.hidden));
    mark(0);
  });
  field.addEventListener("keydown", (event) => {
    if (!list.hidden) {
      const count = list.children.length;
      if (event.key === "ArrowDown") { event.preventDefault(); return mark((marked() + 1) % count); }
      if (event.key === "ArrowUp") { event.preventDefault(); return mark((marked() + count - 1) % count); }
      if (event.key === "Tab" || event.key === "Enter") { event.preventDefault(); return take(list.children[marked()].textContent); }
      if (event.key === "Escape") { event.preventDefault(); return close(); }
    }
    if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); field.form.requestSubmit(); }
  });
  field.addEventListener("blur", close);
}
