// The form for long texts: counts characters, as the server does.

const text = document.querySelector("#long-form textarea[name=text]");
const counter = document.querySelector("#text-count");

if (text && counter) {
  const limit = Number(text.dataset.limit);
  const count = () => {
    const length = [...text.value.trim()].length;
    counter.textContent = `${length} of ${limit} characters`;
    counter.classList.toggle("text-danger", length > limit);
  };
  counter.hidden = false;
  text.addEventListener("input", count);
  count();
}
