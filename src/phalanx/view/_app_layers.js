// The bar of layers: which are shown, which files are A and B, and the keys for it.

const LAYERS = [
  { key: "a", name: "A", line: "solid", title: "Outlines of A (1)" },
  { key: "b", name: "B", line: "dashed", needs: "several", title: "Outlines of B (2)" },
  { key: "truth", name: "truth", line: "band", needs: "truth", title: "Outlines of the truth (3)" },
  { key: "missed", name: "missed", needs: "truth", title: "False negatives of A: pixels of the truth that A lacks (4)" },
  { key: "extra", name: "extra", needs: "truth", title: "False positives of A: pixels that the truth lacks (5). Missed by one class and extra in another: pink" },
  { key: "apart", name: "differ", needs: "several", title: "Disagreement: pixels on which the files are not of one mind (6)" },
  { key: "doubt", name: "unsure", needs: "doubt", title: "Uncertainty of the store's network: 4 p (1 - p), p its probability (7)" },
  { key: "fill", name: "tint", title: "Tint the inside (8)" },
];

class LayerBar {
  constructor(box, facts, told) {
    this.told = told;
    const { members, truth } = facts;
    this.a = 0;
    this.b = members.length > 1 ? 1 : undefined;
    this.truth = truth === null ? undefined : members.length;
    const judged = this.truth !== undefined;
    this.on = { a: true, b: !judged && members.length > 1, truth: judged, fill: true };
    const there = { truth: judged, several: members.length > 1, doubt: facts.doubt };
    this.switches = new Map();
    for (const layer of LAYERS) if (!layer.needs || there[layer.needs]) box.append(this.pill(layer, members));
    this.mark();
  }

  pill({ key, name, line, title }, members) {
    const pill = document.createElement("span");
    pill.className = "pill";
    const button = document.createElement("button");
    button.title = title;
    button.dataset.layer = key;
    const sample = document.createElement("i");
    sample.className = line || "square";
    if (ERROR[key]) sample.style.background = ERROR[key];
    button.append(sample, name);
    button.addEventListener("click", () => this.set(key, !this.on[key]));
    pill.append(button);
    if (key === "a" || key === "b") pill.append(this.chooser(key, members));
    this.switches.set(key, button);
    return pill;
  }

  chooser(key, members) {
    const choice = document.createElement("select");
    choice.setAttribute("aria-label", `which file is ${key.toUpperCase()}`);
    members.forEach((name, at) => choice.add(new Option(name, at)));
    choice.value = this[key];
    choice.title = members[this[key]];
    choice.addEventListener("change", () => {
      this[key] = Number(choice.value);
      choice.title = members[this[key]];
      choice.blur();
      this.told.chosen();
      this.told.show();
    });
    return choice;
  }

  swap() {
    if (this.b === undefined) return;
    [this.a, this.b] = [this.b, this.a];
    for (const key of ["a", "b"]) this.switches.get(key).parentElement.querySelector("select").value = this[key];
    this.told.chosen();
    this.told.show();
  }

  set(key, on) {
    if (!this.switches.has(key)) return;
    this.on = { ...this.on, [key]: on };
    this.mark();
    this.told.show();
  }

  mark() {
    for (const [key, button] of this.switches) button.setAttribute("aria-pressed", String(!!this.on[key]));
  }

  // The layer that a key stands for, or nothing: 1 to 8 in the order of the bar.
  of(key) {
    return LAYERS[Number(key) - 1]?.key;
  }

  toggle(key) {
    this.set(key, !this.on[key]);
  }
}

// Whether a key is meant for a field that is being written in, or for the browser.
function elsewhere(event) {
  const target = event.composedPath()[0];
  const writes = /^(textarea|select)$/i.test(target.tagName) || target.isContentEditable;
  return writes || (/^input$/i.test(target.tagName) && target.type !== "range") || event.ctrlKey || event.metaKey || event.altKey;
}
