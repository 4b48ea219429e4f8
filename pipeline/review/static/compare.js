// Two pictures to compare: side by side with one zoom and pan, blinked, with a slider, as their
// difference, and in squares by turns. Everything is seen from the asset: the centre of what is
// looked at lies in its coordinates, and the transform says where that is in the work.
"use strict";

(() => {
  const box = document.getElementById("compare");
  const panes = document.getElementById("panes");
  const tools = box.querySelector(".tools");
  const assetImage = document.getElementById("asset");
  const workImage = document.getElementById("work");
  if (!tools || !assetImage || !workImage) return;

  const MODES = ["beside", "blink", "slider", "difference", "overlay"];
  const LARGEST = 32;
  const BLINK_MS = 700;
  const STEP = 1.4;
  const EDGE = 6; // pixels around a whole picture, so that an outline along its edge is seen

  const matrix = box.dataset.matrix ? box.dataset.matrix.split(" ").map(Number) : null;
  const size = (image) => [Number(image.getAttribute("width")), Number(image.getAttribute("height"))];
  const [assetWide, assetHigh] = size(assetImage);
  const [workWide, workHigh] = size(workImage);
  const assetView = document.getElementById("view-asset");
  const workView = document.getElementById("view-work");
  const even = document.getElementById("even");
  const said = document.getElementById("said");
  const ofMode = box.querySelector(".of-mode");
  const split = document.getElementById("split");
  const gain = document.getElementById("gain");
  const pause = document.getElementById("pause");
  const lines = document.getElementById("lines");
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  const element = (name, className, parent) => {
    const made = document.createElement(name);
    made.className = className;
    parent.append(made);
    return made;
  };

  // What lies over the asset: the work laid onto it, and a canvas for what is made of both.
  const layer = assetView.querySelector(".layer");
  const over = element("img", "over", layer);
  over.alt = "";
  over.src = box.dataset.laid || workImage.src;
  const canvas = element("canvas", "", layer);
  canvas.width = assetWide;
  canvas.height = assetHigh;
  canvas.setAttribute("aria-hidden", "true");
  const outline = layer.querySelector(".outline");
  if (outline) layer.append(outline); // above the others
  const tag = element("p", "tag", assetView);
  tag.setAttribute("aria-hidden", "true");
  const divider = element("div", "divider", assetView);

  const state = { mode: "beside", zoom: 1, x: 0.5, y: 0.5, shown: false, paused: still, timer: 0 };

  // Homographies in fractions of both pictures, as rows of three.
  const invert = (m) => {
    const [a, b, c, d, e, f, g, h, i] = m;
    return [
      e * i - f * h, c * h - b * i, b * f - c * e,
      f * g - d * i, a * i - c * g, c * d - a * f,
      d * h - e * g, b * g - a * h, a * e - b * d,
    ];
  };
  const apply = (m, x, y) => {
    const depth = m[6] * x + m[7] * y + m[8];
    return [(m[0] * x + m[1] * y + m[2]) / depth, (m[3] * x + m[4] * y + m[5]) / depth];
  };
  const toAsset = matrix || [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const toWork = invert(toAsset);
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  // The derivative, in pixels, of the way from the asset to the work at the centre.
  const slope = () => {
    const by = 1e-4;
    const [x, y] = apply(toWork, state.x, state.y);
    const [xx, xy] = apply(toWork, state.x + by, state.y);
    const [yx, yy] = apply(toWork, state.x, state.y + by);
    return [
      [((xx - x) / by) * (workWide / assetWide), ((yx - x) / by) * (workWide / assetHigh)],
      [((xy - y) / by) * (workHigh / assetWide), ((yy - y) / by) * (workHigh / assetHigh)],
    ];
  };
  const enlarging = () => {
    const [[a, b], [c, d]] = slope();
    const found = Math.sqrt(Math.abs(a * d - b * c));
    return Number.isFinite(found) && found > 1e-6 ? found : 1;
  };

  const fitting = (view, wide, high) =>
    Math.min((view.clientWidth - 2 * EDGE) / wide, (view.clientHeight - 2 * EDGE) / high);

  const place = (view, wide, high, scale, x, y) => {
    const target = view.querySelector(".layer");
    const left = view.clientWidth / 2 - x * wide * scale;
    const top = view.clientHeight / 2 - y * high * scale;
    // Laid out at its size and not scaled, so that outlines keep their width.
    target.style.width = `${wide * scale}px`;
    target.style.height = `${high * scale}px`;
    target.style.transform = `translate(${left}px, ${top}px)`;
    view.classList.toggle("near", scale >= 8);
    return [left, scale];
  };

  let assetLeft = 0;
  let assetScale = 1;

  // No higher than the pictures are in the width there is, so that what stands below comes up.
  const needs = (view, wide, high) => ((view.clientWidth - 2 * EDGE) * high) / wide + 2 * EDGE;
  const fit = () => {
    const asset = needs(assetView, assetWide, assetHigh);
    const work = state.mode === "beside" ? needs(workView, workWide, workHigh) : 0;
    const stacked = assetView.getBoundingClientRect().left === workView.getBoundingClientRect().left;
    assetView.style.setProperty("--needs", `${stacked ? asset : Math.max(asset, work)}px`);
    workView.style.setProperty("--needs", `${stacked ? work : Math.max(asset, work)}px`);
  };

  const draw = () => {
    fit();
    // Whole, a picture is in the middle; nearer, the centre is where the person put it.
    const near = clamp((state.zoom - 1) / 0.5, 0, 1);
    const middle = (value) => 0.5 + (value - 0.5) * near;
    const scale = fitting(assetView, assetWide, assetHigh) * state.zoom;
    [assetLeft, assetScale] = place(
      assetView, assetWide, assetHigh, scale, middle(state.x), middle(state.y),
    );
    if (state.mode === "beside") {
      const whole = fitting(workView, workWide, workHigh);
      let [x, y] = apply(toWork, state.x, state.y);
      x = clamp(Number.isFinite(x) ? x : 0.5, 0, 1);
      y = clamp(Number.isFinite(y) ? y : 0.5, 0, 1);
      const alike = matrix ? scale / enlarging() : whole * state.zoom;
      place(workView, workWide, workHigh, whole * (alike / whole) ** near, middle(x), middle(y));
    }
    document.getElementById("zoom").textContent = `${state.zoom.toFixed(state.zoom < 10 ? 1 : 0).replace(/\.0$/, "")}×`;
    drawSplit();
  };

  const drawSplit = () => {
    if (state.mode !== "slider") {
      over.style.clipPath = "";
      return;
    }
    const at = (Number(split.value) / 100) * assetView.clientWidth;
    const inside = clamp((at - assetLeft) / (assetWide * assetScale), 0, 1);
    over.style.clipPath = `inset(0 0 0 ${inside * 100}%)`;
    divider.style.left = `${at}px`;
  };

  const mixed = () => {
    const pen = canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.globalCompositeOperation = "source-over";
    pen.clearRect(0, 0, assetWide, assetHigh);
    pen.drawImage(assetImage, 0, 0, assetWide, assetHigh);
    if (state.mode === "difference") {
      pen.globalCompositeOperation = "difference";
      pen.drawImage(over, 0, 0, assetWide, assetHigh);
      // Only where both are there is there a difference to speak of.
      pen.globalCompositeOperation = "destination-in";
      pen.drawImage(over, 0, 0, assetWide, assetHigh);
      pen.globalCompositeOperation = "lighter";
      for (let times = 1; times < Number(gain.value); times *= 2) {
        pen.drawImage(canvas, 0, 0);
      }
      pen.globalCompositeOperation = "destination-over";
      pen.fillStyle = "#000";
      pen.fillRect(0, 0, assetWide, assetHigh);
      return;
    }
    pen.fillStyle = "rgb(96 96 96 / 0.72)";
    pen.fillRect(0, 0, assetWide, assetHigh);
    const points = outline
      ? [...outline.querySelector("polygon").points].map((p) => [p.x * assetWide, p.y * assetHigh])
      : [];
    if (!points.length) return;
    const inside = new Path2D();
    points.forEach(([x, y], n) => (n ? inside.lineTo(x, y) : inside.moveTo(x, y)));
    inside.closePath();
    const across = points.map(([x]) => x);
    const down = points.map(([, y]) => y);
    const [left, right] = [Math.min(...across), Math.max(...across)];
    const [top, bottom] = [Math.min(...down), Math.max(...down)];
    const tile = Math.max(Math.min(right - left, bottom - top) / 7, Math.max(assetWide, assetHigh) / 60, 4);
    pen.save();
    pen.clip(inside);
    pen.drawImage(assetImage, 0, 0, assetWide, assetHigh);
    const squares = new Path2D();
    const borders = new Path2D();
    const middle = [(left + right) / 2, (top + bottom) / 2];
    const from = (low, centre) => Math.floor((low - centre) / tile);
    for (let row = from(top, middle[1]); middle[1] + row * tile < bottom; row += 1) {
      for (let column = from(left, middle[0]); middle[0] + column * tile < right; column += 1) {
        const square = [middle[0] + column * tile, middle[1] + row * tile, tile, tile];
        borders.rect(...square);
        if ((((column + row) % 2) + 2) % 2 === 0) squares.rect(...square);
      }
    }
    pen.save();
    pen.clip(squares);
    pen.drawImage(over, 0, 0, assetWide, assetHigh);
    pen.restore();
    pen.strokeStyle = "rgb(255 214 10 / 0.28)";
    pen.lineWidth = Math.max(1, assetWide / 1000);
    pen.stroke(borders);
    pen.restore();
  };

  const loaded = (image) =>
    image.complete && image.naturalWidth
      ? Promise.resolve()
      : new Promise((done, failed) => {
          image.addEventListener("load", done, { once: true });
          image.addEventListener("error", failed, { once: true });
        });

  const isMade = () => state.mode === "difference" || state.mode === "overlay";
  const mix = () =>
    Promise.all([loaded(assetImage), loaded(over)]).then(mixed, () => {
      said.textContent = "The work laid onto it could not be loaded; load the page again.";
    });

  const captions = {
    beside: outline ? "The line shows where the work lies in it." : "",
    blink: "and the work by turns",
    slider: "and the work",
    difference: "less the work",
    overlay: "and the work in squares",
  };

  const blink = () => {
    over.classList.toggle("blinked-off", !state.shown);
    tag.textContent = state.shown ? "Work" : "Asset";
  };
  const tick = () => {
    clearInterval(state.timer);
    if (state.mode === "blink" && !state.paused) {
      state.timer = setInterval(() => {
        state.shown = !state.shown;
        blink();
      }, BLINK_MS);
    }
    pause.setAttribute("aria-pressed", String(state.paused));
  };

  const show = (mode) => {
    const button = tools.querySelector(`[data-mode="${mode}"]`);
    if (!button || button.disabled) return;
    state.mode = mode;
    panes.dataset.mode = mode;
    for (const one of tools.querySelectorAll("[data-mode]")) {
      one.setAttribute("aria-pressed", String(one === button));
    }
    const made = isMade();
    ofMode.hidden = mode === "beside";
    for (const part of ofMode.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== mode;
    over.hidden = mode === "beside" || made;
    over.classList.remove("blinked-off");
    canvas.hidden = !made;
    divider.hidden = mode !== "slider";
    tag.hidden = mode !== "blink";
    said.textContent = captions[mode];
    assetView.setAttribute("aria-label", `The asset ${captions[mode]}`.trim());
    if (mode === "blink") {
      state.shown = true;
      blink();
    }
    tick();
    if (made) mix();
    draw();
    sessionStorage.setItem("clearance-compare", mode);
  };

  const zoomTo = (zoom, x = state.x, y = state.y) => {
    state.zoom = clamp(zoom, 1, LARGEST);
    state.x = clamp(x, 0, 1);
    state.y = clamp(y, 0, 1);
    if (state.zoom === 1) [state.x, state.y] = focus;
    draw();
  };
  // What is enlarged first is the middle of the overlap.
  const focus = (() => {
    if (!outline) return [0.5, 0.5];
    const points = [...outline.querySelector("polygon").points];
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    return [mean(points.map((p) => p.x)), mean(points.map((p) => p.y))];
  })();
  [state.x, state.y] = focus;

  const panAsset = (dx, dy) => {
    zoomTo(state.zoom, state.x - dx / (assetWide * assetScale), state.y - dy / (assetHigh * assetScale));
  };
  // A move of the work's picture, as the move of the asset's that brings it about.
  const panWork = (dx, dy) => {
    const [[a, b], [c, d]] = slope();
    const det = a * d - b * c;
    if (!matrix || !Number.isFinite(det) || Math.abs(det) < 1e-9) return panAsset(dx, dy);
    const by = enlarging();
    panAsset((by * (d * dx - b * dy)) / det, (by * (a * dy - c * dx)) / det);
  };

  for (const [view, pan] of [[assetView, panAsset], [workView, panWork]]) {
    view.classList.add("live");
    view.tabIndex = 0;
    let last = null;
    view.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      const at = event.clientX - view.getBoundingClientRect().left;
      const onDivider = state.mode === "slider" && Math.abs(at - divider.offsetLeft) < 20;
      last = { x: event.clientX, y: event.clientY, divider: onDivider };
      view.setPointerCapture(event.pointerId);
    });
    view.addEventListener("pointermove", (event) => {
      if (!last) return;
      if (last.divider) {
        const bounds = view.getBoundingClientRect();
        split.value = clamp(((event.clientX - bounds.left) / bounds.width) * 100, 0, 100);
        drawSplit();
        return;
      }
      pan(event.clientX - last.x, event.clientY - last.y);
      last = { ...last, x: event.clientX, y: event.clientY };
    });
    for (const end of ["pointerup", "pointercancel"]) view.addEventListener(end, () => (last = null));
    view.addEventListener("dblclick", () => zoomTo(state.zoom > 1 ? 1 : 3));
    view.addEventListener(
      "wheel",
      (event) => {
        // A plain wheel scrolls the page; pinching comes as a wheel with Ctrl.
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        const zoom = clamp(state.zoom * Math.exp(-event.deltaY / 200), 1, LARGEST);
        zoomTo(zoom);
      },
      { passive: false },
    );
    view.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
      const move = moves[event.key];
      if (!move || event.ctrlKey || event.altKey || event.metaKey || state.zoom === 1) return;
      pan(...move);
      event.preventDefault();
    });
  }

  tools.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.mode) show(button.dataset.mode);
    if (button.dataset.zoom === "in") zoomTo(state.zoom * STEP);
    if (button.dataset.zoom === "out") zoomTo(state.zoom / STEP < 1.05 ? 1 : state.zoom / STEP);
    if (button.dataset.zoom === "whole") zoomTo(1);
  });
  split.addEventListener("input", drawSplit);
  gain.addEventListener("change", mixed);
  pause.addEventListener("click", () => {
    state.paused = !state.paused;
    tick();
  });
  const swap = () => {
    state.paused = true;
    state.shown = !state.shown;
    blink();
    tick();
  };
  document.getElementById("swap").addEventListener("click", swap);
  if (even) {
    even.addEventListener("change", () => {
      over.src = `${box.dataset.laid}${even.checked ? "&even=true" : ""}`;
      if (isMade()) mix();
    });
  }
  const outlined = () => panes.classList.toggle("no-lines", Boolean(lines) && !lines.checked);
  if (lines) lines.addEventListener("change", outlined);

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.isComposing || document.querySelector("dialog[open]") || keysOff()) return;
    if (typing(event.target) && event.target.type !== "range") return;
    const key = event.key;
    if (!event.shiftKey && /^(Digit|Numpad)[1-5]$/.test(event.code)) show(MODES[event.code.slice(-1) - 1]);
    else if (key === "+" || key === "=") zoomTo(state.zoom * STEP);
    else if (key === "-") zoomTo(state.zoom / STEP < 1.05 ? 1 : state.zoom / STEP);
    else if (key === "0") zoomTo(1);
    else if (key === "o" && lines) {
      lines.checked = !lines.checked;
      outlined();
    } else if (key === "b" && state.mode === "blink") pause.click();
    else if (key === "x" && state.mode === "blink") swap();
    else return;
    event.preventDefault();
  });

  new ResizeObserver(draw).observe(panes);
  tools.hidden = false;
  show(matrix ? sessionStorage.getItem("clearance-compare") || "beside" : "beside");
})();
