// Choosing or dropping several files, and uploads with a bar for each. Without this script the form sends itself, and
// the page says how it went.

const form = document.querySelector("#upload-form");
// By its hashed address, which only the page knows.
const { Refused, element, row, size, upload, whileBusy } = form ? await import(form.dataset.module) : {};
const input = form?.elements.namedItem("file");
const zone = document.querySelector("#drop-zone");
const chosen = document.querySelector("#chosen-files");
const list = document.querySelector("#upload-progress");
const stopButton = document.querySelector("#upload-stop");

let stopped = false;
let current = null;

// --- Choosing ---------------------------------------------------------------------------------------------------

// The input holds what is chosen, however it came there: so the form sends the same with and without this script.
function choose(files) {
  const kept = new DataTransfer();
  const seen = new Set();
  for (const file of files) {
    const key = `${file.name}/${file.size}/${file.lastModified}`;
    if (!seen.has(key)) kept.items.add(file);
    seen.add(key);
  }
  input.files = kept.files;
  show();
}

function show() {
  const files = [...input.files];
  chosen.replaceChildren(
    ...files.map((file, index) => {
      const item = element("li", "chosen-file");
      const remove = element("button", "btn btn-sm btn-outline-secondary", "Remove");
      remove.type = "button";
      remove.setAttribute("aria-label", `Remove ${file.name}`);
      remove.addEventListener("click", () => choose(files.filter((_, place) => place !== index)));
      item.append(element("span", "chosen-name", file.name), element("span", "form-text", size(file.size)), remove);
      return item;
    }),
  );
}

// A folder is among the dropped "files" too; only what can be read is one.
function dropped(transfer) {
  const items = [...(transfer.items ?? [])].filter((item) => item.kind === "file");
  const files = items.filter((item) => !item.webkitGetAsEntry?.()?.isDirectory).map((item) => item.getAsFile());
  const folders = items.length - files.length;
  const note = zone.querySelector("[data-note]");
  note.textContent = folders ? "Folders are not taken: drop the files that are in them." : "";
  return (items.length ? files : [...transfer.files]).filter(Boolean);
}

function watchDrops() {
  let depth = 0;
  const over = (event) => {
    if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return false;
    event.preventDefault();
    return true;
  };
  zone.hidden = false;
  document.addEventListener("dragenter", (event) => {
    if (!over(event)) return;
    depth += 1;
    zone.classList.add("is-over");
  });
  document.addEventListener("dragover", over);
  document.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (!depth) zone.classList.remove("is-over");
  });
  // Anywhere on the page: a file that misses the box must not replace the page.
  document.addEventListener("drop", (event) => {
    if (!over(event)) return;
    depth = 0;
    zone.classList.remove("is-over");
    if (form.dataset.busy) return;
    choose([...input.files, ...dropped(event.dataTransfer)]);
  });
  zone.addEventListener("click", () => input.click());
}

// --- Sending ----------------------------------------------------------------------------------------------------

async function uploadOne(file, fields, title) {
  const line = row(list, file.name);
  const data = new FormData();
  for (const name of ["csrfmiddlewaretoken", "speaker", "language", "visibility"]) data.set(name, fields.get(name));
  data.set("title", title);
  data.set("file", file);
  try {
    if (stopped) throw new Error("Not sent.");
    if (file.size > Number(form.dataset.limit)) {
      throw new Refused({ message: `It has ${size(file.size)}, and the limit is ${form.dataset.limitText}.` });
    }
    current = upload(form.dataset.api, data, line.progress);
    const made = await current.made;
    line.done(`Uploaded as “${made.title}”`, `${form.dataset.list}${made.id}/`);
    return { made };
  } catch (error) {
    if (error.about?.recording) line.there(error.message, `${form.dataset.list}${error.about.recording}/`);
    else line.failed(error.message);
    // What the server refused is refused again; what broke off can be sent once more.
    return { again: !(error instanceof Refused) };
  } finally {
    current = null;
  }
}

async function send(event) {
  const files = [...input.files];
  if (!files.length) return;
  event.preventDefault();
  if (form.dataset.busy) return;
  const fields = new FormData(form);
  stopped = false;
  list.replaceChildren();
  chosen.replaceChildren();
  const made = [];
  const left = [];
  await whileBusy(form, stopButton, async () => {
    // One after the other: together they would only share the line.
    for (const file of files) {
      const outcome = await uploadOne(file, fields, files.length === 1 ? fields.get("title") : "");
      if (outcome.made) made.push(outcome.made);
      if (outcome.again) left.push(file);
    }
  });
  // What is done is not sent a second time.
  choose(left);
  if (made.length === files.length) {
    window.location.assign(made.length === 1 ? `${form.dataset.list}${made[0].id}/` : form.dataset.list);
  }
}

if (form) {
  form.addEventListener("submit", send);
  input.addEventListener("change", show);
  stopButton.addEventListener("click", () => {
    stopped = true;
    current?.stop();
  });
  watchDrops();
  show();
}
