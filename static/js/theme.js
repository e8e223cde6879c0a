// Loaded before anything is painted: light or dark, as remembered or as the device says.
"use strict";

(() => {
  const KEY = "theme";
  const device = window.matchMedia("(prefers-color-scheme: dark)");

  function choice() {
    try {
      const kept = window.localStorage.getItem(KEY);
      return kept === "light" || kept === "dark" ? kept : "auto";
    } catch {
      return "auto"; // storage is switched off
    }
  }

  function apply() {
    const chosen = choice();
    const dark = chosen === "dark" || (chosen === "auto" && device.matches);
    document.documentElement.dataset.bsTheme = dark ? "dark" : "light";
    document.documentElement.dataset.themeChoice = chosen;
    document.dispatchEvent(new CustomEvent("portal:theme"));
  }

  device.addEventListener("change", apply);
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-theme-choice]");
    if (!(button instanceof HTMLButtonElement)) return;
    try {
      window.localStorage.setItem(KEY, button.dataset.themeChoice);
    } catch {
      // Not remembered, then; there is nothing to apply either.
    }
    apply();
  });
  apply();
})();
