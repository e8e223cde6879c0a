// A run's page: its curves, and the table that grows while it trains.

const POLL_MS = 2000;

const chart = document.getElementById("chart");
const empty = document.getElementById("chart-empty");
const { default: UPlot } = await import(chart.dataset.library);

let plot = null;
let latest = null;
let drawn = "";

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// One row of x values for all series, as uPlot wants them; null where a series has no value there.
function aligned(curves) {
  const { steps, epochs } = curves;
  const validation = new Map(epochs.step.map((step, index) => [step, epochs.validation_loss[index]]));
  if (curves.base_validation_loss !== null) validation.set(0, curves.base_validation_loss);
  const training = new Map(steps.step.map((step, index) => [step, index]));
  const x = [...new Set([...validation.keys(), ...training.keys()])].sort((a, b) => a - b);
  const along = (values) => x.map((step) => (training.has(step) ? values[training.get(step)] : null));
  return [x, along(steps.loss), x.map((step) => validation.get(step) ?? null), along(steps.learning_rate)];
}

function size() {
  return { width: Math.max(chart.clientWidth, 200), height: chart.clientWidth < 520 ? 240 : 300 };
}

function options() {
  const narrow = chart.clientWidth < 520;
  const axis = {
    stroke: colour("--ink-soft"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { stroke: colour("--line"), width: 1 },
  };
  const fixed = (digits) => (_, value) => (value === null || value === undefined ? "–" : value.toFixed(digits));
  const short = (_, value) => (value === null || value === undefined ? "–" : value.toExponential(1));
  return {
    ...size(),
    scales: { x: { time: false } },
    axes: [
      { ...axis, label: "Step", labelSize: 22 },
      { ...axis, size: 48 },
      {
        ...axis,
        scale: "rate",
        side: 1,
        size: 64,
        show: !narrow,
        grid: { show: false },
        values: (_, ticks) => ticks.map((tick) => (tick === 0 ? "0" : tick.toExponential(1))),
      },
    ],
    series: [
      { label: "Step" },
      { label: "Training", stroke: colour("--busy"), width: 1.2, spanGaps: true, points: { show: false }, value: fixed(3) },
      {
        label: "Validation",
        stroke: colour("--bad"),
        width: 2.4,
        spanGaps: true,
        points: { show: true, size: 7, fill: colour("--bad") },
        value: fixed(3),
      },
      {
        label: "Learning rate",
        scale: "rate",
        stroke: colour("--ink-soft"),
        width: 1,
        dash: [4, 4],
        spanGaps: true,
        points: { show: false },
        value: short,
      },
    ],
  };
}

function draw(curves, afresh = false) {
  const data = aligned(curves);
  empty.hidden = data[0].length > 0;
  chart.hidden = !empty.hidden;
  if (chart.hidden) return;
  if (plot && !afresh) {
    plot.setData(data);
    return;
  }
  plot?.destroy();
  plot = new UPlot(options(), data, chart);
}

// New rows are put in and changed ones exchanged; one whose sample is being heard is left for the next time.
async function growTable() {
  const answer = await fetch(chart.dataset.rowsUrl, { credentials: "same-origin" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("checkpoints");
  const table = document.getElementById("checkpoints");
  let postponed = false;
  for (const row of fresh.tBodies[0].rows) {
    const shown = document.getElementById(row.id);
    if (!shown) {
      table.tBodies[0].append(document.importNode(row, true));
    } else if (shown.dataset.key !== row.dataset.key) {
      if ([...shown.querySelectorAll("audio")].some((player) => !player.paused)) postponed = true;
      else shown.replaceWith(document.importNode(row, true));
    }
  }
  if (!postponed) table.dataset.rows = fresh.dataset.rows;
}

async function poll() {
  let again = true;
  try {
    const answer = await fetch(chart.dataset.url, { credentials: "same-origin" });
    if (answer.ok) {
      const text = await answer.text();
      if (text !== drawn) {
        drawn = text;
        latest = JSON.parse(text);
        draw(latest);
      }
      if (latest.rows !== document.getElementById("checkpoints").dataset.rows) await growTable();
      again = latest.active;
    } else {
      again = answer.status >= 500;
    }
  } catch {
    // The portal is being restarted, or the network is away for a moment.
  }
  if (again) window.setTimeout(poll, POLL_MS);
}

document.addEventListener("portal:theme", () => latest && draw(latest, true));
new ResizeObserver(() => plot && plot.width !== size().width && draw(latest, true)).observe(chart);
await poll();
