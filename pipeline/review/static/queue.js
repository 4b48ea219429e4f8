// The queue: moving among rows by keys, opening them, and filters that apply themselves.
"use strict";

const links = [...document.querySelectorAll("#rows .file a.name")];
const cards = document.querySelector("#rows.cards");
const rowOf = (element) => element.closest("#rows tbody tr, #rows .tile");

const move = (by) => {
  const now = links.indexOf(document.activeElement);
  const next = now < 0 ? (by > 0 ? 0 : links.length - 1) : now + by;
  if (next < 0 || next >= links.length) return false;
  links[next].focus({ preventScroll: true });
  rowOf(links[next]).scrollIntoView({ block: "nearest" });
  return true;
};

// How many cards stand beside each other; rows of a table stand alone.
const columns = () => (cards ? getComputedStyle(cards).gridTemplateColumns.split(" ").length : 1);

const CHOICES = ["no_issue", "needs_licence", "replace", "escalate_to_legal", "false_match"];

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.isComposing || document.querySelector("dialog[open]") || keysOff()) return;
  if (typing(event.target)) return;
  let done = false;
  const among = links.includes(document.activeElement);
  if (event.key === "j") done = move(1);
  else if (event.key === "k") done = move(-1);
  else if (event.key === "ArrowDown") done = move(among ? columns() : 1);
  else if (event.key === "ArrowUp") done = move(among ? -columns() : -1);
  else if (cards && among && event.key === "ArrowRight") done = move(1);
  else if (cards && among && event.key === "ArrowLeft") done = move(-1);
  else if (event.shiftKey && /^Digit[1-5]$/.test(event.code)) {
    // Nobody decides on a row unseen: this opens it, with the choice made.
    const link = document.activeElement;
    if (links.includes(link)) {
      const address = new URL(link.href);
      address.searchParams.set("choice_made", CHOICES[Number(event.code.slice(5)) - 1]);
      location.href = address;
      done = true;
    }
  }
  if (done) event.preventDefault();
});

// Rows open wherever they are clicked, unless something is being selected in them.
for (const row of document.querySelectorAll("#rows tbody tr, #rows .tile")) {
  row.addEventListener("click", (event) => {
    if (event.target.closest("a") || String(getSelection())) return;
    row.querySelector(".file a.name").click();
  });
}

// Coming back from an item, the focus is on its row.
const last = sessionStorage.getItem("clearance-item");
const row = last && document.querySelector(`#rows [data-number="${CSS.escape(last)}"]`);
if (row) row.querySelector(".file a.name").focus();

const filters = document.getElementById("filters");
for (const select of filters.querySelectorAll("select")) {
  select.addEventListener("change", () => {
    const stage = document.getElementById("f-stage");
    if (select.id === "f-outcome" && !stage.value) return;
    filters.requestSubmit();
  });
}
// An address without what is empty is one that can be read, kept and passed on.
filters.addEventListener("submit", () => {
  for (const field of filters.querySelectorAll("input, select")) field.disabled = !field.value;
  if (!document.getElementById("f-stage").value) document.getElementById("f-outcome").disabled = true;
});
window.addEventListener("pageshow", () => {
  for (const field of filters.querySelectorAll(":disabled")) field.disabled = false;
});
