// The bench: what is shown, the wiring of table, stage and legend, the keys, and what Streamlit is told.

class Bench {
  constructor(root, facts, cases, tell) {
    this.root = root;
    this.facts = facts;
    this.cases = cases;
    this.tell = tell;
    this.hidden = new Set();
    this.window = [0, 255];
    this.picked = new Set(this.remembered());
    this.stage = new Stage(root.querySelector(".stage canvas"), {
      over: (pixel, at) => this.over(pixel, at),
      drag: (dx, dy) => this.dragWindow(dx, dy),
      drawn: () => this.tellScale(),
    });
    this.table = new CaseTable(root, facts, { open: (place) => this.open(place), pick: (place) => this.pick(place) });
    this.list = new ClassList(root, facts, {
      toggle: (label) => this.hide(label, !this.hidden.has(label)),
      solo: (label) => this.solo(label),
      seek: (label) => this.seek(label),
      light: (label) => this.lightUp(label),
      classes: (hidden) => this.setHidden(hidden),
    });
    this.bar = new LayerBar(this.find(".layers"), facts, { show: () => this.show(), chosen: () => this.rescored() });
    this.listen();
    this.setWindow(this.window);
    this.table.score(this.chosen());
    this.rescored();
  }

  get classes() {
    return [...this.facts.classes.keys()].filter((label) => !this.hidden.has(label));
  }

  chosen() {
    const { a, b } = this.bar;
    return { classes: this.classes, a, b, picked: this.picked, colours: this.facts.colours };
  }

  // ---- which case ------------------------------------------------------------------------------------------------

  async open(place) {
    if (place === undefined) return;
    this.place = place;
    this.table.mark(place);
    this.name();
    const started = performance.now();
    const found = await this.cases.get(place);
    if (this.place !== place) return;
    this.masks = found.masks instanceof Error ? undefined : found.masks;
    this.image = found.image instanceof Error ? undefined : found.image;
    const wrong = [found.masks, found.image].filter((part) => part instanceof Error).map((error) => error.message);
    if (this.masks && this.image && (this.image.width !== this.masks.width || this.image.height !== this.masks.height)) {
      wrong.push(`The image is ${this.image.height} x ${this.image.width}, its header said ${this.masks.height} x ${this.masks.width}.`);
      this.image = undefined;
    }
    this.trouble([...new Set(wrong)].join("\n"));
    this.doubt = undefined;
    if (this.image) this.setWindow(this.kept || autoWindow(this.image.counts), true);
    this.show();
    this.root.dataset.state = "shown";
    this.root.dataset.shown = place;
    this.root.dataset.milliseconds = Math.round(performance.now() - started);
    this.later("case", place);
    // The neighbours are fetched when this picture is on the screen.
    clearTimeout(this.ahead);
    this.ahead = setTimeout(() => this.fetchAhead(), 60);
  }

  fetchAhead() {
    for (const step of [1, -1]) {
      const next = this.table.neighbour(step);
      if (next !== undefined && next !== this.place) this.cases.get(next);
    }
  }

  name() {
    const { facts, place, picked } = this;
    this.find(".case-name").textContent = facts.cases[place];
    this.find(".case-name").title = facts.cases[place];
    const { a, b } = this.table.values[place];
    const scores = [a, b].filter((score) => score !== undefined);
    const rank = this.table.rank < 0 ? "" : `${this.table.rank + 1} of ${this.table.order.length}`;
    const said = scores.map((score, at) => `Dice ${scores.length > 1 ? "AB"[at] + " " : ""}${score.toFixed(4)}`);
    this.find(".case-note").textContent = [rank, ...said].filter(Boolean).join(" · ");
    this.find(".pick").setAttribute("aria-pressed", String(picked.has(place)));
    this.find(".pick span").textContent = picked.has(place) ? "Picked" : "Pick";
  }

  step(by) {
    this.open(this.table.neighbour(by));
  }

  pick(place = this.place) {
    if (!this.picked.delete(place)) this.picked.add(place);
    try {
      localStorage.setItem(this.memory, JSON.stringify([...this.picked]));
    } catch {
      // A browser without storage forgets the list with the page.
    }
    this.table.sort();
    this.table.mark(this.place);
    this.name();
    this.later("picked", [...this.picked]);
  }

  get memory() {
    return `phalanx picked ${this.facts.token}`;
  }

  remembered() {
    try {
      const known = JSON.parse(localStorage.getItem(this.memory)) || [];
      return known.filter((place) => Number.isInteger(place) && place >= 0 && place < this.facts.cases.length);
    } catch {
      return [];
    }
  }

  // Streamlit runs its script for every word; a key that is held down shall not make it run for every case passed.
  later(name, value) {
    this.waiting ??= new Map();
    clearTimeout(this.waiting.get(name));
    this.waiting.set(name, setTimeout(() => this.tell(name, value), 250));
  }

  // ---- which classes and layers ----------------------------------------------------------------------------------

  hide(label, hidden) {
    const set = new Set(this.hidden);
    if (hidden) set.add(label);
    else set.delete(label);
    this.setHidden(set);
  }

