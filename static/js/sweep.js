// A sweep's page: the losses of all its trials in one chart, and the colour of each in the table beside it.

const POLL_MS = 3000;
// Successive hues by the golden angle: neighbours differ, however many trials there are.
const GOLDEN_ANGLE = 137.508;

const chart = document.getElementById("chart");
const empty = document.getElementById("chart-empty");
const { default: UPlot } = await import(chart.dataset.library);

let plot = null;
let latest = null;
let drawn = "";
let shape = "";

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function hue(trial) {
  const dark = document.documentElement.dataset.bsTheme === "dark";
  return `hsl(${(210 + trial * GOLDEN_ANGLE) % 360} 62% ${dark ? 64 : 42}%)`;
}

function paint() {
  for (const swatch of document.querySelectorAll(".swatch")) {
    swatch.style.background = hue(Number(swatch.dataset.trial));
  }
}

// One row of epochs for all trials, as uPlot wants them; null where a trial has no loss there.
function aligned(trials) {
  const x = [...new Set(trials.flatMap((trial) => trial.epochs))].sort((a, b) => a - b);
  const lines = trials.map((trial) => {
    const losses = new Map(trial.epochs.map((epoch, index) => [epoch, trial.losses[index]]));
    return x.map((epoch) => losses.get(epoch) ?? null);
  });
  return [x, ...lines];
}

function size() {
  return { width: Math.max(chart.clientWidth, 200), height: chart.clientWidth < 520 ? 260 : 340 };
}

function options(trials) {
  const axis = {
    stroke: colour("--ink-soft"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { stroke: colour("--line"), width: 1 },
  };
  const fixed = (_, value) => (value === null || value === undefined ? "–" : value.toFixed(3));
  return {
    ...size(),
    scales: { x: { time: false } },
    // Under the pointer one curve stands out; the others step back.
    focus: { alpha: 0.25 },
    cursor: { focus: { prox: 24 } },
    legend: { show: trials.length <= 12 },
    axes: [
      { ...axis, label: "Epoch", labelSize: 22, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
      { ...axis, size: 48 },
    ],
    series: [
      { label: "Epoch" },
      ...trials.map((trial) => ({
        label: `Trial ${trial.trial + 1}`,
        stroke: hue(trial.trial),
        width: 1.8,
        spanGaps: true,
        points: { show: true, size: 5, fill: hue(trial.trial) },
        value: fixed,
      })),
    ],
  };
}

function draw(answer, afresh = false) {
  const trials = answer.trials.filter((trial) => trial.epochs.length);
  empty.hidden = trials.length > 0;
  chart.hidden = !empty.hidden;
  if (chart.hidden) return;
  const names = trials.map((trial) => trial.run).join();
  if (plot && !afresh && names === shape) {
    plot.setData(aligned(trials));
    return;
  }
  shape = names;
  plot?.destroy();
  plot = new UPlot(options(trials), aligned(trials), chart);
}

async function poll() {
  let again = true;
  try {
    const answer = await fetch(chart.dataset.url, { credentials: "same-origin" });
    if (answer.ok) {
      const text = await answer.text();
      if (text !== drawn) {
        const ended = latest?.active && !JSON.parse(text).active;
        drawn = text;
        latest = JSON.parse(text);
        draw(latest);
        // The buttons above the chart are others now.
        if (ended) window.location.reload();
      }
      again = latest.active;
    } else {
      again = answer.status >= 500;
    }
  } catch {
    // The portal is being restarted, or the network is away for a moment.
  }
  if (again) window.setTimeout(poll, POLL_MS);
}

document.addEventListener("portal:theme", () => {
  paint();
  if (latest) draw(latest, true);
});
document.addEventListener("htmx:afterSettle", paint);
new ResizeObserver(() => plot && plot.width !== size().width && draw(latest, true)).observe(chart);
paint();
await poll();
