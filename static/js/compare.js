// Comparing two samples by keyboard: 1, 2 and 0 vote, Space plays and pauses, R plays both again.

const card = document.getElementById("compare");
const form = card.querySelector("form");
const [first, second] = card.querySelectorAll("audio");
const status = document.getElementById("compare-status");
document.getElementById("compare-keys").hidden = false;

const say = (sentence) => {
  status.textContent = sentence;
};

// Where both were heard to the end, space begins again with the first.
let next = first;

async function play(player) {
  try {
    await player.play();
  } catch (error) {
    // A player that is told to pause before it has begun says so; that is no failure.
    if (error.name !== "AbortError") say("The sample cannot be played. Reload the page to try again.");
  }
}

for (const player of [first, second]) {
  player.addEventListener("play", () => {
    say(player === first ? "Playing the first." : "Playing the second.");
    card.querySelectorAll(".compare-side").forEach((side) => side.classList.toggle("is-playing", side.contains(player)));
    next = player;
  });
  player.addEventListener("error", () => say("The sample cannot be played. Reload the page to try again."));
}
first.addEventListener("ended", () => {
  next = second;
  play(second);
});
second.addEventListener("ended", () => {
  next = first;
  card.querySelector(".is-playing")?.classList.remove("is-playing");
  say("Which was better?");
});

function toggle() {
  const playing = [first, second].find((player) => !player.paused);
  if (playing) playing.pause();
  else play(next);
}

function again() {
  for (const player of [first, second]) {
    player.pause();
    player.currentTime = 0;
  }
  play(first);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  // Letters and digits belong to a field while it is being filled in.
  if (event.target instanceof Element && event.target.closest("input, select, textarea, [contenteditable]")) return;
  if (["1", "2", "0"].includes(event.key)) {
    event.preventDefault();
    const button = form.querySelector(`button[value="${event.key}"]`);
    form.requestSubmit(button);
  } else if (event.key === " " || event.key === "Spacebar") {
    // On a button, a link or a player, space does what it does there.
    if (event.target instanceof Element && event.target.closest("button, a, audio, summary")) return;
    event.preventDefault();
    toggle();
  } else if (event.key.toLowerCase() === "r") {
    event.preventDefault();
    again();
  }
});