  solo(label) {
    const alone = this.classes.length === 1 && !this.hidden.has(label);
    this.setHidden(new Set(alone ? [] : [...this.facts.classes.keys()].filter((other) => other !== label)));
  }

  setHidden(hidden) {
    this.hidden = hidden;
    this.rescored();
    this.show();
  }

  rescored() {
    this.table.score(this.chosen());
    if (this.place !== undefined) {
      this.table.mark(this.place);
      this.name();
    }
  }

  seek(label) {
    const { masks } = this;
    const { a, b, truth } = this.bar;
    const at = [a, truth, b].find((source) => source !== undefined && masks?.sources[source].masks.has(label));
    if (at !== undefined) this.stage.goTo(masks.sources[at].masks.get(label).box);
  }

  lightUp(label) {
    if (this.light === label) return;
    this.light = label;
    for (const row of this.list.rows) row.classList.toggle("light", Number(row.dataset.label) === label);
    this.stage.show(this.scene());
  }

  scene() {
    const { place, masks, image, classes, doubt, light, plain, facts } = this;
    const { a, b, truth, on: layers } = this.bar;
    return { place, masks, image, layers, classes, doubt, light, plain, truth, member: a, other: b, colours: facts.colours };
  }

  show() {
    const { masks, classes, facts, place, hidden, light } = this;
    const { a, b, truth, on: layers } = this.bar;
    if (masks && (layers.missed || layers.extra || layers.apart)) {
      this.stage.veil.paint({ masks, classes, member: a, truth, members: facts.members.length, layers });
    }
    if (masks && layers.doubt) this.fetchDoubt();
    if (place !== undefined) this.list.show({ place, masks, a, b, truth, hidden, light });
    this.stage.show(this.scene());
  }

  async fetchDoubt() {
    const wanted = `${this.place}: ${this.classes.join()}`;
    if (this.doubt?.wanted === wanted) return;
    this.doubt = { ...this.doubt, wanted };
    try {
      const found = await loadDoubt(this.place, this.classes);
      if (this.doubt?.wanted === wanted) this.doubt = { ...found, wanted };
    } catch (error) {
      if (this.doubt?.wanted !== wanted) return;
      this.doubt = { wanted };
      this.trouble(error.message);
    }
    this.stage.show({ ...this.scene(), doubt: this.doubt.canvas ? this.doubt : undefined });
  }

  trouble(text) {
    const box = this.find(".trouble");
    box.hidden = !text;
    box.textContent = text;
  }

  // ---- the window of greys ---------------------------------------------------------------------------------------

  setWindow([low, high], fresh = false) {
    low = Math.round(Math.min(Math.max(low, 0), 254));
    high = Math.round(Math.max(Math.min(high, 255), low + 1));
    this.window = [low, high];
    this.find(".window .low").value = low;
    this.find(".window .high").value = high;
    this.find(".levels").textContent = `${low} – ${high}`;
    if (!this.image) return;
    this.drawCounts(fresh);
    if (fresh) {
      paintImage(this.stage.ground, this.image, this.window);
      return;
    }
    this.repaint ??= requestAnimationFrame(() => {
      this.repaint = undefined;
      paintImage(this.stage.ground, this.image, this.window);
      this.stage.draw();
    });
  }

  // A window chosen by hand stays for the cases that follow.
  chooseWindow(bounds) {
    this.setWindow(bounds);
    this.kept = this.window;
  }

  dragWindow(dx, dy) {
    const [low, high] = this.window;
    const width = Math.max(2, high - low + dx * 0.5);
    const level = (low + high) / 2 + dy * 0.5;
    this.chooseWindow([level - width / 2, level + width / 2]);
  }

  drawCounts() {
    const canvas = this.find(".window canvas");
    const pen = canvas.getContext("2d");
    const { counts } = this.image;
    // The background of a radiograph is one grey; beside it nothing else would be seen on a linear scale.
    const heights = Array.from(counts, (count) => Math.log1p(count));
    const largest = Math.max(...heights);
    const ink = getComputedStyle(this.root).getPropertyValue("--quiet");
    pen.clearRect(0, 0, 256, 28);
    heights.forEach((height, level) => {
      const inside = level >= this.window[0] && level <= this.window[1];
      pen.fillStyle = ink;
      pen.globalAlpha = inside ? 0.9 : 0.28;
      pen.fillRect(level, 28 - (26 * height) / largest, 1, 28);
    });
    pen.globalAlpha = 1;
  }

  // ---- pointer and keys ------------------------------------------------------------------------------------------

