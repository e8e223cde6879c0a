// Sending files with a bar for each, so that a person sees how far it is and can stop it. For every page that uploads.

export function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  let step = 0;
  while (bytes >= 1000 && step < units.length - 1) {
    bytes /= 1000;
    step += 1;
  }
  return `${step ? bytes.toFixed(1) : bytes} ${units[step]}`;
}

export function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text) made.textContent = text;
  return made;
}

// What the server refused is refused again; anything else may pass at another try.
export class Refused extends Error {
  constructor(error) {
    super(error.message);
    this.about = error.about ?? {};
  }
}

// One line of `list`: the file's name, its bar, and what became of it.
export function row(list, name) {
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

// Start sending `data` (a FormData); `made` promises what the server made of it, `stop` breaks off.
// XMLHttpRequest, because fetch does not tell how much of a body has been sent.
export function upload(address, data, onProgress) {
  const request = new XMLHttpRequest();
  const made = new Promise((resolve, reject) => {
    const began = performance.now();
    request.open("POST", address);
    request.setRequestHeader("X-CSRFToken", data.get("csrfmiddlewaretoken"));
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
  return { made, stop: () => request.abort() };
}

function ask(event) {
  event.preventDefault();
}

// While `work` goes on, the form cannot be sent again, Stop is there, and leaving the page is asked about.
export async function whileBusy(form, stopButton, work) {
  const button = form.querySelector("button[type=submit]");
  form.dataset.busy = "yes";
  button.disabled = true;
  stopButton.hidden = false;
  window.addEventListener("beforeunload", ask);
  try {
    return await work();
  } finally {
    window.removeEventListener("beforeunload", ask);
    stopButton.hidden = true;
    button.disabled = false;
    delete form.dataset.busy;
  }
}
