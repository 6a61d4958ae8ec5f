// Cases as the server packs them (_app_pack.py), unpacked and kept: the one that is shown and its neighbours.

async function fetched(url) {
  let answer;
  try {
    answer = await fetch(url, { cache: "no-store" });
  } catch {
    throw new Error("The viewer does not answer any more. Start it again on the command line.");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Error(told.error || `The viewer answered ${answer.status} to ${url}.`);
}

async function unpacked(url, Numbers) {
  const buffer = await (await fetched(url)).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { header, numbers: new Numbers(buffer, 4 + 4 * Math.ceil(length / 4)) };
}

// Names, colours and scores of everything. Scores are undefined where there are none.
async function loadFacts() {
  const { header, numbers } = await unpacked("/viewer/facts", Float32Array);
  const { cases, classes, members } = header;
  const table = cases.length * classes.length;
  const known = (value) => (Number.isFinite(value) ? value : undefined);
  const at = (c, k) => c * classes.length + k;
  return {
    ...header,
    dice: (m, c, k) => (m < members.length ? known(numbers[m * table + at(c, k)]) : undefined),
    apart: (c, k) => known(numbers[members.length * table + at(c, k)]),
  };
}

class Mask {
  constructor(numbers, begin, middle, end, width) {
    this.runs = numbers.subarray(begin, middle);
    this.rings = numbers.subarray(middle, end);
    this.width = width;
  }

  // Whether the mask holds a pixel, by its index.
  has(pixel) {
    const { runs } = this;
    let low = 0, high = runs.length / 2;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (runs[2 * middle] <= pixel) low = middle + 1;
      else high = middle;
    }
    return low > 0 && pixel < runs[2 * low - 1];
  }

  path([right, down]) {
    if (this.drawn) return this.drawn;
    const path = new Path2D();
    const { rings } = this;
    for (let at = 0; at < rings.length; ) {
      const end = at + 1 + 2 * rings[at];
      path.moveTo((rings[at + 1] + 0.5) * right, (rings[at + 2] + 0.5) * down);
      for (let point = at + 3; point < end; point += 2) {
        path.lineTo((rings[point] + 0.5) * right, (rings[point + 1] + 0.5) * down);
      }
      path.closePath();
      at = end;
    }
    return (this.drawn = path);
  }

  // [left, top, right, bottom], the last two exclusive.
  get box() {
    if (this.bounds) return this.bounds;
    const { rings } = this;
    let [left, top, right, bottom] = [Infinity, Infinity, 0, 0];
    for (let at = 0; at < rings.length; ) {
      const end = at + 1 + 2 * rings[at];
      for (let point = at + 1; point < end; point += 2) {
        left = Math.min(left, rings[point]);
        right = Math.max(right, rings[point] + 1);
        top = Math.min(top, rings[point + 1]);
        bottom = Math.max(bottom, rings[point + 1] + 1);
      }
      at = end;
    }
    return (this.bounds = [left, top, right, bottom]);
  }
}

async function loadMasks(place) {
  const { header, numbers } = await unpacked(`/viewer/case/${place}`, Int32Array);
  const [height, width] = header.size;
  const sources = header.sources.map(({ masks, missing }) => ({
    missing: new Set(missing),
    masks: new Map(masks.map(([k, ...span]) => [k, new Mask(numbers, ...span, width)])),
  }));
  return { height, width, sources };
}

// Pixels as RGBA, with the counts of their greys; colour is windowed channel by channel.
async function loadImage(place) {
  const blob = await (await fetched(`/viewer/image/${place}`)).blob();
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { imageOrientation: "none", colorSpaceConversion: "none" });
  } catch {
    throw new Error("The browser cannot read the image. Fetch the file again.");
  }
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0);
  bitmap.close();
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  const counts = new Uint32Array(256);
  let grey = true;
  const words = new Uint32Array(pixels.buffer);
  for (let at = 0; at < words.length; at++) {
    const word = words[at];
    const green = (word >> 8) & 255;
    if ((word & 0xffffff) !== green * 0x010101) grey = false;
    counts[green]++;
  }
  return { pixels, counts, grey, width: canvas.width, height: canvas.height };
}

class Cases {
  constructor(kept = 6) {
    this.kept = kept;
    this.held = new Map();
  }

  // Masks and image of a case; either may be an Error.
  get(place) {
    const known = this.held.get(place);
    this.held.delete(place);
    const caught = (work) => work.catch((error) => error);
    const entry = known || Promise.all([caught(loadMasks(place)), caught(loadImage(place))]);
    this.held.set(place, entry);
    if (this.held.size > this.kept) this.held.delete(this.held.keys().next().value);
    entry.then(([masks, image]) => {
      // What went wrong may have been put right when it is asked for again.
      if (masks instanceof Error || image instanceof Error) this.held.delete(place);
    });
    return entry.then(([masks, image]) => ({ place, masks, image }));
  }
}
