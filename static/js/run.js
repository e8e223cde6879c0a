// A run's page: its curves, and the table that grows while it trains.

const POLL_MS = 2000;

const section = document.getElementById("curves");
const { default: UPlot } = await import(section.dataset.library);
const { Curves } = await import(section.dataset.module);
const curves = new Curves(section, UPlot);

let latest = null;
let drawn = "";

// New rows are put in and changed ones exchanged; one whose sample is being heard is left for the next time.
async function growTable() {
  const answer = await fetch(section.dataset.rowsUrl, { credentials: "same-origin" });
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
    const answer = await fetch(section.dataset.url, { credentials: "same-origin" });
    if (answer.ok) {
      const text = await answer.text();
      if (text !== drawn) {
        drawn = text;
        latest = JSON.parse(text);
        curves.draw(latest);
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

await poll();
