// Uploads with a bar for each file. Without this script the form sends itself, and the page says how it went.

const form = document.querySelector("#upload-form");

function row(list, name) {
  const item = document.createElement("li");
  item.className = "mb-3";
  const label = document.createElement("div");
  label.textContent = name;
  const track = document.createElement("div");
  track.className = "progress";
  track.setAttribute("role", "progressbar");
  track.setAttribute("aria-label", `Upload of ${name}`);
  track.setAttribute("aria-valuemin", "0");
  track.setAttribute("aria-valuemax", "100");
  const bar = document.createElement("div");
  bar.className = "progress-bar";
  track.append(bar);
  const note = document.createElement("div");
  note.className = "form-text";
  item.append(label, track, note);
  list.append(item);
  return {
    progress(share) {
      const percent = Math.round(share * 100);
      bar.style.width = `${percent}%`;
      track.setAttribute("aria-valuenow", String(percent));
      note.textContent = percent < 100 ? `${percent} %` : "Looking at the file…";
    },
    done(text, address) {
      const link = document.createElement("a");
      link.href = address;
      link.textContent = text;
      note.replaceChildren(link);
      bar.classList.add("bg-success");
    },
    failed(text) {
      note.textContent = text;
      note.className = "invalid-feedback d-block";
      bar.classList.add("bg-danger");
    },
  };
}

// XMLHttpRequest, because fetch does not tell how much of a body has been sent.
function send(address, token, data, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.setRequestHeader("X-CSRFToken", token);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      if (request.status === 201) resolve(request.response);
      else reject(new Error(request.response?.error?.message ?? `The server answered ${request.status}; try again.`));
    });
    request.addEventListener("error", () => reject(new Error("The connection broke off; try again.")));
    request.addEventListener("abort", () => reject(new Error("The upload was stopped.")));
    request.send(data);
  });
}

async function upload(event) {
  const files = [...form.elements.namedItem("file").files];
  if (!files.length) return;
  event.preventDefault();
  const button = form.querySelector("button[type=submit]");
  const list = document.querySelector("#upload-progress");
  const fields = new FormData(form);
  list.replaceChildren();
  button.disabled = true;
  window.addEventListener("beforeunload", ask);
  const made = [];
  // One after the other: together they would only share the line.
  for (const file of files) {
    const line = row(list, file.name);
    const data = new FormData();
    for (const name of ["speaker", "language", "visibility"]) data.set(name, fields.get(name));
    data.set("title", files.length === 1 ? fields.get("title") : "");
    data.set("file", file);
    try {
      const recording = await send(form.dataset.api, fields.get("csrfmiddlewaretoken"), data, line.progress);
      made.push(recording);
      line.done(`Uploaded as “${recording.title}”`, `${form.dataset.list}${recording.id}/`);
    } catch (error) {
      line.failed(error.message);
    }
  }
  window.removeEventListener("beforeunload", ask);
  button.disabled = false;
  // What is done is not sent a second time.
  form.elements.namedItem("file").value = "";
  if (made.length === files.length) {
    window.location.assign(made.length === 1 ? `${form.dataset.list}${made[0].id}/` : form.dataset.list);
  }
}

function ask(event) {
  event.preventDefault();
}

form?.addEventListener("submit", upload);
