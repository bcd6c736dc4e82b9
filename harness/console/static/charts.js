// Draws the charts of a page with uPlot, from the tables that they have: a bar can be pointed at, and read. What the
// server has drawn stays for who cannot see; without script it is what is seen.
"use strict";

const HEIGHT = 200;
const COLOURS = { copies: "--one", LOST: "--four" };

const number = (text) => Number(text.replaceAll(",", ""));

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// The cells of the table, column by column, and uPlot's data: a bar stands on those before it.
function read(figure) {
  const rows = [...figure.querySelectorAll("tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent.trim()));
  const amounts = rows.map(([, ...cells]) => cells.map(number));
  const sums = amounts.map((each) => each.map((_, place) => each.slice(0, place + 1).reduce((a, b) => a + b, 0)));
  const series = (amounts[0] ?? []).map((_, place) => sums.map((each) => each[place])).reverse();
  return { labels: rows.map(([label]) => label), amounts, data: [rows.map((_, place) => place), ...series] };
}

function draw(figure) {
  let found = read(figure);
  const words = [...figure.querySelectorAll("figcaption .entry")].map((entry) => [entry.textContent.trim(), entry.firstElementChild.classList[1]]);
  const label = (place) => found.labels[place] ?? "";
  const axis = { stroke: () => colour("--quiet"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false } };
  const bars = uPlot.paths.bars({ size: [0.88] });
  const series = words.map(([text, style], place) => ({
    label: text,
    fill: () => colour(COLOURS[style] ?? "--three"),
    width: 0,
    points: { show: false },
    paths: bars,
    value: (_, sum, __, at) => (at == null ? "" : found.amounts[at][place].toLocaleString("en")),
  }));
  const options = {
    width: figure.clientWidth,
    height: HEIGHT,
    scales: { x: { time: false, range: () => [-0.5, found.labels.length - 0.5] }, y: { range: (_, __, top) => [0, top || 1] } },
    axes: [{ ...axis, size: 30, values: (_, splits) => splits.map(label) }, { ...axis, size: 70 }],
    series: [{ label: "minute", value: (_, at) => (at == null ? "" : label(at)) }, ...series.reverse()],
  };
  const place = document.createElement("div");
  place.setAttribute("aria-hidden", "true");
  const seen = figure.querySelector("[id$=-drawing]");
  seen.after(place);
  seen.classList.add("unseen");
  const plot = new uPlot(options, found.data, place);
  new ResizeObserver(() => plot.setSize({ width: figure.clientWidth, height: HEIGHT })).observe(figure);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw());
  figure.addEventListener("htmx:oobAfterSwap", () => {
    found = read(figure);
    plot.setData(found.data);
  });
}

for (const figure of document.querySelectorAll("[data-charts] figure")) draw(figure);
