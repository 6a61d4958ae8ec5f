// A volume: three orthogonal slices that meet in one voxel; the wheel leafs through them, a click moves the voxel.

async function loadVolumeFacts() {
  const { header, numbers } = await unpacked("/viewer/facts", Float32Array);
  const { classes, members } = header;
  return {
    ...header,
    cases: [header.title],
    dice: (m, _, k) => (m < members.length && Number.isFinite(numbers[m * classes.length + k]) ? numbers[m * classes.length + k] : undefined),
    apart: () => undefined,
  };
}

async function loadSlice(axis, index) {
  const { header, numbers } = await unpacked(`/viewer/slice/${axis}/${index}`, Int32Array);
  const [height, width] = header.size;
  const greys = new Float32Array(numbers.buffer, numbers.byteOffset, height * width);
  const sources = header.sources.map(({ masks, missing }) => ({
    missing: new Set(missing),
    masks: new Map(masks.map(([k, ...span]) => [k, new Mask(numbers, ...span, width)])),
  }));
  return { height, width, sources, greys };
}

function paintGreys(canvas, { greys, width, height }, [low, high]) {
  const shown = new ImageData(width, height);
  const words = new Uint32Array(shown.data.buffer);
  const scale = 255 / Math.max(1e-9, high - low);
  for (let at = 0; at < words.length; at++) {
    const level = Math.min(255, Math.max(0, Math.round((greys[at] - low) * scale)));
    words[at] = 0xff000000 | (level * 0x010101);
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(shown, 0, 0);
}

class Plane {
  constructor(axis, name, ends, volume) {
    this.axis = axis;
    this.ends = ends;
    this.volume = volume;
    const { shape, spacing } = volume.facts;
    // The two axes along the slice, across and down.
    this.along = axis === 2 ? [0, 1] : axis === 1 ? [0, 2] : [1, 2];
    const least = Math.min(...spacing);
    this.stretch = this.along.map((along) => spacing[along] / least);
    this.last = shape[axis] - 1;
    this.box = document.createElement("div");
    this.box.className = `plane ${name}`;
    this.box.innerHTML =
      `<div class="stage"><canvas tabindex="0" aria-label="${name} slice"></canvas></div>` +
      `<label class="leaf"><span>${name}</span><input type="range" min="0" max="${this.last}" aria-label="${name} slice"><output></output></label>`;
    this.slider = this.box.querySelector("input");
    this.slider.addEventListener("input", () => this.leaf(Number(this.slider.value)));
    this.kept = new Map();
    this.stage = new Stage(this.box.querySelector("canvas"), {
      over: (pixel) => volume.over(this, pixel),
      press: (pixel) => pixel && volume.goTo(this, pixel),
      drag: (dx, dy) => volume.dragWindow(dx, dy),
      wheel: (event) => this.wheel(event),
      drawn: (pen, stage) => this.mark(pen, stage),
    });
  }

  // Voxel of a pixel of the slice: both axes of the screen run against those of the volume.
  voxel([x, y]) {
    const { shape } = this.volume.facts;
    const at = [...this.volume.at];
    at[this.along[0]] = shape[this.along[0]] - 1 - x;
    at[this.along[1]] = shape[this.along[1]] - 1 - y;
    return at;
  }

  wheel(event) {
    if (event.ctrlKey || event.shiftKey) return false;
    this.leaf(this.volume.at[this.axis] - Math.sign(event.deltaY));
    return true;
  }

  leaf(index) {
    const at = [...this.volume.at];
    at[this.axis] = Math.min(this.last, Math.max(0, index));
    this.volume.move(at);
  }

  async show() {
    const index = this.volume.at[this.axis];
    this.slider.value = index;
    this.box.querySelector("output").textContent = `${index + 1} of ${this.last + 1}`;
    if (!this.kept.has(index)) {
      if (this.kept.size > 40) this.kept.delete(this.kept.keys().next().value);
      const work = loadSlice(this.axis, index);
      work.catch(() => this.kept.delete(index));
      this.kept.set(index, work);
    }
    try {
      const slice = await this.kept.get(index);
      if (this.volume.at[this.axis] !== index) return;
      this.slice = slice;
      this.paint();
    } catch (error) {
      this.volume.trouble(error.message);
    }
  }

  paint() {
    const { volume, slice, stage } = this;
    if (!slice) return;
    const { facts, classes, light, bar } = volume;
    if (this.painted !== `${volume.at[this.axis]} ${volume.window}`) paintGreys(stage.ground, slice, volume.window);
    this.painted = `${volume.at[this.axis]} ${volume.window}`;
    if (bar.on.missed || bar.on.extra || bar.on.apart) {
      stage.veil.paint({ masks: slice, classes, member: bar.a, truth: bar.truth, members: facts.members.length, layers: bar.on });
    }
    stage.show({
      place: 0, masks: slice, image: true, layers: bar.on, classes, light, colours: facts.colours,
      member: bar.a, other: bar.b, truth: bar.truth, stretch: this.stretch,
    });
  }

  // The lines in which the other slices lie, and which side of the patient is where.
  mark(pen, stage) {
    const { shape } = this.volume.facts;
    const { view, frame, canvas } = stage;
    const sharp = canvas.width / frame[0];
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    const [x, y] = this.along.map((along, axis) => {
      const pixel = (shape[along] - 0.5 - this.volume.at[along]) * this.stretch[axis];
      return (axis ? view.y : view.x) + pixel * view.scale;
    });
    pen.lineWidth = 1;
    pen.strokeStyle = "#ffffff80";
    pen.beginPath();
    for (const [from, to] of [[[x, 0], [x, y - 9]], [[x, y + 9], [x, frame[1]]], [[0, y], [x - 9, y]], [[x + 9, y], [frame[0], y]]]) {
      pen.moveTo(...from);
      pen.lineTo(...to);
    }
    pen.stroke();
    pen.font = "600 13px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillStyle = "#ffd166";
    const [left, right, top, bottom] = this.ends;
    const [across, down] = [frame[0] / 2 + 24, frame[1] / 2 + 24];
    for (const [sign, at] of [[left, [14, down]], [right, [frame[0] - 14, down]], [top, [across, 14]], [bottom, [across, frame[1] - 14]]]) {
      pen.fillText(sign, ...at);
    }
  }
}

class VolumeBench {
  constructor(root, facts) {
    this.root = root;
    this.facts = facts;
    this.hidden = new Set();
    this.at = facts.shape.map((size) => Math.floor(size / 2));
    this.window = facts.window;
    this.bar = new LayerBar(this.find(".layers"), facts, { show: () => this.paint(), chosen: () => this.list && this.paint() });
    this.list = new ClassList(root, facts, {
      toggle: (label) => this.toggle(label),
      solo: (label) => this.solo(label),
      seek: (label) => this.seek(label),
      light: (label) => this.lightUp(label),
      classes: (hidden) => this.setHidden(hidden),
    });
    this.find(".case-name").textContent = facts.title;
    this.find(".case-note").textContent = `${facts.shape.join(" × ")} voxels of ${facts.spacing.map((side) => Number(side.toFixed(2))).join(" × ")} mm`;
    this.planes = [2, 1, 0].map((axis) => new Plane(axis, ...facts.planes[axis], this));
    this.find(".planes").append(...this.planes.map((plane) => plane.box));
    this.listen();
    this.setWindow(facts.window);
    this.move(this.at);
    this.paint();
  }

  get classes() {
    return [...this.facts.classes.keys()].filter((label) => !this.hidden.has(label));
  }

  async move(at) {
    const before = this.at;
    this.at = at;
    // Planes that stay where they are move their cross only.
    await Promise.all(this.planes.map((plane) => {
      if (plane.slice && before[plane.axis] === at[plane.axis]) return plane.stage.ask();
      return plane.show();
    }));
    this.root.dataset.state = "shown";
    this.root.dataset.at = this.at.join();
  }

  goTo(plane, pixel) {
    this.move(plane.voxel(pixel));
  }

  // To the middle of a class, as far as it is in one of the slices.
  seek(label) {
    for (const plane of this.planes) {
      const { a, b, truth } = this.bar;
      const source = [a, truth, b].find((at) => at !== undefined && plane.slice?.sources[at].masks.has(label));
      if (source === undefined) continue;
      const [left, top, right, bottom] = plane.slice.sources[source].masks.get(label).box;
      this.goTo(plane, [Math.floor((left + right) / 2), Math.floor((top + bottom) / 2)]);
      return;
    }
  }

  toggle(label) {
    const set = new Set(this.hidden);
    if (!set.delete(label)) set.add(label);
    this.setHidden(set);
  }

  solo(label) {
    const alone = this.classes.length === 1 && !this.hidden.has(label);
    this.setHidden(new Set(alone ? [] : [...this.facts.classes.keys()].filter((other) => other !== label)));
  }

  setHidden(hidden) {
    this.hidden = hidden;
    this.paint();
  }

  lightUp(label) {
    this.light = label;
    for (const plane of this.planes) plane.paint();
  }

  paint() {
    const { a, b, truth } = this.bar;
    this.list.show({ place: 0, masks: undefined, a, b, truth, hidden: this.hidden, light: this.light });
    for (const plane of this.planes) plane.paint();
  }

  setWindow([low, high]) {
    const step = (this.facts.span[1] - this.facts.span[0]) / 500 || 1;
    const rounded = (value) => Number(value.toPrecision(4));
    this.window = [rounded(low), rounded(Math.max(high, low + step))];
    [this.find(".low").value, this.find(".high").value] = this.window;
    for (const plane of this.planes) plane.paint();
  }

  dragWindow(dx, dy) {
    const step = (this.facts.span[1] - this.facts.span[0]) / 500 || 1;
    const [low, high] = this.window;
    const width = Math.max(step, high - low + dx * step);
    const level = (low + high) / 2 + dy * step;
    this.setWindow([level - width / 2, level + width / 2]);
  }

  over(plane, pixel) {
    if (!pixel || !plane.slice) {
      this.find(".where").textContent = "";
      return;
    }
    const { width, greys, sources } = plane.slice;
    const index = pixel[1] * width + pixel[0];
    const named = [["A", this.bar.a], ["B", this.bar.b], ["truth", this.bar.truth]].filter(([, source]) => source !== undefined);
    const held = named.flatMap(([name, source]) => {
      const label = [...this.facts.classes.keys()].find((k) => sources[source].masks.get(k)?.has(index));
      return label === undefined ? [] : [`${name} ${this.facts.classes[label]}`];
    });
    const words = [`voxel ${plane.voxel(pixel).join(" ")}`, `grey ${Number(greys[index].toPrecision(5))}`, ...held];
    this.find(".where").textContent = words.join("   ");
  }

  listen() {
    const [low, high] = [this.find(".low"), this.find(".high")];
    for (const field of [low, high]) field.addEventListener("change", () => this.setWindow([Number(low.value), Number(high.value)]));
    this.find(".auto").addEventListener("click", () => this.setWindow(this.facts.window));
    this.find(".full").addEventListener("click", () => this.setWindow(this.facts.span));
    this.keys = (event) => {
      if (elsewhere(event)) return;
      const layer = this.bar.of(event.key);
      if (layer) this.bar.toggle(layer);
      else if (event.key === "a") this.setHidden(new Set());
      else if (event.key === "x") this.bar.swap();
      else if (event.key === "f") for (const { stage } of this.planes) stage.fit();
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", this.keys);
  }

  trouble(text) {
    this.find(".trouble").hidden = !text;
    this.find(".trouble").textContent = text;
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  close() {
    document.removeEventListener("keydown", this.keys);
    for (const { stage } of this.planes) stage.close();
  }
}

const opened = new WeakMap();

export default function (component) {
  const root = component.parentElement.querySelector(".bench");
  // Streamlit calls again after each run of its script; the bench stays as it is.
  if (opened.has(root)) return opened.get(root);
  let bench, closed = false;
  const close = () => {
    closed = true;
    bench?.close();
    opened.delete(root);
  };
  opened.set(root, close);
  loadVolumeFacts().then((facts) => {
    if (!closed) bench = new VolumeBench(root, facts);
  }).catch((error) => {
    root.querySelector(".trouble").hidden = false;
    root.querySelector(".trouble").textContent = error.message;
  });
  return close;
}
