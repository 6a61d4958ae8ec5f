// The stage: one canvas with image, layers and outlines; wheel and pinch zoom, drag pans, outlines stay sharp.

const LARGEST = 40;

class Stage {
  constructor(canvas, told) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.told = told;
    this.view = { scale: 1, x: 0, y: 0 };
    this.ground = document.createElement("canvas");
    this.veil = new Veil();
    this.pointers = new Map();
    this.size = [0, 0];
    this.stretch = [1, 1];
    this.fitted = true;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(canvas.parentElement);
    this.listen();
  }

  // What is to be drawn: {masks, layers, classes, colours, member, other, truth, light, plain, doubt}.
  show(scene) {
    const before = this.scene;
    this.scene = scene;
    // Voxels may be longer one way: a slice is stretched to what it is in the body.
    this.stretch = scene.stretch || [1, 1];
    const { masks } = scene;
    const [height, width] = masks ? [masks.height * this.stretch[1], masks.width * this.stretch[0]] : [0, 0];
    if (this.size[0] !== height || this.size[1] !== width) {
      this.size = [height, width];
      this.fit();
    } else if (scene.place !== before?.place && this.fitted) {
      this.fit();
    }
    this.ask();
  }

  resize() {
    const { width, height } = this.canvas.parentElement.getBoundingClientRect();
    if (!width || !height) return;
    const sharp = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * sharp);
    this.canvas.height = Math.round(height * sharp);
    this.frame = [width, height];
    if (this.fitted) this.fit();
    this.draw();
  }

  get whole() {
    const [height, width] = this.size;
    return width ? Math.min(this.frame[0] / width, this.frame[1] / height) : 1;
  }

  fit() {
    if (!this.frame || !this.size[0]) return;
    const [height, width] = this.size;
    const scale = this.whole;
    this.view = { scale, x: (this.frame[0] - width * scale) / 2, y: (this.frame[1] - height * scale) / 2 };
    this.fitted = true;
    this.ask();
  }

  // Bring a box [left, top, right, bottom] of the image to the middle, with room around it.
  goTo([left, top, right, bottom]) {
    const scale = Math.min(12, this.frame[0] / (1.6 * (right - left)), this.frame[1] / (1.6 * (bottom - top)));
    this.view = {
      scale,
      x: this.frame[0] / 2 - (scale * (left + right)) / 2,
      y: this.frame[1] / 2 - (scale * (top + bottom)) / 2,
    };
    this.fitted = false;
    this.ask();
  }

  zoom(factor, x = this.frame[0] / 2, y = this.frame[1] / 2) {
    const { view } = this;
    const scale = Math.min(LARGEST, Math.max(this.whole * 0.5, view.scale * factor));
    const change = scale / view.scale;
    this.view = { scale, x: x - (x - view.x) * change, y: y - (y - view.y) * change };
    this.fitted = false;
    this.ask();
  }

  // The pixel under a place of the frame: [x, y], or nothing outside the image.
  pixel(x, y) {
    const { view, size } = this;
    const at = [(x - view.x) / view.scale, (y - view.y) / view.scale];
    const inside = at[0] >= 0 && at[1] >= 0 && at[0] < size[1] && at[1] < size[0];
    return inside ? at.map((place, axis) => Math.floor(place / this.stretch[axis])) : undefined;
  }

  listen() {
    const { canvas, pointers } = this;
    const place = (event) => {
      const frame = canvas.getBoundingClientRect();
      return [event.clientX - frame.left, event.clientY - frame.top];
    };
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (this.told.wheel?.(event)) return;
      // A wheel's notch is about 100; a touch pad sends many small steps.
      this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), ...place(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, place(event));
      this.dragged = false;
      canvas.classList.add("held");
    });
    canvas.addEventListener("pointermove", (event) => {
      const now = place(event);
      const last = pointers.get(event.pointerId);
      if (!last) return this.told.over(this.pixel(...now), now);
      const [dx, dy] = [now[0] - last[0], now[1] - last[1]];
      if (!dx && !dy) return undefined;
      this.dragged = true;
      if (pointers.size === 2) this.pinch(event.pointerId, last, now);
      else if (event.shiftKey || event.buttons === 2) this.told.drag(dx, dy);
      else {
        this.view = { ...this.view, x: this.view.x + dx, y: this.view.y + dy };
        this.fitted = false;
      }
      pointers.set(event.pointerId, now);
      return this.ask();
    });
    const release = (event) => {
      if (event.type === "pointerup" && !this.dragged) this.told.press?.(this.pixel(...place(event)));
      pointers.delete(event.pointerId);
      if (!pointers.size) canvas.classList.remove("held");
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", () => this.told.over(undefined));
    canvas.addEventListener("dblclick", () => this.fit());
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  pinch(moved, last, now) {
    const other = [...this.pointers].find(([id]) => id !== moved)[1];
    const span = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]);
    this.zoom(span(now) / Math.max(1, span(last)), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }

  ask() {
    this.asked ??= requestAnimationFrame(() => {
      this.asked = undefined;
      this.draw();
    });
  }

  draw() {
    const { canvas, pen, view, scene } = this;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    if (!scene?.masks || !this.frame) return;
    const sharp = canvas.width / this.frame[0];
    pen.setTransform(view.scale * sharp, 0, 0, view.scale * sharp, view.x * sharp, view.y * sharp);
    const { masks, layers, plain } = scene;
    pen.imageSmoothingEnabled = view.scale < 3;
    pen.imageSmoothingQuality = "high";
    pen.fillStyle = scene.image ? "#000" : "#15191e";
    const [height, width] = this.size;
    pen.fillRect(0, 0, width, height);
    const marked = layers.missed || layers.extra || layers.apart;
    const busy = !plain && (marked || layers.doubt);
    // Marks stand out from a darker image.
    pen.globalAlpha = busy ? 0.55 : 1;
    if (scene.image) pen.drawImage(this.ground, 0, 0, width, height);
    pen.globalAlpha = 1;
    if (plain) return;
    if (layers.doubt && scene.doubt?.canvas) {
      pen.imageSmoothingEnabled = true;
      pen.drawImage(scene.doubt.canvas, ...scene.doubt.box);
    }
    if (marked) {
      pen.imageSmoothingEnabled = view.scale < 1;
      // Made smaller, a sliver fades to nothing; over itself it gains what it lost.
      for (let times = Math.min(4, Math.ceil(1 / view.scale)); times > 0; times--) pen.drawImage(this.veil.canvas, 0, 0, width, height);
    }
    this.outlines(scene, busy);
    this.told.drawn?.(pen, this);
  }

  outlines({ masks, layers, classes, colours, member, other, truth, light }, busy) {
    const { pen, view } = this;
    const wide = (pixels) => pixels / view.scale;
    const each = (source, work) => {
      for (const label of source === undefined ? [] : classes) {
        const mask = masks.sources[source].masks.get(label);
        if (mask) work(mask.path(this.stretch), colours[label], label);
      }
    };
    const stroke = (path, colour, width, opacity = 1) => {
      pen.strokeStyle = colour;
      pen.globalAlpha = opacity;
      pen.lineWidth = wide(width);
      pen.stroke(path);
    };
    pen.lineJoin = pen.lineCap = "round";
    const first = layers.a ? member : layers.truth ? truth : layers.b ? other : undefined;
    each(first, (path, colour, label) => {
      const lit = light === label;
      if ((!layers.fill || busy) && !lit) return;
      pen.globalAlpha = lit ? 0.42 : light === undefined ? 0.16 : 0.06;
      pen.fillStyle = colour;
      pen.fill(path, "evenodd");
    });
    const faded = (label) => (light === undefined || light === label ? 1 : 0.3);
    // Beside marks that are coloured themselves, outlines are white: the legend still lights up a class in its own.
    const ink = (colour, label) => (busy && light !== label ? "#fff" : colour);
    if (layers.truth) {
      const [width, opacity] = busy ? [1, 0.75] : [5.5, 0.5];
      each(truth, (path, colour, label) => stroke(path, ink(colour, label), width, opacity * faded(label)));
    }
    const shown = [[layers.a && member, []], [layers.b && other, [wide(5), wide(4.5)]]];
    for (const [source, dashes] of shown) {
      if (source === false || source === undefined) continue;
      // A dark line below keeps a bright colour apart from bright bone.
      if (!busy) each(source, (path, _, label) => stroke(path, "#000", 3.2, 0.45 * faded(label)));
      pen.setLineDash(dashes);
      const [width, opacity] = busy ? [0.8, 0.55] : [1.6, 1];
      each(source, (path, colour, label) => {
        stroke(path, ink(colour, label), light === label ? 2.4 : width, opacity * faded(label));
      });
      pen.setLineDash([]);
    }
    pen.globalAlpha = 1;
  }

  close() {
    this.observer.disconnect();
    cancelAnimationFrame(this.asked);
  }
}
