// Reason templates: the one that is picked fills the field, where it can be changed. What somebody
// has typed is never lost: a template is then put beneath it.
"use strict";

(() => {
  const pick = document.getElementById("template");
  if (!pick) return;
  const reason = document.getElementById("reason");
  const texts = [...pick.options].map((option) => option.value).filter(Boolean);

  // Only those for the decision that is chosen; all of them before one is.
  const offer = () => {
    const chosen = pick.form.querySelector("input[name=choice]:checked");
    for (const option of pick.options) {
      const decisions = (option.dataset.decisions || "").split(" ").filter(Boolean);
      const fits = !chosen || !decisions.length || decisions.includes(chosen.value);
      option.hidden = !fits;
      option.disabled = !fits;
    }
  };

  pick.addEventListener("change", () => {
    if (!pick.value) return;
    const typed = reason.value.trim();
    const own = typed && !texts.includes(typed);
    reason.value = own ? `${typed}\n${pick.value}` : pick.value;
    pick.value = "";
    reason.focus();
  });
  pick.form.addEventListener("change", offer);
  pick.hidden = false;
  offer();
  window.addEventListener("pageshow", offer);
})();
