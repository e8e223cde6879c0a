// A long text: its sentences are heard one after the other, also while further ones are still being spoken.

const grow = document.querySelector("#grow");
const audio = document.querySelector("#grow-audio");
const words = document.querySelector("#grow-text");
const said = document.querySelector("#grow-status");
const play = document.querySelector("#grow-play");

const LOOK_MS = 2000;
const REFRESH_MS = 5000;

// What is known of the sentences by number, and whether more are to come after the last of them.
const known = new Map();
let more = true;
let left = true;
let current = 0;
let waiting;

const ask = async (from) => {
  const answer = await fetch(`${grow.dataset.playlist}?from=${from}`);
  if (!answer.ok) throw new Error(String(answer.status));
  const found = await answer.json();
  for (const sentence of found.sentences) known.set(sentence.number, sentence);
  more = found.more;
  left = found.left;
};

const show = () => {
  for (const row of document.querySelectorAll("#sentences [data-number]")) {
    row.classList.toggle("long-heard", Number(row.dataset.number) === current);
  }
};

const later = (deed, milliseconds) => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    waiting = undefined;
    deed();
  }, milliseconds);
};

// Plays a sentence as soon as it is there; `pause` seconds later than now, as in the whole.
const hear = async (number, pause = 0) => {
  clearTimeout(waiting);
  waiting = undefined;
  if (!known.has(number)) {
    try {
      await ask(number);
    } catch {
      said.textContent = "The portal cannot be reached; it is tried again.";
      more = true;
    }
  }
  const sentence = known.get(number);
  if (!sentence) {
    if (!more) {
      said.textContent = left ? `Sentence ${number} is not spoken.` : "That was the last sentence.";
      return;
    }
    if (!said.textContent.startsWith("The portal")) said.textContent = `Waiting for sentence ${number}…`;
    later(() => hear(number), LOOK_MS);
    return;
  }
  later(() => {
    current = number;
    grow.classList.add("in-use");
    said.textContent = `Sentence ${number}`;
    words.textContent = sentence.text;
    audio.src = sentence.audio;
    audio.play().catch(() => {
      said.textContent = `Sentence ${number}: press Listen.`;
    });
    show();
    // So that the next one is there when this one ends.
    if (!known.has(number + 1)) ask(number + 1).catch(() => {});
  }, 1000 * pause);
};

const next = () => hear(current + 1, known.get(current + 1)?.pause ?? 0);

if (grow) {
  grow.hidden = false;
  for (const button of document.querySelectorAll("[data-from]")) button.hidden = false;

  const label = play.querySelector("span");
  const icon = play.querySelector("i");
  const shown = () => {
    label.textContent = audio.paused ? "Listen" : "Pause";
    icon.className = audio.paused ? "bi bi-play-fill" : "bi bi-pause-fill";
  };
  for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, shown);
  audio.addEventListener("ended", next);
  audio.addEventListener("error", () => {
    if (!audio.getAttribute("src")) return;
    // It was said anew meanwhile, and stands under another address.
    known.delete(current);
    later(() => hear(current), LOOK_MS);
  });
  // Whoever plays something else does not wait for the next sentence.
  document.addEventListener(
    "play",
    (event) => {
      if (event.target === audio) return;
      clearTimeout(waiting);
      waiting = undefined;
    },
    true,
  );

  play.addEventListener("click", () => {
    if (!audio.paused) audio.pause();
    else if (audio.getAttribute("src") && !audio.ended) audio.play();
    else hear(Math.max(current, 1));
  });
  document.querySelector("#grow-back").addEventListener("click", () => hear(Math.max(1, current - 1)));
  document.querySelector("#grow-on").addEventListener("click", () => hear(current + 1));
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-from]");
    if (button) hear(Number(button.dataset.from));
  });

  // The list is brought up to date, unless somebody is at work in it.
  const busy = () => {
    const list = document.querySelector("#sentences");
    return (
      list.contains(document.activeElement) ||
      list.querySelector("details[open]") ||
      [...list.querySelectorAll("audio")].some((player) => !player.paused)
    );
  };
  const fresh = async () => {
    if (busy()) return;
    await window.htmx.ajax("GET", window.location.pathname + window.location.search, {
      target: "#sentences",
      select: "#sentences",
      swap: "outerHTML",
    });
    for (const button of document.querySelectorAll("[data-from]")) button.hidden = false;
    show();
  };
  if (document.querySelector("#long-progress[hx-get]")) {
    const timer = setInterval(fresh, REFRESH_MS);
    document.addEventListener("long-ended", () => {
      clearInterval(timer);
      // A listener is not interrupted.
      if (audio.paused && !waiting && !busy()) window.location.reload();
      else document.querySelector("#long-ended").hidden = false;
    });
  }
}
