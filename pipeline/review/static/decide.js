// The form to decide with: keys make a choice and go to the reason; nothing is sent by one key.
"use strict";

const form = document.getElementById("decide-form");

const current = document.querySelector(".works [aria-current]");
if (current) current.scrollIntoView({ block: "nearest", inline: "nearest" });

if (form) {
  sessionStorage.setItem("clearance-item", form.elements.number.value);
  const reason = document.getElementById("reason");
  const wanted = document.getElementById("reason-wanted");
  const meaning = document.getElementById("meaning");

  const shown = () => {
    const chosen = form.querySelector("input[name=choice]:checked");
    if (!chosen) return;
    const needs = "reason" in chosen.dataset;
    reason.required = needs;
    wanted.textContent = needs ? "wanted" : "if you like";
    meaning.textContent = chosen.closest("label").title;
  };

  form.addEventListener("change", shown);
  if (form.querySelector("input[data-preselected]")) reason.focus();
  shown();

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      // In another form (a comment, taking back) it sends that one.
      const inside = event.target.closest("form");
      if (inside && inside !== form) inside.requestSubmit();
      else form.requestSubmit(document.getElementById("decide-next"));
      event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || keysOff() || typing(event.target)) return;
    if (event.shiftKey && /^Digit[1-5]$/.test(event.code)) {
      const choice = form.querySelector(`input[data-key="${event.code.slice(5)}"]`);
      if (!choice || choice.disabled) return;
      choice.checked = true;
      choice.dispatchEvent(new Event("change", { bubbles: true }));
      reason.focus();
      event.preventDefault();
    }
  });

  // A form that is sent twice is one event; the second press is not sent at all.
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => delete form.dataset.sent);
}
