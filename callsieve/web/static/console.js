// What the console does beyond plain pages: every page works without it. Nothing is made from text but by textContent,
// except the fragments that our own server sends, which are escaped there.
"use strict";

document.documentElement.classList.add("js");

// On a phone the pages of a part are wider than the screen: the row begins where one is.
const here = document.querySelector(".within [aria-current]");
if (here) here.scrollIntoView({ block: "nearest", inline: "center" });

// A menu closes with Escape and by a click elsewhere, as people expect.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open], details.ask[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
// The search has "/" where nobody types, and Ctrl-K everywhere.
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, textarea, select");
  const isAsked = (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) || (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey));
  const search = document.querySelector(".find input");
  if (!isAsked || !search) return;
  event.preventDefault();
  search.focus();
  search.select();
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// What somebody opened stays open when a part of the page is brought up to date.
let opened = [];
document.addEventListener("htmx:beforeSwap", () => {
  opened = [...document.querySelectorAll("details.more[id][open]")].map((one) => one.id);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
});

// The editor of rules: numbers of its lines, those with an error in red, and a way from an error to its line.
const editor = document.querySelector(".editor textarea");
function numberLines() {
  const gutter = document.querySelector(".editor .gutter");
  const wrong = (document.getElementById("checked")?.dataset.lines ?? "").split(",");
  editor.rows = Math.max(26, editor.value.split("\n").length + 2);
  gutter.replaceChildren();
  for (let line = 1; line <= editor.rows; line++) {
    const number = document.createElement(wrong.includes(String(line)) ? "b" : "span");
    number.textContent = `${line}\n`;
    gutter.append(number);
  }
}
if (editor) {
  numberLines();
  editor.addEventListener("input", numberLines);
  document.addEventListener("htmx:afterSettle", numberLines);
  document.addEventListener("click", (event) => {
    const line = Number(event.target.closest?.("[data-line]")?.dataset.line);
    if (!line) return;
    event.preventDefault();
    const lines = editor.value.split("\n");
    const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    editor.focus();
    editor.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
  });
}

// Pages have times in the server's zone. A browser in another zone shows its own, as the charts do; the title has both.
function showLocalTimes(root) {
  for (const element of root.querySelectorAll("time[title]:not([data-local])")) {
    element.dataset.local = "yes";
    const at = new Date(element.dateTime);
    const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)$/.exec(element.dateTime) ?? [];
    const offset = (sign === "-" ? -1 : 1) * (60 * hours + Number(minutes));
    if (Number.isNaN(offset) || offset === -at.getTimezoneOffset()) continue;
    const { day, clock } = stamp(at.getTime() / 1000);
    element.title = `${day} ${clock} (${element.title})`;
    if (element.className === "at") element.textContent = `${day} ${clock}`;
  }
}
document.addEventListener("DOMContentLoaded", () => showLocalTimes(document));
document.addEventListener("htmx:afterSettle", () => showLocalTimes(document));

// Charts are drawn from the tables beside them, which are there for everybody.
function columnsOf(table) {
  const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  const rows = [...table.tBodies[0].rows];
  const at = rows.map((row) => Number(row.cells[0].dataset.at));
  const columns = heads.slice(1).map((name, place) => ({
    name,
    values: rows.map((row) => Number(row.cells[place + 1].dataset.value ?? row.cells[place + 1].textContent)),
  }));
  return { at, columns, time: heads[0] };
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// Times as everywhere on the pages: 2026-12-31 18:00. On the axis the hour, or the day where that is what changes.
const DAY_SECONDS = 86400;
const stamp = (seconds) => {
  const at = new Date(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  return { day: `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`, clock: `${two(at.getHours())}:${two(at.getMinutes())}` };
};
function ticks(_chart, splits, _axis, _space, step) {
  let last = "";
  return splits.map((seconds) => {
    const { day, clock } = stamp(seconds);
    if (step >= DAY_SECONDS) return day.slice(5);
    const text = day === last ? clock : `${clock}\n${day.slice(5)}`;
    last = day;
    return text;
  });
}
function times(name) {
  return { label: name, value: (_chart, seconds) => (seconds === null ? "–" : `${stamp(seconds).day} ${stamp(seconds).clock}`) };
}

function axes() {
  const common = { stroke: colour("dim"), font: "12px system-ui, sans-serif", grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
  return [{ ...common, grid: { show: false }, values: ticks }, { ...common, size: 44 }];
}

function options(element, more) {
  return {
    width: Math.max(240, element.clientWidth),
    height: 200,
    axes: axes(),
    scales: { y: { range: (_chart, low, high) => [Math.min(0, low ?? 0), Math.max(1, 1.08 * (high ?? 1))] } },
    cursor: { drag: { x: false, y: false } },
    tzDate: (seconds) => new Date(seconds * 1000),
    ...more,
  };
}

function lineChart(element, { at, columns, time }) {
  const series = columns.map((column) => ({
    label: column.name,
    stroke: colour("accent"),
    width: 2,
    points: { show: false },
    value: (_chart, value) => (value === null ? "–" : value.toFixed(2)),
  }));
  return new uPlot(options(element, { series: [times(time), ...series] }), [at, ...columns.map((column) => column.values)], element);
}

function drawCharts() {
  if (typeof uPlot === "undefined") return;
  for (const element of document.querySelectorAll(".chart[data-chart]")) {
    const table = document.getElementById(element.dataset.chart);
    if (!table || element.dataset.drawn) continue;
    const chart = lineChart(element, columnsOf(table));
    element.dataset.drawn = "yes";
    const details = table.closest("details");
    if (details) details.open = false;
    new ResizeObserver(() => chart.setSize({ width: Math.max(240, element.clientWidth), height: 200 })).observe(element);
  }
}
drawCharts();
document.addEventListener("htmx:afterSwap", drawCharts);

// Calls as they happen. Rows come from our own server, escaped there; a row that is there already is replaced.
function watchLive() {
  const body = document.querySelector("[data-live]");
  if (!body || typeof EventSource === "undefined") return;
  const state = document.getElementById("live-state");
  const most = Math.max(20, body.rows.length);
  const source = new EventSource(body.dataset.live);
  let isOpen = false;
  // "Live" is green only while the daemon answers: without it no call arrives here, however well we listen.
  const show = (on = isOpen) => {
    isOpen = on;
    const answers = document.getElementById("screening")?.dataset.answers !== "no";
    state.textContent = !on ? state.dataset.off : answers ? state.dataset.on : state.dataset.silent;
    state.classList.toggle("on", on && answers);
  };
  document.addEventListener("htmx:afterSettle", () => show());
  source.addEventListener("open", () => show(true));
  source.addEventListener("error", () => show(false));
  source.addEventListener("over", () => {
    source.close();
    show(false);
  });
  source.addEventListener("call", (event) => {
    const template = document.createElement("template");
    template.innerHTML = event.data;
    const row = template.content.querySelector("tr");
    if (!row) return;
    const old = document.getElementById(row.id);
    if (old) old.replaceWith(row);
    else body.prepend(row);
    while (body.rows.length > most) body.rows[body.rows.length - 1].remove();
    showLocalTimes(body);
    const empty = body.closest("section").querySelector(".empty");
    if (empty) empty.remove();
  });
  window.addEventListener("pagehide", () => source.close());
}
watchLive();
