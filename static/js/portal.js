// Small behaviours of every page. No page needs them to work.

// One player at a time: samples are compared by ear.
document.addEventListener(
  "play",
  (event) => {
    for (const player of document.querySelectorAll("audio")) {
      if (player !== event.target) player.pause();
    }
  },
  true,
);

// <button data-copy="#id">: copies that element's text or value.
document.addEventListener("click", async (event) => {
  const button = event.target instanceof Element && event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  const text = source instanceof HTMLInputElement ? source.value : source.textContent;
  const label = button.querySelector("[data-copy-label]") ?? button;
  const before = label.textContent;
  try {
    await navigator.clipboard.writeText(text.trim());
    label.textContent = "Copied";
  } catch {
    // No clipboard without https or permission: the text is selected, for the keyboard to copy.
    if (source instanceof HTMLInputElement) source.select();
    else window.getSelection()?.selectAllChildren(source);
    label.textContent = "Press Ctrl+C";
  }
  window.setTimeout(() => {
    label.textContent = before;
  }, 2500);
});

// <form data-once>: a second click does not send it twice; coming back to the page frees it.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.hasAttribute("data-once")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  if (event.defaultPrevented) return;
  form.dataset.sent = "yes";
  form.querySelector("button[type=submit]")?.setAttribute("aria-busy", "true");
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-once]")) {
    delete form.dataset.sent;
    form.querySelector("button[type=submit]")?.removeAttribute("aria-busy");
  }
});

// <form data-confirm="Question?">: asks before it is sent.
document.addEventListener(
  "submit",
  (event) => {
    const question = event.target.dataset?.confirm;
    if (question && !window.confirm(question)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  },
  true,
);

// A live part that was sent elsewhere (the session has ended): the whole page goes there, not the part.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, pathInfo } = event.detail;
  const answered = xhr.responseURL && new URL(xhr.responseURL).pathname;
  if (answered && answered !== pathInfo.requestPath.split("?")[0] && answered.startsWith("/accounts/")) {
    event.preventDefault();
    window.location.reload();
  }
});

// A form whose answer belongs to a part of the page. What was refused answers with the reason, which belongs there too;
// what could not be answered at all is said beside the form, so that no button seems to do nothing.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { detail } = event;
  // A request that no view has seen, such as one too large, is refused with a whole page.
  const whole = /^\s*<!doctype/i.test(detail.xhr.responseText);
  if (detail.xhr.status === 400 && !whole && detail.requestConfig.elt instanceof HTMLFormElement) {
    detail.shouldSwap = true;
    detail.isError = false;
  }
});
const beside = (form, sentence) => {
  const box = document.createElement("div");
  box.className = "alert alert-danger py-2 mt-2";
  box.setAttribute("role", "alert");
  box.dataset.unanswered = "";
  box.textContent = sentence;
  clear(form);
  form.append(box);
};
const clear = (form) => form.querySelector("[data-unanswered]")?.remove();
const ofForm = (deed) => (event) => {
  if (event.detail.elt instanceof HTMLFormElement) deed(event.detail.elt, event.detail.xhr);
};
document.addEventListener("htmx:beforeRequest", ofForm(clear));
document.addEventListener(
  "htmx:sendError",
  ofForm((form) => beside(form, "The portal cannot be reached. Try again in a moment.")),
);
document.addEventListener(
  "htmx:responseError",
  ofForm((form, { status }) =>
    beside(
      form,
      status === 401
        ? "You are signed out. Reload the page and sign in; what you typed will be here."
        : `The portal could not answer (${status}). Reload the page and try again.`,
    ),
  ),
);
