"use strict";
// Sorting: a click on a heading sorts by it, a second click turns the order round. Missing values stay last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const numeric = head.classList.contains("number");
    const first = numeric ? "descending" : "ascending";
    const before = head.getAttribute("aria-sort");
    const now = before === null ? first : before === "ascending" ? "descending" : "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", now);
    const sign = now === "ascending" ? 1 : -1;
    const words = new Intl.Collator("en", { numeric: true });
    const rows = [...table.tBodies[0].rows].map((row) => [row, row.cells[column]]);
    rows.sort(([, a], [, b]) => {
      if (!numeric) return sign * words.compare(a.textContent, b.textContent);
      const [x, y] = [a.dataset.order, b.dataset.order];
      return x === "" || y === "" ? (x === "") - (y === "") : sign * (x - y);
    });
    table.tBodies[0].append(...rows.map(([row]) => row));
  }));
}

// Pictures: switches of the legend, and what lies under the pointer, in both panels at once.
const tip = Object.assign(document.createElement("div"), { id: "tip", hidden: true });
document.body.append(tip);
for (const card of document.querySelectorAll(".case-card")) {
  const paths = [...card.querySelectorAll("path[data-class]")];
  const words = new Map(paths.map((path) => [path, path.textContent]));
  // The quick note below replaces the browser's own slow one, which knows the topmost bone only.
  paths.forEach((path) => path.replaceChildren());
  const light = (classes) => paths.forEach((path) => path.classList.toggle("hot", classes.has(path.dataset.class)));
  for (const box of card.querySelectorAll("input[data-switch]")) {
    const figure = box.closest("figure");
    const apply = () => figure.querySelectorAll(`[data-layer="${box.dataset.switch}"]`)
      .forEach((layer) => layer.classList.toggle("off", !box.checked));
    box.addEventListener("change", apply);
    apply();
  }
  for (const chip of card.querySelectorAll(".chips li[data-class]")) {
    chip.addEventListener("pointerenter", () => light(new Set([chip.dataset.class])));
    chip.addEventListener("pointerleave", () => light(new Set()));
  }
  const drawings = [...card.querySelectorAll(".panels svg")];
  const spots = drawings.map((drawing) => {
    const spot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    spot.setAttribute("class", "spot off");
    spot.setAttribute("r", 24);
    drawing.append(spot);
    return spot;
  });
  drawings.forEach((drawing, place) => {
    drawing.addEventListener("pointermove", (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
      const under = paths.filter((path) => path.isPointInFill(point));
      const lines = [...new Set(under.map((path) => words.get(path)))];
      light(new Set(under.map((path) => path.dataset.class)));
      spots.forEach((spot, other) => {
        spot.classList.toggle("off", other === place);
        spot.setAttribute("cx", point.x);
        spot.setAttribute("cy", point.y);
      });
      tip.hidden = lines.length === 0;
      tip.textContent = lines.join("\n");
      const left = event.clientX + 16 + tip.offsetWidth > innerWidth ? event.clientX - 12 - tip.offsetWidth : event.clientX + 16;
      tip.style.left = `${Math.max(4, left)}px`;
      tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 4)}px`;
    });
    drawing.addEventListener("pointerleave", () => {
      tip.hidden = true;
      light(new Set());
      spots.forEach((spot) => spot.classList.add("off"));
    });
  });
}

// The table of contents marks the section in view; the theme follows the system until it is chosen here.
const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const watch = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    links.forEach((link) => link.classList.remove("here"));
    links.get(entry.target.id)?.classList.add("here");
  }
}, { rootMargin: "-15% 0px -75% 0px" });
document.querySelectorAll("section[id]").forEach((section) => watch.observe(section));
const theme = document.getElementById("theme");
theme.hidden = false;
theme.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

// Charts: Plotly travels compressed in this page and is unpacked here; nothing is fetched.
async function draw() {
  const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  const settings = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
  for (const place of document.querySelectorAll(".chart")) {
    const figure = JSON.parse(document.getElementById(place.id.replace("chart-", "figure-")).textContent);
    place.replaceChildren();
    await Plotly.newPlot(place, figure.data, figure.layout, settings);
  }
}
// Paper is narrower than most windows: 680 px fill an A4 or letter page between its margins.
const resize = (change) => document.querySelectorAll(".js-plotly-plot").forEach((place) => Plotly.relayout(place, change));
addEventListener("beforeprint", () => resize({ autosize: false, width: 680 }));
addEventListener("afterprint", () => resize({ autosize: true, width: null }));
if (document.querySelector(".chart")) {
  draw().catch((error) => {
    for (const place of document.querySelectorAll(".chart:not(.js-plotly-plot)")) {
      place.style.height = "auto";
      place.innerHTML = '<p class="failed"></p>';
      place.firstChild.textContent = `The chart could not be drawn (${error}). Its numbers are in the tables of this page.`;
    }
  });
}
