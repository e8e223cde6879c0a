// The curves of a run: the loss with the learning rate, and its two parts in charts of their own; where a run stops on the
// score of its samples, that too, epoch by epoch.

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const fixed = (digits) => (_, value) => (value === null || value === undefined ? "–" : value.toFixed(digits));
const short = (_, value) => (value === null || value === undefined ? "–" : value.toExponential(1));

// The names of one part ("loss", "loss_mel", "loss_text") in what the server tells.
const validationOf = (part) => `validation_${part}`;

// One row of x values for all series, as uPlot wants them; null where a series has no value there.
function aligned(curves, part, withRate) {
  if (part === "score") return [curves.scores.epoch, curves.scores.score];
  const { steps, epochs } = curves;
  const measured = epochs[validationOf(part)];
  const validation = new Map(epochs.step.map((step, index) => [step, measured[index]]));
  const base = curves[`base_${validationOf(part)}`];
  if (base !== null) validation.set(0, base);
  const training = new Map(steps.step.map((step, index) => [step, index]));
  const x = [...new Set([...validation.keys(), ...training.keys()])].sort((a, b) => a - b);
  const along = (values) => x.map((step) => (training.has(step) ? values[training.get(step)] : null));
  const data = [x, along(steps[part]), x.map((step) => validation.get(step) ?? null)];
  return withRate ? [...data, along(steps.learning_rate)] : data;
}

class Chart {
  constructor(box, UPlot) {
    this.box = box;
    this.UPlot = UPlot;
    this.part = box.dataset.curve;
    this.whole = this.part === "loss";
    this.plot = null;
    this.curves = null;
    new ResizeObserver(() => this.plot && this.plot.width !== this.size().width && this.draw(this.curves, true)).observe(box);
  }

  size() {
    const width = Math.max(this.box.clientWidth, 160);
    return { width, height: this.whole ? (width < 520 ? 240 : 300) : 180 };
  }

  options() {
    const narrow = this.box.clientWidth < 520;
    const axis = {
      stroke: colour("--ink-soft"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { stroke: colour("--line"), width: 1 },
    };
    const line = (name, colouring, width) => ({ label: name, stroke: colour(colouring), width, spanGaps: true });
    const options = {
      ...this.size(),
      scales: { x: { time: false } },
      axes: [this.whole ? { ...axis, label: "Step", labelSize: 22 } : axis, { ...axis, size: 48 }],
      series: [
        { label: "Step" },
        { ...line("Training", "--busy", 1.2), points: { show: false }, value: fixed(3) },
        { ...line("Validation", "--bad", 2.4), points: { show: true, size: 7, fill: colour("--bad") }, value: fixed(3) },
      ],
    };
    if (this.part === "score") {
      const points = { show: true, size: 7, fill: colour("--accent") };
      options.series = [{ label: "Epoch" }, { ...line("Score", "--accent", 2.4), points, value: fixed(3) }];
    }
    if (this.whole) {
      options.axes.push({
        ...axis,
        scale: "rate",
        side: 1,
        size: 64,
        show: !narrow,
        grid: { show: false },
        values: (_, ticks) => ticks.map((tick) => (tick === 0 ? "0" : tick.toExponential(1))),
      });
      options.series.push({
        ...line("Learning rate", "--ink-soft", 1),
        scale: "rate",
        dash: [4, 4],
        points: { show: false },
        value: short,
      });
    }
    return options;
  }

  draw(curves, afresh = false) {
    this.curves = curves;
    const data = aligned(curves, this.part, this.whole);
    if (this.plot && !afresh) {
      this.plot.setData(data);
      return;
    }
    this.plot?.destroy();
    this.plot = new this.UPlot(this.options(), data, this.box);
  }
}

// All charts of a page's section; `draw` takes what the server tells of the run.
export class Curves {
  constructor(section, UPlot) {
    this.charts = [...section.querySelectorAll("[data-curve]")].map((box) => new Chart(box, UPlot));
    this.empty = section.querySelector("#chart-empty");
    this.parts = section.querySelector(".chart-parts");
    this.latest = null;
    document.addEventListener("portal:theme", () => this.latest && this.draw(this.latest, true));
  }

  draw(curves, afresh = false) {
    this.latest = curves;
    const nothing = curves.steps.step.length === 0 && curves.base_validation_loss === null;
    this.empty.hidden = !nothing;
    this.parts.hidden = nothing;
    for (const chart of this.charts) {
      chart.box.hidden = nothing;
      if (!nothing) chart.draw(curves, afresh);
    }
  }
}