  over(pixel, at) {
    const tip = this.find(".tip");
    const { masks, image } = this;
    if (!pixel || !masks) {
      tip.hidden = true;
      this.find(".where").textContent = "";
      return;
    }
    const index = pixel[1] * masks.width + pixel[0];
    let grey = "";
    if (image) {
      const [red, green, blue] = image.pixels.subarray(4 * index, 4 * index + 3);
      grey = image.grey ? `grey ${red}` : `rgb ${red} ${green} ${blue}`;
    }
    this.find(".where").textContent = `x ${pixel[0]}  y ${pixel[1]}  ${grey}`;
    const sources = [["A", this.bar.a], ["B", this.bar.b], ["truth", this.bar.truth]].filter(([, source]) => source !== undefined);
    const rows = this.classes.flatMap((label) => {
      const held = sources.filter(([, source]) => masks.sources[source].masks.get(label)?.has(index));
      return held.length ? [[label, held.map(([name]) => name).join(" ")]] : [];
    });
    tip.hidden = !rows.length;
    if (!rows.length) return;
    tip.replaceChildren(...rows.map(([label, names]) => {
      const row = document.createElement("div");
      const dot = document.createElement("i");
      dot.style.background = this.facts.colours[label];
      const who = document.createElement("span");
      who.textContent = names;
      row.append(dot, this.facts.classes[label], who);
      return row;
    }));
    const [width, height] = this.stage.frame;
    tip.style.transform = `translate(${Math.min(at[0] + 16, width - 210)}px, ${Math.min(at[1] + 16, height - 24 * rows.length - 16)}px)`;
  }

  tellScale() {
    this.find(".scale").textContent = `${Math.round(100 * this.stage.view.scale * (window.devicePixelRatio || 1))} %`;
  }

  listen() {
    const { stage } = this;
    for (const button of this.root.querySelectorAll(".step")) {
      button.addEventListener("click", () => this.step(Number(button.dataset.step)));
    }
    this.find(".pick").addEventListener("click", () => this.pick());
    const one = () => stage.zoom(1 / (stage.view.scale * (window.devicePixelRatio || 1)));
    this.one = one;
    for (const button of this.root.querySelectorAll("[data-zoom]")) {
      const { zoom } = button.dataset;
      button.addEventListener("click", () => (zoom === "fit" ? stage.fit() : zoom === "one" ? one() : stage.zoom(Number(zoom))));
    }
    const [low, high] = [this.find(".window .low"), this.find(".window .high")];
    low.addEventListener("input", () => this.chooseWindow([Math.min(low.value, this.window[1] - 1), this.window[1]]));
    high.addEventListener("input", () => this.chooseWindow([this.window[0], Math.max(high.value, this.window[0] + 1)]));
    this.find(".full").addEventListener("click", () => this.chooseWindow([0, 255]));
    this.find(".auto").addEventListener("click", () => {
      this.kept = undefined;
      if (this.image) this.setWindow(autoWindow(this.image.counts));
    });
    this.find(".ask").addEventListener("click", () => this.help());
    this.keys = (event) => this.key(event);
    this.released = (event) => event.key === " " && this.setPlain(false);
    document.addEventListener("keydown", this.keys);
    document.addEventListener("keyup", this.released);
  }

  help() {
    const box = this.find(".help");
    box.hidden = !box.hidden;
  }

  setPlain(plain) {
    if (!!this.plain === plain) return;
    this.plain = plain;
    this.stage.show(this.scene());
  }

  key(event) {
    if (elsewhere(event)) return;
    const target = event.composedPath()[0];
    const ranged = target.type === "range";
    const layer = this.bar.of(event.key);
    const work = {
      ArrowRight: ranged ? undefined : () => this.step(1),
      ArrowLeft: ranged ? undefined : () => this.step(-1),
      j: () => this.step(1),
      k: () => this.step(-1),
      s: () => this.pick(),
      x: () => this.bar.swap(),
      a: () => this.setHidden(new Set()),
      f: () => this.stage.fit(),
      z: () => this.one(),
      "+": () => this.stage.zoom(1.43),
      "=": () => this.stage.zoom(1.43),
      "-": () => this.stage.zoom(0.7),
      "?": () => this.help(),
      Escape: () => (this.find(".help").hidden = true),
      " ": target.tagName === "BUTTON" ? undefined : () => this.setPlain(true),
    }[event.key] || (layer && (() => this.bar.toggle(layer)));
    if (!work) return;
    event.preventDefault();
    work();
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  close() {
    document.removeEventListener("keydown", this.keys);
    document.removeEventListener("keyup", this.released);
    for (const timer of this.waiting?.values() || []) clearTimeout(timer);
    clearTimeout(this.ahead);
    this.stage.close();
    this.table.close();
  }
}

const benches = new WeakMap();

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const root = parentElement.querySelector(".bench");
  // Streamlit calls again after each run of its script; the bench stays as it is.
  const known = benches.get(root);
  if (known) {
    known.tell = setStateValue;
    return known.close;
  }
  const entry = { tell: setStateValue };
  let closed = false;
  entry.close = () => {
    closed = true;
    entry.bench?.close();
    benches.delete(root);
  };
  benches.set(root, entry);
  const cases = new Cases();
  // Most likely the first one of the table; it need not wait for the scores.
  cases.get(data.first);
  loadFacts().then((facts) => {
    if (closed) return;
    entry.bench = new Bench(root, facts, cases, (name, value) => entry.tell(name, value));
    if (entry.bench.picked.size) entry.bench.later("picked", [...entry.bench.picked]);
    entry.bench.open(entry.bench.table.order[0]);
  }).catch((error) => {
    const box = root.querySelector(".trouble");
    box.hidden = false;
    box.textContent = error.message;
  });
  return entry.close;
}
