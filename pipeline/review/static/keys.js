// Keys that every page knows, the switch between light and dark, and the list of keys.
"use strict";

const keysOff = () => localStorage.getItem("clearance-keys") === "off";

// Whether a key that is pressed there belongs to what has the focus.
const typing = (target) =>
  target.isContentEditable ||
  ["TEXTAREA", "SELECT"].includes(target.tagName) ||
  (target.tagName === "INPUT" && !["radio", "checkbox", "button", "submit"].includes(target.type));

const follow = (id) => {
  const link = document.getElementById(id);
  if (link) link.click();
  return Boolean(link);
};

const openUndo = () => {
  const details = document.getElementById("undo-last") || document.getElementById("undo");
  if (!details) return false;
  details.open = true;
  const field = details.querySelector("input[name=reason]");
  if (field) field.focus();
  return true;
};

let after_g = 0;

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.isComposing || document.querySelector("dialog[open]") || keysOff()) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = event.key;
  let done = false;
  if (key === "?") {
    document.getElementById("keys").click();
    done = true;
  } else if (key === "/") {
    const search = document.getElementById("search");
    if (search) {
      search.focus();
      search.select();
      done = true;
    } else {
      done = follow("to-queue");
    }
  } else if (key === "g") {
    after_g = event.timeStamp;
    return;
  } else if (key === "q" && event.timeStamp - after_g < 1500) {
    done = follow("to-queue");
  } else if (key === "i" && event.timeStamp - after_g < 1500) {
    done = follow("to-item");
  } else if (key === "u") {
    done = openUndo();
  } else if (key === "w") {
    done = follow("work-after");
  } else if (key === "W") {
    done = follow("work-before");
  } else if (key === "6") {
    const every = document.getElementById("every");
    if (every) {
      every.open = !every.open;
      every.scrollIntoView({ block: every.open ? "start" : "nearest" });
      done = true;
    }
  } else if (key === "n") {
    done = follow("after");
  } else if (key === "p") {
    done = follow("before");
  } else if (!document.getElementById("rows") && key === "j") {
    done = follow("after");
  } else if (!document.getElementById("rows") && key === "k") {
    done = follow("before");
  } else if (key === "ArrowRight" && event.target === document.body) {
    done = follow("after");
  } else if (key === "ArrowLeft" && event.target === document.body) {
    done = follow("before");
  }
  if (done) event.preventDefault();
});

const dialog = document.getElementById("help");
document.getElementById("keys").addEventListener("click", () => dialog.showModal());
const off = document.getElementById("keys-off");
off.checked = keysOff();
off.addEventListener("change", () => localStorage.setItem("clearance-keys", off.checked ? "off" : "on"));

const theme = document.getElementById("theme");
const root = document.documentElement;
const dark = () =>
  root.dataset.theme
    ? root.dataset.theme === "dark"
    : window.matchMedia("(prefers-color-scheme: dark)").matches;
// The button says what it switches to.
const nameTheme = () => (theme.textContent = dark() ? "Light" : "Dark");
nameTheme();
theme.addEventListener("click", () => {
  root.dataset.theme = dark() ? "light" : "dark";
  nameTheme();
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
});

// What was just done is said once: going back to this address later must not say it again.
if (new URLSearchParams(location.search).has("done")) {
  const address = new URL(location.href);
  for (const name of ["done", "of", "of_work"]) address.searchParams.delete(name);
  history.replaceState(history.state, "", address);
}
