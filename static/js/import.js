// The upload of a dataset with a bar. Without this script the form sends itself.

const form = document.querySelector("#import-form");
const box = document.querySelector("#import-progress");

function show(share, text) {
  const track = box.querySelector(".progress");
  const percent = Math.round(share * 100);
  box.hidden = false;
  track.setAttribute("aria-valuenow", String(percent));
  track.firstElementChild.style.width = `${percent}%`;
  const note = box.lastElementChild;
  note.className = text ? "invalid-feedback d-block" : "form-text";
  note.textContent = text ?? (percent < 100 ? `${percent} %` : "Looking at the zip…");
}

function ask(event) {
  event.preventDefault();
}

// XMLHttpRequest, because fetch does not tell how much of a body has been sent.
function send(event) {
  event.preventDefault();
  const button = form.querySelector("button[type=submit]");
  const request = new XMLHttpRequest();
  const stop = (text) => {
    window.removeEventListener("beforeunload", ask);
    button.disabled = false;
    show(0, text);
  };
  request.open("POST", form.dataset.api);
  request.setRequestHeader("X-CSRFToken", form.elements.namedItem("csrfmiddlewaretoken").value);
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.upload.addEventListener("progress", (sent) => {
    if (sent.lengthComputable) show(sent.loaded / sent.total);
  });
  request.addEventListener("load", () => {
    if (request.status === 201) {
      window.removeEventListener("beforeunload", ask);
      window.location.assign(`${form.dataset.next}${request.response.id}/`);
    } else {
      stop(request.response?.error?.message ?? `The server answered ${request.status}; try again.`);
    }
  });
  request.addEventListener("error", () => stop("The connection broke off; try again."));
  button.disabled = true;
  window.addEventListener("beforeunload", ask);
  show(0);
  request.send(new FormData(form));
}

form?.addEventListener("submit", send);
