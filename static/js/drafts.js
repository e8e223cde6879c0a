// What somebody has typed and not sent yet survives this page: a reload, a link, the Back button, the end of a sign-in.
// Kept in this tab alone, by person. Covers every text area, and inputs that carry data-draft.

const FIELDS = "main textarea[name], main input[data-draft]";
const PREFIX = `draft:${document.body.dataset.user}:`;
const [arrival] = performance.getEntriesByType("navigation");

// A text's length and FNV-1a hash, in the place of the text.
const stampOf = (text) => {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return `${text.length}.${hash >>> 0}`;
};
const placeOf = (field) => `:${field.closest("[id]").id}:${field.name}:`;
// What a page offers belongs to it: another text to start from is another draft.
const keyOf = (field) => `${PREFIX}${window.location.pathname}${placeOf(field)}${stampOf(field.defaultValue)}`;

const read = (key) => JSON.parse(window.sessionStorage.getItem(key));
const write = (key, draft) => {
  try {
    window.sessionStorage.setItem(key, JSON.stringify(draft));
  } catch {
    // Too long to be kept, or nothing may be: the page works as it would without this.
    window.sessionStorage.removeItem(key);
  }
};
const kept = () => Object.keys(window.sessionStorage).filter((key) => key.startsWith(PREFIX));

const restore = (field) => {
  const key = keyOf(field);
  const draft = read(key);
  if (!draft || field.value !== field.defaultValue || draft.text === field.value) return;
  // What was sent is shown again only to whoever goes back to it.
  if (draft.sent && arrival?.type !== "back_forward") return;
  field.value = draft.text;
  const hidden = field.closest("details");
  if (hidden) hidden.open = true;
  if (draft.sent) return;

  const note = document.createElement("p");
  note.className = "form-text";
  note.dataset.notSent = "";
  note.setAttribute("role", "status");
  const discard = document.createElement("button");
  discard.type = "button";
  discard.className = "btn btn-link btn-sm p-0 align-baseline";
  discard.textContent = "Discard it";
  discard.addEventListener("click", () => {
    field.value = field.defaultValue;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    note.remove();
    field.focus();
  });
  note.append("You typed this before and did not send it. ", discard);
  field.after(note);
};

// A refused form comes back with what was sent as the text to start from: the drafts that led to this field's text, be
// it by way of another page, go the way of this one.
const ledTo = (field) => {
  const [here, place] = [`${PREFIX}${window.location.pathname}:`, placeOf(field)];
  const beforeStamp = (key) => key.slice(0, key.lastIndexOf(":") + 1);
  const drafts = kept().filter((key) => beforeStamp(key).endsWith(place) && (key.startsWith(here) || read(key).sent === false));
  const found = new Set();
  let stamp = stampOf(field.defaultValue);
  for (;;) {
    const before = drafts.find((key) => !found.has(key) && stampOf(read(key).text) === stamp);
    if (!before) return found;
    found.add(before);
    stamp = before.slice(beforeStamp(before).length);
  }
};

const marked = (form, mark, body = new FormData(form)) => {
  for (const field of form.elements) {
    if (!field.matches(FIELDS)) continue;
    const own = keyOf(field);
    const sent = String(body.get(field.name)).replaceAll("\r\n", "\n");
    // What was typed since it was sent has not been sent.
    const keys = ledTo(field).add(own);
    if (read(own)?.text !== sent) keys.delete(own);
    for (const key of keys) write(key, { ...read(key), ...mark });
    if (mark.sent && field.value === sent && field.nextElementSibling?.matches("[data-not-sent]")) {
      field.nextElementSibling.remove();
    }
  }
};

// The page that answers a form tells whether it was taken: then it is another address, of somebody who is signed in,
// without a refusal. Anything else (a sign-in that has ended, a form too old, an error) leaves the text to be sent.
const settle = () => {
  const taken = PREFIX !== "draft::" && arrival?.redirectCount > 0 && !document.querySelector("main .alert-danger");
  const here = new Set([...document.querySelectorAll(FIELDS)].map(keyOf));
  for (const key of Object.keys(window.sessionStorage).filter((name) => name.startsWith("draft:"))) {
    const draft = read(key);
    if (!draft.sending) continue;
    // A form that is answered by its own page stands there anew, and whoever comes back to that has nothing to send.
    if (taken && here.has(key)) window.sessionStorage.removeItem(key);
    else write(key, { text: draft.text, sent: taken });
  }
};

const watch = () => {
  settle();
  for (const field of document.querySelectorAll(FIELDS)) restore(field);

  document.addEventListener("input", ({ target }) => {
    if (!target.matches(FIELDS)) return;
    if (target.value === target.defaultValue) window.sessionStorage.removeItem(keyOf(target));
    else write(keyOf(target), { text: target.value });
  });
  window.addEventListener("submit", (event) => {
    if (event.target.hasAttribute("data-forget")) for (const key of kept()) window.sessionStorage.removeItem(key);
    else if (!event.defaultPrevented) marked(event.target, { sending: true });
  });
  // What htmx sent for a form: a refusal leaves it to be sent.
  document.addEventListener("htmx:beforeSwap", ({ detail: { requestConfig, xhr } }) => {
    const taken = xhr.status === 200 && !xhr.responseText.includes("alert-danger");
    if (taken && requestConfig.elt instanceof HTMLFormElement) {
      marked(requestConfig.elt, { sent: true }, requestConfig.formData);
    }
  });
  // Scripts that send a form themselves say so: "draft:sending" before another page follows, "draft:sent" afterwards,
  // then with what was sent.
  document.addEventListener("draft:sending", ({ target }) => marked(target, { sending: true }));
  document.addEventListener("draft:sent", ({ target, detail }) => marked(target, { sent: true }, detail));
};

try {
  window.sessionStorage.getItem(PREFIX);
  watch();
} catch {
  // No storage is given to this page.
}
