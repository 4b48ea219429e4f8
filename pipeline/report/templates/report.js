"use strict";
(() => {
  const form = document.querySelector(".filter");
  for (const part of document.querySelectorAll(".needs-script")) part.hidden = false;

  // A row that a link leads to is unfolded, also by browsers that do not do so themselves.
  const unfold = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const row = target && target.closest("details");
    if (row) { row.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", unfold);
  unfold();

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-print]");
    if (!button) return;
    const row = button.closest(".row");
    document.body.classList.add("one-card");
    row.classList.add("printed");
    const restore = () => {
      document.body.classList.remove("one-card");
      row.classList.remove("printed");
    };
    addEventListener("afterprint", restore, { once: true });
    print();
  });
  if (!form) return;

  const rows = [...document.querySelectorAll("[data-row]")].map((element) => ({
    element,
    words: (element.matches("details") ? element.querySelector("summary").textContent + element.dataset.path : element.textContent).toLowerCase(),
    band: element.dataset.band,
    path: element.dataset.path,
    works: (element.dataset.works || "").split(" "),
    holders: (element.dataset.holders || "").split(" "),
  }));
  const groups = [...document.querySelectorAll(".group")];
  const wasOpen = new Map(groups.map((group) => [group, group.open]));
  const fields = form.elements;
  const inFolder = (path, folder) => (folder === "(not in a folder)" ? !path.includes("/") : path.startsWith(`${folder}/`));

  const show = () => {
    const words = fields.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const { band, work, holder, folder } = Object.fromEntries(["band", "work", "holder", "folder"].map((name) => [name, fields[name].value]));
    const active = Boolean(words.length || band || work || holder || folder);
    let shown = 0;
    for (const row of rows) {
      const fits = words.every((word) => row.words.includes(word)) &&
        (!band || row.band === band) && (!work || row.works.includes(work)) &&
        (!holder || row.holders.includes(holder)) && (!folder || inFolder(row.path, folder));
      row.element.hidden = !fits;
      shown += fits;
    }
    for (const group of groups) {
      const some = [...group.querySelectorAll("[data-row]")].some((row) => !row.hidden);
      group.hidden = active && !some;
      group.open = active ? some : wasOpen.get(group);
    }
    form.classList.toggle("active", active);
    const chosen = ["band", "work", "holder", "folder"].filter((name) => fields[name].value).map((name) => fields[name].selectedOptions[0].textContent);
    if (words.length) chosen.unshift(`“${fields.words.value.trim()}”`);
    form.querySelector("output").textContent = active ? `${shown.toLocaleString("en")} of the ${rows.length.toLocaleString("en")} files on this page: ${chosen.join(", ")}` : "";
  };
  form.addEventListener("input", show);
  form.addEventListener("reset", () => setTimeout(show));
  form.addEventListener("submit", (event) => event.preventDefault());
  const fold = (open) => {
    for (const { element } of rows) if (element.matches("details") && !element.hidden) element.open = open;
  };
  form.querySelector("[data-open]").addEventListener("click", () => fold(true));
  form.querySelector("[data-close]").addEventListener("click", () => fold(false));
  for (const link of document.querySelectorAll("[data-filter]")) {
    link.addEventListener("click", () => {
      form.reset();
      fields[link.dataset.filter].value = link.dataset.value;
      show();
    });
  }
  // A browser that went back to the page has kept what was chosen.
  show();
})();
