// A run's log: its last line stays in view, unless the reader has scrolled up.

const details = document.getElementById("log");
const log = details.querySelector("pre");
let followed = true;

const follow = () => {
  if (followed) log.scrollTop = log.scrollHeight;
};

log.addEventListener("scroll", () => {
  followed = log.scrollTop + log.clientHeight > log.scrollHeight - 24;
});
log.addEventListener("htmx:afterSwap", follow);
details.addEventListener("toggle", follow);
follow();
