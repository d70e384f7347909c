// What the console does beyond plain pages: every page works without it. Nothing is made from text but by textContent,
// except the fragments that our own server sends, which are escaped there.
"use strict";

document.documentElement.classList.add("js");

// A menu closes with Escape and by a click elsewhere, as people expect.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open], details.ask[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// Charts are drawn from the tables beside them, which are there for everybody.
function columnsOf(table) {
  const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  const rows = [...table.tBodies[0].rows];
  const at = rows.map((row) => Number(row.cells[0].dataset.at));
  const columns = heads.slice(1).map((name, place) => ({
    name,
    word: table.tHead.rows[0].cells[place + 1].dataset.action || "",
    values: rows.map((row) => Number(row.cells[place + 1].dataset.value ?? row.cells[place + 1].textContent)),
  }));
  return { at, columns };
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function axes() {
  const common = { stroke: colour("dim"), font: "12px system-ui, sans-serif", grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
  return [{ ...common, grid: { show: false } }, { ...common, size: 44 }];
}

function options(element, more) {
  return {
    width: Math.max(240, element.clientWidth),
    height: 200,
    axes: axes(),
    cursor: { drag: { x: false, y: false } },
    tzDate: (seconds) => new Date(seconds * 1000),
    ...more,
  };
}

function lineChart(element, { at, columns }) {
  const series = columns.map((column) => ({
    label: column.name,
    stroke: colour("accent"),
    width: 2,
    points: { show: false },
    value: (_chart, value) => (value === null ? "–" : value.toFixed(2)),
  }));
  return new uPlot(options(element, { series: [{}, ...series] }), [at, ...columns.map((column) => column.values)], element);
}

// Each column stands on those before it; what is drawn first is the sum of all.
function stackedChart(element, { at, columns }) {
  const sums = [];
  columns.forEach((column, place) => {
    sums.push(column.values.map((value, row) => value + (place ? sums[place - 1][row] : 0)));
  });
  const series = columns
    .map((column, place) => ({
      label: column.name,
      stroke: colour(column.word || "accent"),
      fill: colour(column.word || "accent"),
      width: 0,
      paths: uPlot.paths.bars({ size: [0.8, 60] }),
      points: { show: false },
      value: (_chart, _sum, _series, row) => (row === null ? "–" : String(column.values[row])),
    }))
    .reverse();
  return new uPlot(options(element, { series: [{}, ...series] }), [at, ...sums.reverse()], element);
}

function drawCharts() {
  if (typeof uPlot === "undefined") return;
  for (const element of document.querySelectorAll(".chart[data-chart]")) {
    const table = document.getElementById(element.dataset.chart);
    if (!table || element.dataset.drawn) continue;
    const draw = element.dataset.kind === "stacked" ? stackedChart : lineChart;
    const chart = draw(element, columnsOf(table));
    element.dataset.drawn = "yes";
    const details = table.closest("details");
    if (details) details.open = false;
    new ResizeObserver(() => chart.setSize({ width: Math.max(240, element.clientWidth), height: 200 })).observe(element);
  }
}
drawCharts();
document.addEventListener("htmx:afterSwap", drawCharts);
