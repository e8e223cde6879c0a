// The histograms of a dataset version. Without scripts, and for those who hear the page, the tables below say the same.

const data = JSON.parse(document.getElementById("health-measures").textContent);
const boxes = [...document.querySelectorAll("[data-measure]")];
const { default: UPlot } = await import(boxes[0].dataset.library);
const plots = new Map();

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function size(box) {
  return { width: Math.max(box.clientWidth, 180), height: 180 };
}

function draw(box) {
  const { edges, counts, unit } = data[box.dataset.measure];
  const width = edges[1] - edges[0];
  const axis = {
    stroke: colour("--ink-soft"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { stroke: colour("--line"), width: 1 },
    font: "12px system-ui, sans-serif",
  };
  const middle = edges.slice(0, -1).map((edge) => edge + width / 2);
  const options = {
    ...size(box),
    cursor: { y: false, points: { show: false } },
    legend: { show: true },
    scales: {
      x: { time: false, range: [edges[0], edges.at(-1)] },
      y: { range: [0, Math.max(...counts) * 1.08] },
    },
    axes: [
      { ...axis, grid: { show: false } },
      { ...axis, size: 42, space: 28, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] },
    ],
    series: [
      {
        label: unit,
        value: (_, value) => (value === null || value === undefined ? "–" : `${value - width / 2} to ${value + width / 2}`),
      },
      {
        label: "Clips",
        stroke: colour("--accent"),
        fill: colour("--accent"),
        width: 0,
        paths: UPlot.paths.bars({ size: [0.9, 60] }),
        points: { show: false },
        value: (_, value) => value ?? "–",
      },
    ],
  };
  plots.get(box)?.destroy();
  box.hidden = false;
  plots.set(box, new UPlot(options, [middle, counts], box));
}

for (const box of boxes) {
  draw(box);
  new ResizeObserver(() => plots.get(box).width !== size(box).width && plots.get(box).setSize(size(box))).observe(box);
}
// The pictures are there, so the tables are folded away.
for (const details of document.querySelectorAll("details[data-fallback]")) details.open = false;
document.addEventListener("portal:theme", () => boxes.forEach(draw));
