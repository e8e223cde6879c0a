// Ticking all of a list at once, and how many are ticked. Without this script each is ticked by itself.

const form = document.querySelector("#playlist-form");
const all = document.querySelector("#tick-all");

if (form && all) {
  const boxes = [...form.querySelectorAll("input[name=entry]")];
  const count = form.querySelector("#ticked-count");
  const show = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    count.textContent = ticked ? `(${ticked})` : "";
    all.checked = ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  };
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    show();
  });
  form.addEventListener("change", show);
  // The browser may remember ticks from before.
  window.addEventListener("pageshow", show);
}
