// Choosing or dropping several files, and uploads with a bar for each. Without this script the form sends itself, and
// the page says how it went.

const form = document.querySelector("#upload-form");
const input = form?.elements.namedItem("file");
const zone = document.querySelector("#drop-zone");
const chosen = document.querySelector("#chosen-files");
const list = document.querySelector("#upload-progress");
const stopButton = document.querySelector("#upload-stop");

let stopped = false;
let current = null;

function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  let step = 0;
  while (bytes >= 1000 && step < units.length - 1) {
    bytes /= 1000;
    step += 1;
  }
  return `${step ? bytes.toFixed(1) : bytes} ${units[step]}`;
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text) made.textContent = text;
  return made;
}

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

function row(name) {
  const item = element("li", "mb-3");
  const track = element("div", "progress");
  track.setAttribute("role", "progressbar");
  track.setAttribute("aria-label", `Upload of ${name}`);
  track.setAttribute("aria-valuemin", "0");
  track.setAttribute("aria-valuemax", "100");
  const bar = element("div", "progress-bar");
  track.append(bar);
  const note = element("div", "form-text");
  item.append(element("div", "chosen-name", name), track, note);
  list.append(item);
  const link = (text, address) => {
    const made = element("a", "", text);
    made.href = address;
    return made;
  };
  return {
    progress(share, text) {
      const percent = Math.round(share * 100);
      bar.style.width = `${percent}%`;
      track.setAttribute("aria-valuenow", String(percent));
      note.textContent = percent < 100 ? `${percent} %${text}` : "Looking at the file…";
    },
    done(text, address) {
      note.replaceChildren(link(text, address));
      bar.classList.add("bg-success");
    },
    failed(text) {
      note.textContent = text;
      note.className = "invalid-feedback d-block";
      bar.classList.add("bg-danger");
    },
    // Nothing went wrong: what was to be uploaded is here.
    there(text, address) {
      note.replaceChildren(text, " ", link("Open it.", address));
      bar.classList.add("bg-success");
    },
  };
}

class Refused extends Error {
  constructor(error) {
    super(error.message);
    this.recording = error.about?.recording;
  }
}

// XMLHttpRequest, because fetch does not tell how much of a body has been sent.
function send(address, token, data, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const began = performance.now();
    current = request;
    request.open("POST", address);
    request.setRequestHeader("X-CSRFToken", token);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      const left = ((performance.now() - began) / 1000) * (event.total / event.loaded - 1);
      const text = left > 5 ? ` of ${size(event.total)}, about ${left < 90 ? `${Math.round(left)} s` : `${Math.round(left / 60)} min`} left` : "";
      onProgress(event.loaded / event.total, text);
    });
    request.addEventListener("load", () => {
      const said = request.response?.error;
      if (request.status === 201) resolve(request.response);
      else if (said && request.status < 500) reject(new Refused(said));
      else reject(new Error(said?.message ?? `The server answered ${request.status}; try again.`));
    });
    request.addEventListener("error", () => reject(new Error("The connection broke off; try again.")));
    request.addEventListener("abort", () => reject(new Error("The upload was stopped.")));
    request.send(data);
  });
}

async function uploadOne(file, fields, title) {
  const line = row(file.name);
  const data = new FormData();
  for (const name of ["speaker", "language", "visibility"]) data.set(name, fields.get(name));
  data.set("title", title);
  data.set("file", file);
  try {
    if (stopped) throw new Error("Not sent.");
    if (file.size > Number(form.dataset.limit)) {
      throw new Refused({ message: `It has ${size(file.size)}, and the limit is ${form.dataset.limitText}.` });
    }
    const made = await send(form.dataset.api, fields.get("csrfmiddlewaretoken"), data, line.progress);
    line.done(`Uploaded as “${made.title}”`, `${form.dataset.list}${made.id}/`);
    return { made };
  } catch (error) {
    if (error.recording) line.there(error.message, `${form.dataset.list}${error.recording}/`);
    else line.failed(error.message);
    // What the server refused is refused again; what broke off can be sent once more.
    return { again: !(error instanceof Refused) };
  }
}

async function upload(event) {
  const files = [...input.files];
  if (!files.length) return;
  event.preventDefault();
  if (form.dataset.busy) return;
  const button = form.querySelector("button[type=submit]");
  const fields = new FormData(form);
  form.dataset.busy = "yes";
  stopped = false;
  list.replaceChildren();
  chosen.replaceChildren();
  button.disabled = true;
  stopButton.hidden = false;
  window.addEventListener("beforeunload", ask);
  const made = [];
  const left = [];
  // One after the other: together they would only share the line.
  for (const file of files) {
    const outcome = await uploadOne(file, fields, files.length === 1 ? fields.get("title") : "");
    if (outcome.made) made.push(outcome.made);
    if (outcome.again) left.push(file);
  }
  window.removeEventListener("beforeunload", ask);
  current = null;
  stopButton.hidden = true;
  button.disabled = false;
  delete form.dataset.busy;
  // What is done is not sent a second time.
  choose(left);
  if (made.length === files.length) {
    window.location.assign(made.length === 1 ? `${form.dataset.list}${made[0].id}/` : form.dataset.list);
  }
}

function ask(event) {
  event.preventDefault();
}

if (form) {
  form.addEventListener("submit", upload);
  input.addEventListener("change", show);
  stopButton.addEventListener("click", () => {
    stopped = true;
    current?.abort();
  });
  watchDrops();
  show();
}
