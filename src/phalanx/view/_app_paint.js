// Pixels of the layers: the image in its window, errors and disagreement, exact to the pixel, for the classes shown.

// Okabe & Ito 2008, as in the report: apart with every kind of colour blindness, and on grey.
const ERROR = { missed: "#3fb4ff", extra: "#ffa51f", swapped: "#ff5fc4", apart: "#b98cff", doubt: "#ffe14d" };

function packedColour(text, opacity) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
  // Canvas pixels are red, green, blue, alpha in memory, on little-endian machines the lowest byte first.
  return ((Math.round(255 * opacity) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

// The window in which all but the darkest and the brightest half per cent of the pixels lie.
function autoWindow(counts) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  const below = counts.map((count) => (seen += count));
  const low = Math.max(0, below.findIndex((sum) => sum > 0.005 * total));
  const high = Math.max(0, below.findIndex((sum) => sum >= 0.995 * total));
  return high - low < 8 ? [0, 255] : [low, high];
}

function paintImage(canvas, { pixels, grey, width, height }, [low, high]) {
  const scale = 255 / Math.max(1, high - low);
  const table = Uint8ClampedArray.from({ length: 256 }, (_, level) => (level - low) * scale);
  const source = new Uint32Array(pixels.buffer);
  const shown = new ImageData(width, height);
  const target = new Uint32Array(shown.data.buffer);
  if (grey) {
    const words = Uint32Array.from(table, (level) => (0xff000000 | (level * 0x010101)) >>> 0);
    for (let at = 0; at < target.length; at++) target[at] = words[source[at] & 255];
  } else {
    for (let at = 0; at < target.length; at++) {
      const word = source[at];
      const [red, green, blue] = [table[word & 255], table[(word >> 8) & 255], table[(word >> 16) & 255]];
      target[at] = 0xff000000 | (blue << 16) | (green << 8) | red;
    }
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(shown, 0, 0);
}

const NOTHING = new Int32Array(0);

// Call `mark(start, stop)` for each stretch of pixels that runs `a` hold and runs `b` do not.
function eachLess(a, b, mark) {
  let next = 0;
  for (let at = 0; at < a.length; at += 2) {
    let start = a[at];
    const stop = a[at + 1];
    while (next < b.length && b[next + 1] <= start) next += 2;
    for (let other = next; other < b.length && b[other] < stop; other += 2) {
      if (b[other] > start) mark(start, b[other]);
      start = Math.max(start, b[other + 1]);
    }
    if (start < stop) mark(start, stop);
  }
}

class Veil {
  constructor() {
    this.canvas = document.createElement("canvas");
  }

  // Errors of source `member` against source `truth`, disagreement of all members.
  paint({ masks, classes, member, truth, members, layers }) {
    const { width, height, sources } = masks;
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.flags = new Uint8Array(width * height);
    }
    const shown = new ImageData(width, height);
    const words = new Uint32Array(shown.data.buffer);
    if (layers.apart && members > 1) this.apart(words, sources, classes, members);
    if (truth !== undefined && (layers.missed || layers.extra)) {
      this.errors(words, sources[truth], sources[member], classes, layers);
    }
    this.canvas.getContext("2d").putImageData(shown, 0, 0);
  }

  errors(words, truth, member, classes, layers) {
    const { flags } = this;
    const touched = [];
    const marker = (bit) => (start, stop) => {
      touched.push(start, stop);
      for (let pixel = start; pixel < stop; pixel++) flags[pixel] |= bit;
    };
    const [missed, extra] = [marker(1), marker(2)];
    for (const label of classes) {
      const [wanted, given] = [truth, member].map((source) => source.masks.get(label)?.runs || NOTHING);
      if (layers.missed) eachLess(wanted, given, missed);
      if (layers.extra) eachLess(given, wanted, extra);
    }
    const colours = [0, ...["missed", "extra", "swapped"].map((kind) => packedColour(ERROR[kind], 0.85))];
    for (let at = 0; at < touched.length; at += 2) {
      for (let pixel = touched[at]; pixel < touched[at + 1]; pixel++) {
        if (flags[pixel]) words[pixel] = colours[flags[pixel]];
        flags[pixel] = 0;
      }
    }
  }

  // The share of the smaller side among the members, of one half: the more even, the stronger.
  apart(words, sources, classes, members) {
    const { flags } = this;
    const colours = Uint32Array.from({ length: members + 1 }, (_, votes) => {
      const share = (2 * Math.min(votes, members - votes)) / members;
      return share ? packedColour(ERROR.apart, 0.25 + 0.6 * share) : 0;
    });
    for (const label of classes) {
      const held = sources.slice(0, members).map((source) => source.masks.get(label)?.runs || NOTHING);
      for (const runs of held) {
        for (let at = 0; at < runs.length; at += 2) {
          for (let pixel = runs[at]; pixel < runs[at + 1]; pixel++) flags[pixel]++;
        }
      }
      for (const runs of held) {
        for (let at = 0; at < runs.length; at += 2) {
          for (let pixel = runs[at]; pixel < runs[at + 1]; pixel++) {
            // Opacity is the highest byte: the larger word is the stronger one.
            if (colours[flags[pixel]] > words[pixel]) words[pixel] = colours[flags[pixel]];
            flags[pixel] = 0;
          }
        }
      }
    }
  }
}

// The network's doubt as a tinted picture; the server makes it of the classes shown.
async function loadDoubt(place, classes) {
  const answer = await fetched(`/viewer/doubt/${place}?classes=${classes.join(",")}`);
  const [top, left, bottom, right] = answer.headers.get("X-Box").split(",").map(Number);
  const bitmap = await createImageBitmap(await answer.blob());
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d");
  pen.drawImage(bitmap, 0, 0);
  const picture = pen.getImageData(0, 0, canvas.width, canvas.height);
  const words = new Uint32Array(picture.data.buffer);
  const colours = Uint32Array.from({ length: 256 }, (_, level) => packedColour(ERROR.doubt, (0.9 * level) / 255));
  for (let at = 0; at < words.length; at++) words[at] = colours[words[at] & 255];
  pen.putImageData(picture, 0, 0);
  return { canvas, box: [left, top, right - left, bottom - top] };
}
