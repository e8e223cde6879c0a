// The upload of a dataset with a bar. Without this script the form sends itself.

const form = document.querySelector("#import-form");
// By its hashed address, which only the page knows.
const { row, upload, whileBusy } = form ? await import(form.dataset.module) : {};
const list = document.querySelector("#upload-progress");
const stopButton = document.querySelector("#upload-stop");

let current = null;

async function sent(line) {
  current = upload(form.dataset.api, new FormData(form), line.progress);
  try {
    return await current.made;
  } catch (error) {
    if (error.about?.recording) line.there(error.message, `${form.dataset.list}${error.about.recording}/`);
    else line.failed(error.message);
    return null;
  } finally {
    current = null;
  }
}

async function send(event) {
  const [file] = form.elements.namedItem("file").files;
  if (!file) return;
  event.preventDefault();
  if (form.dataset.busy) return;
  list.replaceChildren();
  const line = row(list, file.name);
  const made = await whileBusy(form, stopButton, () => sent(line));
  if (made) window.location.assign(`${form.dataset.next}${made.id}/`);
}

if (form) {
  form.addEventListener("submit", send);
  stopButton.addEventListener("click", () => current?.stop());
}
