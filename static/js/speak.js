// The page that speaks: counts characters, plays speech while it is spoken, and shows what went wrong where it would stand.

const form = document.querySelector("#speak-form");
const outcome = document.querySelector("#outcome");

if (form && outcome) {
  const text = form.querySelector("textarea[name=text]");
  const counter = document.querySelector("#text-count");
  const limit = Number(text.dataset.limit);
  const asLong = document.querySelector("#as-long");

  // Whoever points with a finger has no such keys.
  const keys = window.matchMedia("(hover: hover)").matches ? "; Ctrl+Enter speaks them" : "";

  const count = () => {
    // As the server counts: by characters, not by UTF-16 halves.
    const length = [...text.value.trim()].length;
    counter.textContent = `${length} of ${limit} characters${keys}`;
    counter.classList.toggle("text-danger", length > limit);
    // What is too long to be answered at once is what long texts are for.
    asLong.classList.toggle("btn-primary", length > limit);
    asLong.classList.toggle("btn-outline-secondary", length <= limit);
  };
  counter.hidden = false;
  text.addEventListener("input", count);
  count();

  // On a small screen what came of it stands below what one looks at.
  const seen = (place, wanted = () => true) =>
    new MutationObserver(() => {
      if (place.childElementCount && wanted()) place.scrollIntoView({ block: "nearest" });
    }).observe(place, { childList: true });
  seen(outcome);

  const say = (sentence) => {
    const box = document.createElement("div");
    box.className = "alert alert-danger";
    box.setAttribute("role", "alert");
    box.textContent = sentence;
    outcome.replaceChildren(box);
  };

  asLong.addEventListener("click", (event) => {
    // Not through htmx, whose answer would be put beside the form: another page follows.
    event.preventDefault();
    const own = form.getAttribute("action");
    form.setAttribute("action", asLong.formAction);
    form.dispatchEvent(new Event("draft:sending", { bubbles: true }));
    form.submit();
    // Browsers give a form that one goes back to what it held if it is the same form, and by its address they know it.
    form.setAttribute("action", own);
  });

  const speaking = document.querySelector("#speaking");
  const submit = form.querySelector("button[type=submit]");
  const stop = document.querySelector("#stop");
  // The focus goes with a button that is taken away, hidden or disabled; the keyboard is given the next one.
  const refocus = () => {
    const lost = [document.body, stop].includes(document.activeElement);
    submit.disabled = false;
    if (lost) submit.focus();
  };
  // The button that shows what will be spoken asks from within the form; its requests are no speech.
  const speaks = (event) => event.detail.elt === form;
  form.addEventListener("htmx:beforeRequest", (event) => {
    if (!speaks(event)) return;
    outcome.replaceChildren();
    speaking.hidden = false;
  });
  form.addEventListener("htmx:configRequest", ({ detail }) => {
    // What its button says counts, wherever that stands.
    const button = detail.triggeringEvent?.submitter;
    if (detail.elt === form && button?.name) detail.formData.set(button.name, button.value);
  });
  form.addEventListener("htmx:afterRequest", (event) => {
    if (!speaks(event)) return;
    speaking.hidden = true;
    refocus();
  });
  form.addEventListener("htmx:sendError", (event) => {
    event.stopPropagation();
    say("The portal cannot be reached. Try again in a moment.");
  });
  // With a new sign-in the form's token is no longer good: this page cannot go on as it is.
  const signedOut = () => say("You are signed out. Reload the page and sign in; your text will be here.");
  form.addEventListener("htmx:responseError", (event) => {
    event.stopPropagation();
    if (event.detail.xhr.status === 401) signedOut();
    else say(`The portal could not answer (${event.detail.xhr.status}). Reload the page and try again.`);
  });

  // Heard while it is spoken, where the browser can; else htmx brings the whole of it.
  const live = document.querySelector("#live");
  const able = "AudioContext" in window && "ReadableStream" in window;
  document.querySelector("#live-choice").hidden = !able;

  const speakLive = async (button) => {
    // What its button says counts too, which may stand in what is taken away now.
    const body = new FormData(form, button);
    const leaving = new AbortController();
    stop.onclick = () => leaving.abort();
    outcome.replaceChildren();
    submit.disabled = true;
    speaking.hidden = stop.hidden = false;
    try {
      const { playLive } = await import(form.dataset.live);
      const answer = await playLive(form.dataset.stream, body, Number(form.dataset.rate), leaving.signal);
      if (answer.id) {
        form.dispatchEvent(new CustomEvent("draft:sent", { bubbles: true, detail: body }));
        await htmx.ajax("GET", `${form.getAttribute("action")}${answer.id}/outcome/`, { target: "#outcome" });
      }
      else if (answer.signedOut) signedOut();
      else if (answer.status === 400) outcome.innerHTML = answer.text;
      else say(`The portal could not answer (${answer.status}). Reload the page and try again.`);
    } catch {
      if (leaving.signal.aborted) say("Stopped. What was not spoken to its end is not kept.");
      else say("The speech broke off. Try again in a moment.");
    } finally {
      refocus();
      speaking.hidden = stop.hidden = true;
    }
  };
  form.addEventListener("htmx:confirm", (event) => {
    if (!speaks(event) || !able || !live.checked) return;
    event.preventDefault();
    speakLive(event.detail.triggeringEvent?.submitter);
  });

  // What will be spoken is kept up to date once it has been asked for.
  const plan = document.querySelector("#plan");
  const show = document.querySelector("#show-plan");
  let waiting;
  let asked = false;
  show.addEventListener("click", (event) => {
    // Not where it is brought up to date below, while one types.
    asked = event.isTrusted;
  });
  seen(plan, () => asked);
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    if (plan.childElementCount) waiting = setTimeout(() => show.click(), 800);
  });

  // Ctrl+Enter speaks.
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      // Its button, for htmx would take the last one that was pressed, and that may be the plan's, by the clock above.
      submit.click();
    }
  });
}
